/* Workers fill slots, one batch each; the caller takes them in order. A worker claims the next batch number
   as soon as fewer than `depth` batches are ahead of the caller, so the batches [released, claimed) are in
   work, ready, or, the first one, in the caller's hands. Which slot batch k is in says entry k mod ENTRIES.

   Depth and workers adapt to waits of the caller: first the queue becomes twice as deep, against reading
   times that vary; if the caller waits again once the deeper queue has had time to fill, another worker is
   started, against reading that is slow; and so on in turns. Nothing is ever taken back: a queue that is
   always full costs nothing. From the first wait on, all rows of a batch are asked for before the first is
   read, so that a disk has many requests at a time; that costs more than the reading where all is in memory.
 */
#include "data/data.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "data/ahead.h"
#include "data/slot.h"

enum {
    FIRST_DEPTH = 2,
    ADAPTIVE_DEPTH = 64,
    MAX_DEPTH = 1024,
    ENTRIES = MAX_DEPTH + 1,
    MAX_THREADS = 64,
    ERROR_BYTES = 1024,
    NOTICED_WAIT_NS = 100000 /* shorter waits are the price of waking up */
};
static const size_t adaptive_bytes = (size_t)256 << 20; /* a queue deeper than FIRST_DEPTH takes no more */

typedef enum entry_state { ENTRY_IN_WORK, ENTRY_READY, ENTRY_FAILED } entry_state;

typedef struct entry {
    entry_state state;
    int slot;
} entry;

struct ann_loader {
    ann_loader_options options;
    int64_t batches; /* in the whole stream */
    int64_t taken;   /* batches given out; caller only */
    int64_t wait_ns;
    int64_t adapted_at; /* value of taken at the last change of depth or threads */
    bool deepened;      /* that change was of depth */
    int max_depth, max_threads;

    anni_ahead ahead; /* of the worker that has set `reaching` */

    pthread_t threads[MAX_THREADS];
    int thread_count;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t room, ready;
    int depth;
    int64_t claimed, released;
    bool reaching, stop;
    bool ask; /* for all rows of a batch before the first of them is read */
    entry entries[ENTRIES];
    anni_slot slots[ENTRIES];
    int free_slots[ENTRIES], free_count, slot_count;
    int64_t failed_batch; /* the first one; INT64_MAX: none */
    ann_status status;    /* of that */
    char error[ERROR_BYTES];
};

void ann_data_shard(int64_t *shard_first, int64_t *shard_count, int64_t first, int64_t n, int rank,
                    int size) {
    const int64_t begin = n * rank / size, end = n * (rank + 1) / size;
    *shard_first = first + begin;
    *shard_count = end - begin;
}

/* ---- workers ---- */

static void keep_error(ann_loader *loader, int64_t batch, ann_status status) {
    if (batch >= loader->failed_batch) return;
    loader->failed_batch = batch;
    loader->status = status;
    snprintf(loader->error, sizeof loader->error, "%s", ann_error_text());
}

/* A slot that is free, or a new one. Locked. */
static ann_status get_slot(ann_loader *loader, int *slot) {
    if (loader->free_count > 0) {
        *slot = loader->free_slots[--loader->free_count];
        return ANN_OK;
    }
    ANN_TRY(anni_slot_init(&loader->slots[loader->slot_count], &loader->options));
    *slot = loader->slot_count++;
    return ANN_OK;
}

/* Waits until batch *k is this worker's to fill. False: there is nothing left to do. Locked. */
static bool claim(ann_loader *loader, int64_t *k) {
    while (!loader->stop && loader->claimed < loader->batches && loader->failed_batch == INT64_MAX &&
           loader->claimed - loader->released > loader->depth) {
        pthread_cond_wait(&loader->room, &loader->mutex);
    }
    if (loader->stop || loader->claimed == loader->batches || loader->failed_batch != INT64_MAX) return false;
    *k = loader->claimed++;
    entry *e = &loader->entries[*k % ENTRIES];
    e->state = ENTRY_IN_WORK;
    const ann_status status = get_slot(loader, &e->slot);
    if (status == ANN_OK) return true;
    e->state = ENTRY_FAILED;
    keep_error(loader, *k, status);
    pthread_cond_broadcast(&loader->ready);
    return false;
}

