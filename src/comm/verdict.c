/* The end of a communicator: one verdict of all ranks that can still be reached.

   A rank that gives up sends its *call* to every other rank: where its program was, what it waits for, since
   when, from whom, or how it failed. It listens a moment for theirs. A rank from which no call came is
   *silent*: it is dead, stopped, or busy with something else, and so it is what the others wait for. If all
   were heard, the one that failed is to blame; if none failed, the ranks wait for different things, and those
   whose request is the oldest are behind.

   Calls go from everyone to everyone, so all ranks that hear each other know the same. The lowest of those
   whose wait expired writes the verdict to the log; the others hold still for a moment, since the first to
   leave ends the job. Each returns the same status with a short text.

   A rank that fails otherwise (an error of MPI's, messages of different sizes) sends its call as well, so
   that the others need not wait for the deadline. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "comm/shared.h"

enum { NAMED = 3, LISTED = 8, LIST_BYTES = 640, STORY_BYTES = 400, PLACE_BYTES = 160 };
static const int64_t MS = 1000 * 1000;

bool anni_called(ann_comm *comm) {
    int flag = 0;
    MPI_Status status;
    const int rc = MPI_Iprobe(MPI_ANY_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi, &flag, &status);
    return rc == MPI_SUCCESS && flag;
}

/* ---- calls ---- */

static void place_text(const ann_comm *comm, char *buf, size_t size) {
    if (comm->phase)
        (void)snprintf(buf, size, "phase %s, step %lld", comm->phase, (long long)*comm->steps_done + 1);
    else (void)snprintf(buf, size, "%s", comm->context ? comm->context : "communication");
}

static anni_call call_of(const ann_comm *comm, anni_cause cause, const anni_awaited *awaited) {
    anni_call call = {.known = true,
                      .cause = cause,
                      .peer = awaited->peer,
                      .step = awaited->step,
                      .steps = awaited->steps,
                      .sequence = awaited->sequence,
                      .bytes = awaited->bytes,
                      .since_s = 1e-9 * (double)comm->silent_ns};
    place_text(comm, call.place, sizeof call.place);
    (void)snprintf(call.what, sizeof call.what, "%s", awaited->what);
    (void)snprintf(call.label, sizeof call.label, "%s", awaited->label ? awaited->label : "");
    return call;
}

/* Best effort: what cannot be sent now is not waited for. The call stays where it is for good. */
static void calls_send(ann_comm *comm, anni_call call) {
    comm->heard[comm->rank] = call;
    for (int i = 1; i < comm->size; i++) {
        MPI_Request *request = &comm->roll_call;
        const int peer = (comm->rank + i) % comm->size;
        if (MPI_Isend(&comm->heard[comm->rank], (int)sizeof call, MPI_BYTE, peer, ANNI_TAG_ROLL_CALL,
                      comm->mpi, request) == MPI_SUCCESS)
            MPI_Request_free(request);
    }
}

