/* Progress while a rank computes: Open MPI moves nothing on unless somebody calls it, and an instruction may
   last long.

   A thread looks after the messages now and then. Each look costs the computing some 70 us, mostly by what
   it takes from the caches; but what comes round a ring of n nodes waits for 2 (n - 1) looks. So the more
   nodes there are, the shorter is the time between two of them: 2 ms for two nodes. The communicator belongs
   to whoever holds the lock: the rank's own thread, except between `away` and `back`. So MPI is called by one
   thread at a time (MPI_THREAD_SERIALIZED), and nothing else of src/comm knows of this. An error makes the
   communicator broken, which the rank's next call finds.

   Where all ranks are on one host, moving messages is work of the same cores and hides nothing: then there is
   no thread. It starts when it is needed for the first time; where none can be had, messages move on between
   instructions. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include "base/clock.h"
#include "base/log.h"
#include "comm/internal.h"

enum {
    NODES_PERIOD_NS = 4000 * 1000, /* between two looks, times nodes; */
    LEAST_PERIOD_NS = 300 * 1000,  /* at least this */
    MISSES_MAX = 20                /* in a row, then the thread sleeps until it is called */
};

struct anni_background {
    ann_comm *comm;
    pthread_t thread;
    pthread_mutex_t lock;
    sem_t call;
    atomic_bool asleep, quit;
    bool started, refused;
    bool away; /* of the rank's own thread, which alone looks at it */
};

static void *work(void *self) {
    struct anni_background *b = self;
    const int64_t period_ns = NODES_PERIOD_NS / b->comm->n_nodes;
    int misses = 0;
    (void)pthread_setname_np(pthread_self(), "messages");
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    while (!atomic_load(&b->quit)) {
        if (misses == MISSES_MAX) {
            atomic_store(&b->asleep, true);
            while (sem_wait(&b->call) != 0) continue;
            misses = 0;
        }
        ann_sleep_ns(period_ns > LEAST_PERIOD_NS ? period_ns : LEAST_PERIOD_NS);
        if (pthread_mutex_trylock(&b->lock) != 0) {
            misses++;
            continue;
        }
        bool moved = false;
        misses = 0;
        if (!b->comm->broken && anni_progress(b->comm, &moved) != ANN_OK) b->comm->broken = true;
        pthread_mutex_unlock(&b->lock);
    }
    return NULL;
}

/* Signals are for the rank's own thread. */
static bool start(struct anni_background *b) {
    sigset_t all, before;
    if (b->started || b->refused) return b->started;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    b->started = pthread_create(&b->thread, NULL, work, b) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    b->refused = !b->started;
    if (b->refused) ann_log_line(ANN_LOG_WARN, "no thread for messages: they move on between instructions");
    return b->started;
}

ann_status anni_background_new(ann_comm *comm) {
    int level = MPI_THREAD_SINGLE;
    if (comm->n_nodes < 2 || MPI_Query_thread(&level) != MPI_SUCCESS || level < MPI_THREAD_SERIALIZED)
        return ANN_OK;
    struct anni_background *b = calloc(1, sizeof *b);
    if (!b) return ann_error(ANN_ERR_MEMORY, "no memory for a communicator");
    b->comm = comm;
    pthread_mutex_init(&b->lock, NULL);
    pthread_mutex_lock(&b->lock);
    sem_init(&b->call, 0, 0);
    comm->background = b;
    return ANN_OK;
}

void anni_background_free(ann_comm *comm) {
    struct anni_background *b = comm->background;
    if (!b) return;
    atomic_store(&b->quit, true);
    sem_post(&b->call);
    if (b->started) pthread_join(b->thread, NULL);
    pthread_mutex_unlock(&b->lock);
    pthread_mutex_destroy(&b->lock);
    sem_destroy(&b->call);
    free(b);
    comm->background = NULL;
}

void anni_background_away(ann_comm *comm) {
    struct anni_background *b = comm->background;
    if (!b || comm->n_queue == 0 || !start(b)) return;
    b->away = true;
    pthread_mutex_unlock(&b->lock);
    if (atomic_exchange(&b->asleep, false)) sem_post(&b->call);
}

void anni_background_back(ann_comm *comm) {
    struct anni_background *b = comm->background;
    if (!b || !b->away) return;
    pthread_mutex_lock(&b->lock);
    b->away = false;
}
