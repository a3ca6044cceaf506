/* Messages under way: from the choice of an algorithm to the wait for the result.

   A request is moved on by its pieces, where ranks of a host reduce in shared memory, or by jobs among all
   ranks. Both are nonblocking; anni_progress does what can be done now, for all requests, the oldest first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "comm/shared.h"
#include "comm/sparse.h"
#include "tensor/chunk.h"

enum { REQUESTS_GROW = 64 };

/* ---- the table ---- */

static void *grown(void *array, int n, int by, size_t size) {
    char *bigger = realloc(array, (size_t)(n + by) * size);
    if (bigger) memset(bigger + (size_t)n * size, 0, (size_t)by * size);
    return bigger;
}

/* The table grows only when more requests are under way than ever before. Requests stay where they are. */
bool anni_requests_grow(ann_comm *comm) {
    const int n = comm->n_requests;
    anni_request **requests = grown(comm->requests, n, REQUESTS_GROW, sizeof *requests);
    if (requests) comm->requests = requests;
    int *queue = grown(comm->queue, n, REQUESTS_GROW, sizeof *queue);
    if (queue) comm->queue = queue;
    const int room = (n + REQUESTS_GROW) * ANNI_RINGS_MAX + ANNI_SLOTS, more = room - comm->ready_room;
    anni_job **ready = grown(comm->ready, comm->ready_room, more, sizeof *ready);
    if (ready) {
        comm->ready = ready;
        comm->ready_room = room;
    }
    anni_request *block = calloc(REQUESTS_GROW, sizeof *block);
    if (!requests || !queue || !ready || !block) {
        free(block);
        return false;
    }
    for (int i = 0; i < REQUESTS_GROW; i++) requests[n + i] = &block[i];
    comm->n_requests += REQUESTS_GROW;
    return true;
}

/* Index of a free entry, -1 when memory is exhausted. */
static int request_entry(ann_comm *comm) {
    for (int i = 0; i < comm->n_requests; i++)
        if (comm->requests[i]->state == ANNI_FREE) return i;
    const int n = comm->n_requests;
    return anni_requests_grow(comm) ? n : -1;
}

void anni_requests_free(ann_comm *comm) {
    for (int i = 0; i < comm->n_requests; i++)
        ann_mem_free(comm->requests[i]->scratch, comm->requests[i]->scratch_bytes);
    for (int i = 0; i < comm->n_requests; i += REQUESTS_GROW) free(comm->requests[i]);
    free(comm->requests);
    free(comm->queue);
    free(comm->ready);
}

/* ---- jobs among all ranks ---- */

anni_job anni_request_job(const anni_request *r, const anni_group *group, char *data, int64_t elems) {
    const int64_t granules = (int64_t)(r->algorithm.segment_bytes / r->elem_bytes / 16);
    return (anni_job){.group = group,
                      .pattern = r->algorithm.pattern,
                      .collective = r->collective,
                      .wire = r->message.wire == ANN_WIRE_SPARSE ? ANN_WIRE_NATIVE : r->message.wire,
                      .data = data,
                      .elems = elems,
                      .segment_elems = granules < 1 ? 16 : granules * 16,
                      .elem_bytes = r->elem_bytes,
                      .sum = r->sum,
                      .channel = r->message.channel};
}

static void jobs_begin(ann_comm *comm, anni_request *r) {
    const bool ring = r->algorithm.pattern == ANN_PATTERN_RING && r->collective == ANN_COLLECTIVE_ALLREDUCE;
    for (int k = 0; k < r->n_jobs; k++) {
        int64_t begin, count;
        ann_chunk_of(r->elems, r->n_jobs, k, &begin, &count);
        r->jobs[k] = anni_request_job(r, ring ? &comm->rings[k] : &comm->everybody,
                                      r->data + (size_t)begin * r->elem_bytes, count);
        r->jobs[k].number = r->first_job + (uint64_t)k;
        anni_job_begin(comm, &r->jobs[k]);
    }
}

static bool jobs_done(const anni_request *r) {
    for (int k = 0; k < r->n_jobs; k++)
        if (r->jobs[k].state != ANNI_JOB_DONE) return false;
    return true;
}

/* ---- starting ---- */

static ann_status check_message(const ann_message *m) {
    if (!ann_sum_kernels_for(m->dtype))
        return ann_error(ANN_ERR_DTYPE, "cannot sum %s over ranks", ann_dtype_name(m->dtype));
    if (m->elems < 0) return ann_error(ANN_ERR_ARG, "negative number of elements");
    if (m->wire != ANN_WIRE_NATIVE && (m->dtype != ANN_F32 || m->collective != ANN_COLLECTIVE_ALLREDUCE))
        return ann_error(ANN_ERR_DTYPE, "only sums of f32 travel in another format");
    return ANN_OK;
}

/* Every message takes as many job numbers on each rank, whatever the rank's part in it. */
static void begin(ann_comm *comm, anni_request *r) {
    r->first_job = comm->next_job;
    if (r->algorithm.shared) {
        anni_pieces_plan(comm, r);
        comm->shared->next_piece += (uint64_t)r->pieces.count;
        comm->next_job += (uint64_t)r->pieces.count;
        return;
    }
    r->n_jobs = r->algorithm.pattern == ANN_PATTERN_RING ? r->algorithm.rings : 1;
    comm->next_job += (uint64_t)r->n_jobs;
    jobs_begin(comm, r);
}