/* Takes the calls that have come; returns how many ranks have not been heard yet. */
static int calls_take(ann_comm *comm) {
    int flag = 1, silent = 0;
    while (flag) {
        MPI_Status status;
        anni_call call;
        if (MPI_Iprobe(MPI_ANY_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi, &flag, &status) != MPI_SUCCESS) break;
        if (!flag) break;
        if (MPI_Recv(&call, (int)sizeof call, MPI_BYTE, status.MPI_SOURCE, ANNI_TAG_ROLL_CALL, comm->mpi,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            break;
        comm->heard[status.MPI_SOURCE] = call;
    }
    for (int i = 0; i < comm->size; i++) silent += !comm->heard[i].known;
    return silent;
}

static int listen(ann_comm *comm, int64_t end_ns) {
    int silent = calls_take(comm);
    while (silent > 0 && ann_clock_ns() < end_ns) {
        ann_sleep_ns(MS);
        silent = calls_take(comm);
    }
    return silent;
}

/* ---- who is to blame ---- */

static bool is_silent(const ann_comm *comm, int rank) { return !comm->heard[rank].known; }
static bool has_failed(const ann_comm *comm, int rank) {
    return comm->heard[rank].known && comm->heard[rank].cause == ANNI_CAUSE_FAILED;
}
static bool has_expired(const ann_comm *comm, int rank) {
    return comm->heard[rank].known && comm->heard[rank].cause == ANNI_CAUSE_EXPIRED;
}
static bool is_waiting(const ann_comm *comm, int rank) {
    return comm->heard[rank].known && comm->heard[rank].cause != ANNI_CAUSE_FAILED;
}
/* Waits for an older request than some other rank does. */
static bool is_behind(const ann_comm *comm, int rank) {
    bool older = false;
    if (!is_waiting(comm, rank)) return false;
    for (int i = 0; i < comm->size; i++) {
        if (!is_waiting(comm, i)) continue;
        if (comm->heard[i].sequence < comm->heard[rank].sequence) return false;
        older = older || comm->heard[i].sequence > comm->heard[rank].sequence;
    }
    return older;
}
static bool is_other(const ann_comm *comm, int rank) { return rank != comm->rank && is_waiting(comm, rank); }

typedef bool (*property)(const ann_comm *comm, int rank);

static int first_with(const ann_comm *comm, property has) {
    for (int i = 0; i < comm->size; i++)
        if (has(comm, i)) return i;
    return -1;
}

/* "rank 1 (host a), rank 4 (host b) and 3 more": at most `most` of those with the property. */
static void ranks_text(const ann_comm *comm, property has, int most, char *buf, size_t size) {
    int n = 0;
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; i < comm->size; i++) {
        if (!has(comm, i) || n++ >= most) continue;
        const int wrote = snprintf(buf + used, size - used, "%srank %d (host %s)", used ? ", " : "", i,
                                   comm->hosts[i][0] ? comm->hosts[i] : "?");
        if (wrote > 0 && (size_t)wrote < size - used) used += (size_t)wrote;
    }
    if (n > most) (void)snprintf(buf + used, size - used, " and %d more", n - most);
}

/* ---- the verdict in full ---- */

/* "waits for bucket 3: reduction 12 (...), step 2 of 4, from rank 1, for 59.0 s". */
static void story(const anni_call *call, char *buf, size_t size) {
    char step[48] = "", peer[32] = "";
    if (call->cause == ANNI_CAUSE_FAILED) {
        (void)snprintf(buf, size, "has failed: %s", call->what);
        return;
    }
    if (call->steps > 0) (void)snprintf(step, sizeof step, ", step %d of %d", call->step, call->steps);
    if (call->peer >= 0) (void)snprintf(peer, sizeof peer, ", from rank %d", call->peer);
    (void)snprintf(buf, size, "waits for %s%s%s%s%s, for %.1f s", call->label, call->label[0] ? ": " : "",
                   call->what, step, peer, call->since_s);
}

static void say_blame(const ann_comm *comm, const char *place) {
    char ranks[LIST_BYTES];
    if (first_with(comm, is_silent) >= 0) {
        ranks_text(comm, is_silent, LISTED, ranks, sizeof ranks);
        ann_log_line(ANN_LOG_ERROR, "verdict: %s: late: %s: no answer within %g s", place, ranks,
                     comm->timeout_s);
    } else if (first_with(comm, has_failed) >= 0) {
        ranks_text(comm, has_failed, LISTED, ranks, sizeof ranks);
        ann_log_line(ANN_LOG_ERROR, "verdict: %s: failed: %s", place, ranks);
    } else if (first_with(comm, is_behind) >= 0) {
        ranks_text(comm, is_behind, LISTED, ranks, sizeof ranks);
        ann_log_line(ANN_LOG_ERROR, "verdict: %s: all ranks wait, and behind are: %s", place, ranks);
    } else {
        ann_log_line(ANN_LOG_ERROR, "verdict: %s: all ranks wait, each for another", place);
    }
}

static void say_verdict(const ann_comm *comm) {
    const char *place = comm->heard[comm->rank].place;
    int heard = 0;
    say_blame(comm, place);
    for (int i = 0; i < comm->size; i++) {
        const anni_call *call = &comm->heard[i];
        char text[STORY_BYTES];
        const bool elsewhere = strcmp(call->place, place) != 0;
        if (!call->known || heard++ >= LISTED) continue;
        story(call, text, sizeof text);
        ann_log_line(ANN_LOG_ERROR, "verdict: rank %d (host %s) %s%s%s", i,
                     comm->hosts[i][0] ? comm->hosts[i] : "?", text, elsewhere ? ", in " : "",
                     elsewhere ? call->place : "");
    }
    if (heard > LISTED) ann_log_line(ANN_LOG_ERROR, "verdict: %d more ranks wait", heard - LISTED);
}

/* ---- the end ---- */

/* Keeps the text of the error record as the reason. */
static void mark_broken(ann_comm *comm) {
    comm->broken = true;
    anni_shared_give_up(comm);
    (void)snprintf(comm->broken_text, sizeof comm->broken_text, "%s", ann_error_text());
}

ann_status anni_break(ann_comm *comm, ann_status status) {
    if (comm->broken) return status;
    mark_broken(comm);
    comm->silent_ns = 0;
    calls_send(comm, call_of(comm, ANNI_CAUSE_FAILED, &(anni_awaited){.what = ann_error_text(), .peer = -1}));
    return status;
}

/* This rank's error record: what it waited for, and who is to blame. */
static ann_status short_text(const ann_comm *comm, anni_pause why, int silent) {
    const anni_call *mine = &comm->heard[comm->rank];
    char ranks[LIST_BYTES], what[STORY_BYTES];
    const int failed = first_with(comm, has_failed);
    (void)snprintf(what, sizeof what, "%s%s%s", mine->label, mine->label[0] ? ": " : "", mine->what);
    ranks_text(comm, silent > 0 ? is_silent : is_other, NAMED, ranks, sizeof ranks);
    if (failed >= 0)
        return ann_error(ANN_ERR_TIMEOUT, "%s: rank %d (host %s) failed: %s", mine->place, failed,
                         comm->hosts[failed], comm->heard[failed].what);
    if (silent > 0)
        return ann_error(ANN_ERR_TIMEOUT, "%s: timeout of %g s: no answer from %s, while waiting for %s",
                         mine->place, comm->timeout_s, ranks, what);
    if (why == ANNI_PAUSE_CALLED)
        return ann_error(ANN_ERR_TIMEOUT, "%s: %s gave up, and can no longer take part in %s", mine->place,
                         ranks, what);
    return ann_error(ANN_ERR_TIMEOUT,
                     "%s: timeout of %g s: all ranks wait, each for another: this one for %s", mine->place,
                     comm->timeout_s, what);
}

/* Who comes when the others have spoken finds one whose wait expired, and is silent itself. */
static int speaker(const ann_comm *comm) {
    const int expired = first_with(comm, has_expired);
    return expired >= 0 ? expired : first_with(comm, is_waiting);
}

ann_status anni_give_up_on(ann_comm *comm, anni_pause why, const anni_awaited *awaited) {
    const int64_t begin_ns = ann_clock_ns(), grace_ns = (int64_t)(anni_grace_s(comm) * 1e9);
    calls_send(comm,
               call_of(comm, why == ANNI_PAUSE_CALLED ? ANNI_CAUSE_CALLED : ANNI_CAUSE_EXPIRED, awaited));
    const int silent = listen(comm, begin_ns + grace_ns / 10 * 8);
    const ann_status status = short_text(comm, why, silent);
    mark_broken(comm);
    if (speaker(comm) == comm->rank) say_verdict(comm);
    else ann_sleep_ns(grace_ns / 10);
    return status;
}

ann_status anni_give_up(ann_comm *comm, anni_pause why, const char *what) {
    return anni_give_up_on(comm, why,
                           &(anni_awaited){.what = what, .peer = -1, .sequence = comm->next_request});
}

ann_status anni_mpi(ann_comm *comm, int mpi_error, const char *call) {
    if (mpi_error == MPI_SUCCESS) return ANN_OK;
    char text[MPI_MAX_ERROR_STRING] = "", place[PLACE_BYTES];
    int length = 0;
    if (MPI_Error_string(mpi_error, text, &length) != MPI_SUCCESS)
        (void)snprintf(text, sizeof text, "error %d", mpi_error);
    place_text(comm, place, sizeof place);
    return anni_break(comm, ann_error(ANN_ERR_COMM, "%s: %s: %s", place, call, text));
}

ann_status anni_usable(const ann_comm *comm) {
    if (!comm->broken) return ANN_OK;
    return ann_error(ANN_ERR_COMM, "communicator unusable after: %s", comm->broken_text);
}

void ann_comm_watch(ann_comm *comm, const char *phase, const int64_t *steps_done) {
    comm->phase = phase;
    comm->steps_done = steps_done;
}

const char *ann_comm_host(const ann_comm *comm, int rank) { return comm->hosts[rank]; }