/* One worker at a time; the others need not wait for it. */
static void reach(ann_loader *loader, int64_t position) {
    pthread_mutex_lock(&loader->mutex);
    const bool mine = !loader->reaching;
    loader->reaching = true;
    pthread_mutex_unlock(&loader->mutex);
    if (!mine) return;
    anni_ahead_reach(&loader->ahead, position);
    pthread_mutex_lock(&loader->mutex);
    loader->reaching = false;
    pthread_mutex_unlock(&loader->mutex);
}

static void *run_worker(void *argument) {
    ann_loader *loader = argument;
    int64_t k;
    pthread_mutex_lock(&loader->mutex);
    while (claim(loader, &k)) {
        entry *e = &loader->entries[k % ENTRIES];
        anni_slot *slot = &loader->slots[e->slot];
        const bool ask = loader->ask || k <= FIRST_DEPTH;
        pthread_mutex_unlock(&loader->mutex);
        const int64_t first = ann_order_after(loader->options.order, loader->options.first_position, k);
        reach(loader, first);
        const ann_status status = anni_slot_fill(slot, &loader->options, first, ask);
        pthread_mutex_lock(&loader->mutex);
        e->state = status == ANN_OK ? ENTRY_READY : ENTRY_FAILED;
        if (status != ANN_OK) keep_error(loader, k, status);
        pthread_cond_signal(&loader->ready);
    }
    pthread_cond_broadcast(&loader->room); /* the other workers, too, have nothing left to do */
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

/* Signals are for the main thread: workers inherit a full mask. */
static int start_worker(ann_loader *loader) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&loader->threads[loader->thread_count], NULL, run_worker, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) loader->thread_count++;
    return failed;
}

/* ---- making one ---- */

static ann_status check_options(const ann_loader_options *o) {
    if (o->dataset == NULL || o->order == NULL) return ann_error(ANN_ERR_ARG, "loader: no dataset or order");
    if (ann_order_samples(o->order) != ann_dataset_samples(o->dataset)) {
        return ann_error(ANN_ERR_ARG, "loader: an order of %lld samples for a dataset of %lld",
                         (long long)ann_order_samples(o->order), (long long)ann_dataset_samples(o->dataset));
    }
    if (o->size < 1 || o->rank < 0 || o->rank >= o->size) {
        return ann_error(ANN_ERR_ARG, "loader: rank %d of %d", o->rank, o->size);
    }
    if (o->first_position < 0 || o->end_position <= o->first_position) {
        return ann_error(ANN_ERR_ARG, "loader: positions %lld..%lld: accepted: 0 <= first < end",
                         (long long)o->first_position, (long long)o->end_position);
    }
    if (o->depth < 0 || o->depth > MAX_DEPTH) {
        return ann_error(ANN_ERR_ARG, "loader: depth %d, accepted: 0 to %d", o->depth, MAX_DEPTH);
    }
    if (o->threads < 0 || o->threads > MAX_THREADS || o->max_threads < 0) {
        return ann_error(ANN_ERR_ARG, "loader: %d threads, at most %d, accepted: 0 to %d", o->threads,
                         o->max_threads, MAX_THREADS);
    }
    return anni_slot_check_augment(o);
}

static void set_limits(ann_loader *loader) {
    const ann_loader_options *o = &loader->options;
    const size_t affordable = adaptive_bytes / (anni_slot_bytes(o) + 1);
    const int deepest = affordable < ADAPTIVE_DEPTH ? (int)affordable : ADAPTIVE_DEPTH;
    loader->depth = o->depth > 0 ? o->depth : FIRST_DEPTH;
    loader->max_depth = o->depth > 0 || deepest < FIRST_DEPTH ? loader->depth : deepest;
    loader->max_threads = o->threads > 0 ? o->threads : o->max_threads > 0 ? o->max_threads : 1;
    if (loader->max_threads > MAX_THREADS) loader->max_threads = MAX_THREADS;
}

static ann_status start(ann_loader *loader) {
    ANN_TRY(anni_ahead_init(&loader->ahead, &loader->options));
    const int threads = loader->options.threads > 0 ? loader->options.threads : 1;
    for (int i = 0; i < threads; i++) {
        const int failed = start_worker(loader);
        if (failed != 0) return ann_error(ANN_ERR_MEMORY, "loader: no I/O thread: %s", strerror(failed));
    }
    return ANN_OK;
}

