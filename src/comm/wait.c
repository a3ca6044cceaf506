/* Waits with a deadline, and the end of a communicator.

   A wait is a loop of polls. When nothing has moved for the deadline, the rank *gives up*: it sends one empty
   message, its *roll call*, to every other rank, listens a moment for theirs, and names as silent the ranks
   from which none came. A rank that waits and finds the roll call of another gives up as well, since the
   other will not take part in anything any more. So all ranks that are alive and waiting end within moments
   of each other, and agree about who is silent whatever neighbour each of them was waiting for. Silence and
   roll call together take at most timeout_s.

   A rank that fails otherwise (an error of MPI's, messages of different sizes) sends its roll call as well,
   so that the others need not wait for the deadline.

   Only time in which this process was running counts: if it was itself stopped (SIGSTOP, a suspended job),
   its peers may have been too. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "comm/internal.h"

static const int64_t MS = 1000 * 1000;

/* Of the timeout, the part that is kept for the roll call. */
static double grace_s(const ann_comm *comm) { return comm->timeout_s < 2.0 ? comm->timeout_s / 2.0 : 1.0; }

anni_waiter anni_waiter_begin(void) { return (anni_waiter){.last_ns = ann_clock_ns()}; }

static bool called(ann_comm *comm) {
    int flag = 0;
    MPI_Status status;
    const int rc = MPI_Iprobe(MPI_ANY_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi, &flag, &status);
    return rc == MPI_SUCCESS && flag;
}

anni_pause anni_waiter_pause(anni_waiter *waiter, ann_comm *comm) {
    if (waiter->polls++ < comm->spin_polls) return ANNI_PAUSE_GO_ON;
    const int64_t now_ns = ann_clock_ns(), gap_ns = now_ns - waiter->last_ns;
    waiter->last_ns = now_ns;
    waiter->waited_ns += gap_ns < 100 * MS ? gap_ns : 100 * MS;
    if ((double)waiter->waited_ns * 1e-9 >= comm->timeout_s - grace_s(comm)) return ANNI_PAUSE_EXPIRED;
    if (waiter->waited_ns < 5 * MS) {
        sched_yield();
        return ANNI_PAUSE_GO_ON;
    }
    if (called(comm)) return ANNI_PAUSE_CALLED;
    ann_sleep_ns(waiter->waited_ns < 100 * MS ? MS / 20 : MS);
    return ANNI_PAUSE_GO_ON;
}

/* Best effort: what cannot be sent now is not waited for. */
static void roll_call_send(ann_comm *comm) {
    for (int i = 1; i < comm->size; i++) {
        MPI_Request *request = &comm->roll_call;
        const int peer = (comm->rank + i) % comm->size;
        if (MPI_Isend(NULL, 0, MPI_BYTE, peer, ANNI_TAG_ROLL_CALL, comm->mpi, request) == MPI_SUCCESS)
            MPI_Request_free(request);
    }
}

/* Takes the roll calls that have come; returns how many ranks have not been heard yet. */
static int roll_call_take(ann_comm *comm) {
    int flag = 1, silent = 0;
    while (flag) {
        MPI_Status status;
        if (MPI_Iprobe(MPI_ANY_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi, &flag, &status) != MPI_SUCCESS) break;
        if (!flag) break;
        if (MPI_Recv(NULL, 0, MPI_BYTE, status.MPI_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            break;
        comm->heard[status.MPI_SOURCE] = true;
    }
    for (int i = 0; i < comm->size; i++) silent += i != comm->rank && !comm->heard[i];
    return silent;
}

/* Appends "rank 1 (host a), rank 4 (host b) and 3 more" for the ranks that were (not) heard. */
static void ranks_text(const ann_comm *comm, bool heard, char *buf, size_t size) {
    int n = 0;
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; i < comm->size; i++) {
        if (i == comm->rank || comm->heard[i] != heard) continue;
        if (n++ >= 3) continue;
        const int wrote =
            snprintf(buf + used, size - used, "%srank %d (host %s)", used ? ", " : "", i, comm->hosts[i]);
        if (wrote > 0 && (size_t)wrote < size - used) used += (size_t)wrote;
    }
    if (n > 3) (void)snprintf(buf + used, size - used, " and %d more", n - 3);
}

/* Keeps the text of the error record as the reason. */
static void mark_broken(ann_comm *comm) {
    comm->broken = true;
    (void)snprintf(comm->broken_text, sizeof comm->broken_text, "%s", ann_error_text());
}

ann_status anni_break(ann_comm *comm, ann_status status) {
    if (comm->broken) return status;
    mark_broken(comm);
    roll_call_send(comm);
    return status;
}

ann_status anni_give_up(ann_comm *comm, anni_pause why, const char *what) {
    roll_call_send(comm);
    const int64_t end_ns = ann_clock_ns() + (int64_t)(grace_s(comm) * 1e9);
    int silent = roll_call_take(comm);
    while (silent > 0 && ann_clock_ns() < end_ns) {
        ann_sleep_ns(MS);
        silent = roll_call_take(comm);
    }
    char ranks[300];
    ranks_text(comm, silent == 0, ranks, sizeof ranks);
    const char *in = comm->context ? comm->context : "communication";
    ann_status status = ANN_ERR_TIMEOUT;
    if (silent > 0)
        status = ann_error(status, "%s: timeout of %g s: no answer from %s, while waiting for %s", in,
                           comm->timeout_s, ranks, what);
    else if (why == ANNI_PAUSE_CALLED)
        status = ann_error(status, "%s: %s gave up, and can no longer take part in %s", in, ranks, what);
    else
        status = ann_error(status, "%s: timeout of %g s: all ranks wait, each for another: this one for %s",
                           in, comm->timeout_s, what);
    mark_broken(comm);
    return status;
}

ann_status anni_mpi(ann_comm *comm, int mpi_error, const char *call) {
    if (mpi_error == MPI_SUCCESS) return ANN_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (MPI_Error_string(mpi_error, text, &length) != MPI_SUCCESS)
        (void)snprintf(text, sizeof text, "error %d", mpi_error);
    return anni_break(comm, ann_error(ANN_ERR_COMM, "%s: %s: %s",
                                      comm->context ? comm->context : "communication", call, text));
}

ann_status anni_usable(const ann_comm *comm) {
    if (!comm->broken) return ANN_OK;
    return ann_error(ANN_ERR_COMM, "communicator unusable after: %s", comm->broken_text);
}

ann_status anni_mpi_wait(ann_comm *comm, const char *what) {
    anni_waiter waiter = anni_waiter_begin();
    for (;;) {
        int done = 0;
        bool moved = false;
        ANN_TRY(anni_mpi(comm, MPI_Test(&comm->pending, &done, MPI_STATUS_IGNORE), what));
        /* Who comes too late may find all it waits for, sent by ranks that have given up since. */
        if (done) return called(comm) ? anni_give_up(comm, ANNI_PAUSE_CALLED, what) : ANN_OK;
        ANN_TRY(anni_progress(comm, &moved)); /* peers may still need this rank's part of a request */
        if (moved) {
            waiter = anni_waiter_begin();
            continue;
        }
        const anni_pause pause = anni_waiter_pause(&waiter, comm);
        if (pause != ANNI_PAUSE_GO_ON) return anni_give_up(comm, pause, what);
    }
}
