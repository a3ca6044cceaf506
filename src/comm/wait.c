/* Waits with a deadline.

   A wait is a loop of polls. When nothing has moved for the deadline, the rank *gives up* (verdict.c): it
   calls the roll, and all ranks that can be reached come to one verdict about who is late. A rank that waits
   and finds the roll call of another gives up as well, since the other will not take part in anything any
   more. So all ranks that are alive and waiting end within moments of each other, whatever neighbour each of
   them was waiting for. Silence and roll call together take at most timeout_s.

   Only time in which this process was running counts: if it was itself stopped (SIGSTOP, a suspended job),
   its peers may have been too. */
#include <sched.h>
#include "base/clock.h"
#include "comm/internal.h"

static const int64_t MS = 1000 * 1000;

/* Of the timeout, the part that is kept for the roll call. */
double anni_grace_s(const ann_comm *comm) { return comm->timeout_s < 2.0 ? comm->timeout_s / 2.0 : 1.0; }

anni_waiter anni_waiter_begin(void) { return (anni_waiter){.last_ns = ann_clock_ns()}; }

/* The poll asked for MPI's requests, and MPI gives the core away itself where it is told to; to give it away
   twice is to be late. */
static bool has_yielded(const ann_comm *comm) {
    return comm->mpi_yields && (comm->n_busy > 0 || comm->pending != MPI_REQUEST_NULL);
}

anni_pause anni_waiter_pause(anni_waiter *waiter, ann_comm *comm) {
    if (waiter->polls++ < comm->spin_polls) return ANNI_PAUSE_GO_ON;
    const int64_t now_ns = ann_clock_ns(), gap_ns = now_ns - waiter->last_ns;
    waiter->last_ns = now_ns;
    waiter->waited_ns += gap_ns < 100 * MS ? gap_ns : 100 * MS;
    comm->silent_ns = waiter->waited_ns;
    if ((double)waiter->waited_ns * 1e-9 >= comm->timeout_s - anni_grace_s(comm)) return ANNI_PAUSE_EXPIRED;
    if (waiter->waited_ns < 5 * MS) {
        if (!has_yielded(comm)) sched_yield();
        return ANNI_PAUSE_GO_ON;
    }
    if (anni_called(comm)) return ANNI_PAUSE_CALLED;
    ann_sleep_ns(waiter->waited_ns < 100 * MS ? MS / 20 : MS);
    return ANNI_PAUSE_GO_ON;
}

int64_t anni_wait_begin(void) { return ann_clock_ns(); }
void anni_wait_end(ann_comm *comm, int64_t begin_ns) { comm->wait_ns += ann_clock_ns() - begin_ns; }
int64_t ann_comm_wait_ns(const ann_comm *comm) { return comm->wait_ns; }

static ann_status pending_wait(ann_comm *comm, const char *what) {
    anni_waiter waiter = anni_waiter_begin();
    for (;;) {
        int done = 0;
        bool moved = false;
        ANN_TRY(anni_mpi(comm, MPI_Test(&comm->pending, &done, MPI_STATUS_IGNORE), what));
        /* Who comes too late may find all it waits for, sent by ranks that have given up since. */
        if (done) return anni_called(comm) ? anni_give_up(comm, ANNI_PAUSE_CALLED, what) : ANN_OK;
        ANN_TRY(anni_progress(comm, &moved)); /* peers may still need this rank's part of a request */
        if (moved) {
            waiter = anni_waiter_begin();
            continue;
        }
        const anni_pause pause = anni_waiter_pause(&waiter, comm);
        if (pause != ANNI_PAUSE_GO_ON) return anni_give_up(comm, pause, what);
    }
}

ann_status anni_mpi_wait(ann_comm *comm, const char *what) {
    const int64_t begin_ns = anni_wait_begin();
    const ann_status status = pending_wait(comm, what);
    anni_wait_end(comm, begin_ns);
    return status;
}