ann_status ann_loader_new(ann_loader **out, const ann_loader_options *options) {
    *out = NULL;
    ANN_TRY(check_options(options));
    ann_loader *loader = calloc(1, sizeof *loader);
    if (loader == NULL) return ann_error(ANN_ERR_MEMORY, "loader: out of memory");
    loader->options = *options;
    loader->batches = ann_order_steps(options->order, options->first_position, options->end_position);
    loader->failed_batch = INT64_MAX;
    set_limits(loader);
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->room, NULL);
    pthread_cond_init(&loader->ready, NULL);
    const ann_status status = start(loader);
    if (status != ANN_OK) {
        ann_loader_free(loader);
        return status;
    }
    *out = loader;
    return ANN_OK;
}

void ann_loader_free(ann_loader *loader) {
    if (loader == NULL) return;
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_broadcast(&loader->room);
    pthread_mutex_unlock(&loader->mutex);
    for (int i = 0; i < loader->thread_count; i++) pthread_join(loader->threads[i], NULL);
    pthread_cond_destroy(&loader->ready);
    pthread_cond_destroy(&loader->room);
    pthread_mutex_destroy(&loader->mutex);
    for (int i = 0; i < loader->slot_count; i++) anni_slot_fini(&loader->slots[i]);
    anni_ahead_fini(&loader->ahead);
    free(loader);
}

/* ---- the caller's side ---- */

/* The caller had to wait for batch `taken`. The first batches of a stream say nothing, nor do those that were
   on their way when something was last changed. Locked. */
static void adapt(ann_loader *loader) {
    if (loader->taken - loader->adapted_at <= loader->depth) return;
    loader->ask = true;
    const bool can_deepen = loader->depth < loader->max_depth;
    if (can_deepen && (!loader->deepened || loader->thread_count == loader->max_threads)) {
        loader->depth = 2 * loader->depth < loader->max_depth ? 2 * loader->depth : loader->max_depth;
        loader->deepened = true;
        pthread_cond_broadcast(&loader->room);
    } else if (loader->thread_count < loader->max_threads) {
        if (start_worker(loader) != 0)
            loader->max_threads = loader->thread_count; /* as many as there can be */
        loader->deepened = false;
    }
    loader->adapted_at = loader->taken;
}

/* Gives back the slot of the batch before. Locked. */
static void release(ann_loader *loader) {
    if (loader->released == loader->taken) return;
    loader->free_slots[loader->free_count++] = loader->entries[loader->released % ENTRIES].slot;
    loader->released++;
    pthread_cond_signal(&loader->room);
}

/* Is batch `taken` claimed, and no longer in work? Locked. */
static bool is_settled(const ann_loader *loader) {
    return loader->failed_batch <= loader->taken ||
           (loader->claimed > loader->taken &&
            loader->entries[loader->taken % ENTRIES].state != ENTRY_IN_WORK);
}

static void wait_settled(ann_loader *loader) {
    if (is_settled(loader)) return;
    const int64_t start_ns = ann_clock_ns();
    while (!is_settled(loader)) pthread_cond_wait(&loader->ready, &loader->mutex);
    const int64_t waited_ns = ann_clock_ns() - start_ns;
    loader->wait_ns += waited_ns;
    if (waited_ns >= NOTICED_WAIT_NS) adapt(loader);
}

ann_status ann_loader_next(ann_loader *loader, const ann_batch **out) {
    *out = NULL;
    ann_status status = ANN_OK;
    pthread_mutex_lock(&loader->mutex);
    release(loader);
    if (loader->taken < loader->batches) {
        wait_settled(loader);
        if (loader->failed_batch <= loader->taken) status = loader->status;
        else *out = &loader->slots[loader->entries[loader->taken % ENTRIES].slot].batch;
    }
    pthread_mutex_unlock(&loader->mutex);
    if (*out != NULL) loader->taken++;
    return status == ANN_OK ? ANN_OK : ann_error(status, "%s", loader->error);
}

int64_t ann_loader_wait_ns(const ann_loader *loader) { return loader->wait_ns; }
int ann_loader_depth(const ann_loader *loader) { return loader->depth; }
int ann_loader_threads(const ann_loader *loader) { return loader->thread_count; }