ann_status anni_request_start(ann_comm *comm, const ann_message *message, int *request) {
    ANN_TRY(anni_usable(comm));
    ANN_TRY(check_message(message));
    const int index = request_entry(comm);
    if (index < 0) return anni_break(comm, ann_error(ANN_ERR_MEMORY, "no memory for another message"));
    anni_request *r = comm->requests[index];
    r->state = ANNI_DONE;
    r->done_ns = ann_clock_ns();
    r->message = *message;
    r->collective = message->collective;
    r->data = message->data;
    r->elems = message->elems;
    r->dtype = message->dtype;
    r->number = comm->next_request++;
    *request = index;
    if (comm->size == 1 || message->elems == 0) return ANN_OK;
    if (message->wire == ANN_WIRE_SPARSE) {
        const ann_status status = anni_sparse_encode(comm, r);
        if (status != ANN_OK) return anni_break(comm, status);
    }
    r->elem_bytes = ann_dtype_bytes(r->dtype);
    r->sum = ann_sum_kernels_for(r->dtype);
    r->algorithm = anni_choose(comm, r);
    r->state = ANNI_ACTIVE;
    r->n_jobs = 0;
    comm->queue[comm->n_queue++] = index;
    begin(comm, r);
    bool moved = false;
    return anni_progress(comm, &moved);
}

/* ---- moving on ---- */

static ann_status request_progress(ann_comm *comm, anni_request *r, bool *moved) {
    bool done = false;
    if (r->algorithm.shared) ANN_TRY(anni_pieces_progress(comm, r, moved, &done));
    else done = jobs_done(r);
    if (!done) return ANN_OK;
    r->state = ANNI_DONE;
    r->done_ns = ann_clock_ns();
    if (r->message.wire != ANN_WIRE_SPARSE) return ANN_OK;
    const ann_status status = anni_sparse_decode(comm, r);
    return status == ANN_OK ? ANN_OK : anni_break(comm, status);
}

ann_status anni_progress(ann_comm *comm, bool *moved) {
    int kept = 0;
    ANN_TRY(anni_lanes_progress(comm, moved));
    for (int i = 0; i < comm->n_queue; i++) {
        const int index = comm->queue[i];
        ANN_TRY(request_progress(comm, comm->requests[index], moved));
        if (comm->requests[index]->state == ANNI_ACTIVE) comm->queue[kept++] = index;
    }
    comm->n_queue = kept;
    return ANN_OK;
}

static ann_status request_give_up(ann_comm *comm, anni_pause why, const anni_request *r) {
    char what[160], name[64];
    const int64_t bytes = r->message.elems * (int64_t)ann_dtype_bytes(r->message.dtype);
    anni_awaited awaited = {
        .what = what, .label = r->message.label, .sequence = r->number, .bytes = bytes, .peer = -1};
    if (r->algorithm.shared) anni_pieces_awaited(comm, r, &awaited);
    for (int k = r->n_jobs - 1; k >= 0; k--)
        if (r->jobs[k].state != ANNI_JOB_DONE) anni_job_awaited(comm, &r->jobs[k], &awaited);
    (void)snprintf(what, sizeof what, "message %llu (channel %d, %lld bytes, %s)",
                   (unsigned long long)r->number, r->message.channel, (long long)bytes,
                   ann_algorithm_str(name, sizeof name, &r->algorithm));
    return anni_give_up_on(comm, why, &awaited);
}

static ann_status wait_until_done(ann_comm *comm, const anni_request *r) {
    anni_waiter waiter = anni_waiter_begin();
    while (r->state != ANNI_DONE) {
        bool moved = false;
        ANN_TRY(anni_progress(comm, &moved));
        if (moved) {
            waiter = anni_waiter_begin();
            continue;
        }
        const anni_pause pause = anni_waiter_pause(&waiter, comm);
        if (pause != ANNI_PAUSE_GO_ON) return request_give_up(comm, pause, r);
    }
    return ANN_OK;
}

ann_status anni_request_wait(ann_comm *comm, int request) {
    if (request < 0 || request >= comm->n_requests || comm->requests[request]->state == ANNI_FREE)
        return ann_error(ANN_ERR_ARG, "no message has the number %d", request);
    ANN_TRY(anni_usable(comm));
    anni_request *r = comm->requests[request];
    if (r->state != ANNI_DONE) {
        const int64_t begin_ns = anni_wait_begin();
        const ann_status status = wait_until_done(comm, r);
        anni_wait_end(comm, begin_ns);
        ANN_TRY(status);
    }
    if (r->algorithm.shared && anni_shared_called(comm)) return request_give_up(comm, ANNI_PAUSE_CALLED, r);
    r->state = ANNI_FREE;
    return ANN_OK;
}

bool anni_requests_pending(const ann_comm *comm) { return comm->n_queue > 0; }
