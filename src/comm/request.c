/* The executor of the ring's schedule: a nonblocking state machine per lane.

   A lane has two streams of items, those it receives and those it sends, each with up to ANNI_DEPTH under
   way. What orders them:
   - an item is sent once the item of the step before with the same chunk and segment has been received and
   added (step 0 sends what the rank itself brought);
   - an item to be added is received into staging, one slot per item under way, and added when it has come;
   - an item to be copied is received straight into the message, once that place's own send in the first half
   is complete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "comm/internal.h"
#include "comm/ring.h"

enum { REQUESTS_GROW = 64 };

static int left_of(const ann_comm *comm) { return (comm->rank + comm->size - 1) % comm->size; }
static int right_of(const ann_comm *comm) { return (comm->rank + 1) % comm->size; }

static int item_tag(const anni_request *request, int64_t item) {
    return (int)((request->message.channel & 7) << 11 | (int)(request->sequence & 127) << 4 |
                 (int)(item & 15));
}

/* The elements of a chunk's segment; false past the chunk's last one. */
static bool segment_of(const ann_comm *comm, const anni_request *request, int chunk, int64_t segment,
                       int64_t *begin, int64_t *count) {
    ann_ring_chunk(request->elems, comm->size, chunk, begin, count);
    const int64_t offset = segment * request->segment_elems;
    if (offset >= *count) return false;
    *begin += offset;
    *count = *count - offset < request->segment_elems ? *count - offset : request->segment_elems;
    return true;
}

static int chunk_at(const ann_comm *comm, int step, bool sending) {
    const ann_ring_step at = ann_ring_at(comm->rank, comm->size, step);
    return sending ? at.send_chunk : at.recv_chunk;
}

/* Moves the cursor over steps whose chunk has no (further) segments. */
static void cursor_settle(const ann_comm *comm, const anni_request *request, bool sending,
                          anni_cursor *cursor) {
    int64_t begin, count;
    while (cursor->step < ann_ring_steps(comm->size) &&
           !segment_of(comm, request, chunk_at(comm, cursor->step, sending), cursor->segment, &begin, &count))
        *cursor = (anni_cursor){cursor->step + 1, 0};
}

static void cursor_next(const ann_comm *comm, const anni_request *request, bool sending,
                        anni_cursor *cursor) {
    cursor->segment++;
    cursor_settle(comm, request, sending, cursor);
}

static bool is_past(const anni_cursor *cursor, int step, int64_t segment) {
    return cursor->step > step || (cursor->step == step && cursor->segment > segment);
}

static ann_status post_sends(ann_comm *comm, anni_lane *lane, const anni_request *request, bool *moved) {
    anni_stream *send = &lane->send;
    while (send->n_posted - send->n_done < ANNI_DEPTH && send->posted.step < ann_ring_steps(comm->size)) {
        const anni_cursor at = send->posted;
        if (at.step > 0 && !is_past(&lane->recv.done, at.step - 1, at.segment)) break;
        int64_t begin, count;
        (void)segment_of(comm, request, chunk_at(comm, at.step, true), at.segment, &begin, &count);
        const int rc = MPI_Isend(request->data + (size_t)begin * request->elem_bytes,
                                 (int)((size_t)count * request->elem_bytes), MPI_BYTE, right_of(comm),
                                 item_tag(request, send->n_posted), comm->mpi,
                                 &send->pending[send->n_posted % ANNI_DEPTH]);
        ANN_TRY(anni_mpi(comm, rc, "MPI_Isend"));
        send->n_posted++;
        cursor_next(comm, request, true, &send->posted);
        *moved = true;
    }
    return ANN_OK;
}

static ann_status post_receives(ann_comm *comm, anni_lane *lane, const anni_request *request, bool *moved) {
    anni_stream *recv = &lane->recv;
    while (recv->n_posted - recv->n_done < ANNI_DEPTH && recv->posted.step < ann_ring_steps(comm->size)) {
        const anni_cursor at = recv->posted;
        const ann_ring_step step = ann_ring_at(comm->rank, comm->size, at.step);
        const int slot = (int)(recv->n_posted % ANNI_DEPTH);
        int64_t begin, count;
        (void)segment_of(comm, request, step.recv_chunk, at.segment, &begin, &count);
        char *to = request->data + (size_t)begin * request->elem_bytes;
        if (step.reduce) to = lane->staging + (size_t)slot * ANNI_SEGMENT_MAX;
        else if (!is_past(&lane->send.done, at.step - (comm->size - 1), at.segment)) break;
        const int rc = MPI_Irecv(to, (int)((size_t)count * request->elem_bytes), MPI_BYTE, left_of(comm),
                                 item_tag(request, recv->n_posted), comm->mpi, &recv->pending[slot]);
        ANN_TRY(anni_mpi(comm, rc, "MPI_Irecv"));
        recv->n_posted++;
        cursor_next(comm, request, false, &recv->posted);
        *moved = true;
    }
    return ANN_OK;
}

/* Takes in the oldest item under way, if it has come. */
static ann_status finish_receive(ann_comm *comm, anni_lane *lane, const anni_request *request, bool *moved) {
    anni_stream *recv = &lane->recv;
    if (recv->n_done == recv->n_posted) return ANN_OK;
    const int slot = (int)(recv->n_done % ANNI_DEPTH);
    int done = 0, got_bytes = 0;
    MPI_Status status;
    ANN_TRY(anni_mpi(comm, MPI_Test(&recv->pending[slot], &done, &status), "receiving"));
    if (!done) return ANN_OK;
    const ann_ring_step step = ann_ring_at(comm->rank, comm->size, recv->done.step);
    int64_t begin, count;
    (void)segment_of(comm, request, step.recv_chunk, recv->done.segment, &begin, &count);
    ANN_TRY(anni_mpi(comm, MPI_Get_count(&status, MPI_BYTE, &got_bytes), "MPI_Get_count"));
    if ((size_t)got_bytes != (size_t)count * request->elem_bytes)
        return anni_break(comm, ann_error(ANN_ERR_COMM,
                                          "rank %d sent %d bytes where %zu were expected: the ranks reduce "
                                          "messages of different sizes",
                                          left_of(comm), got_bytes, (size_t)count * request->elem_bytes));
    if (step.reduce)
        request->sum->add(request->data + (size_t)begin * request->elem_bytes,
                          lane->staging + (size_t)slot * ANNI_SEGMENT_MAX, count);
    recv->n_done++;
    cursor_next(comm, request, false, &recv->done);
    *moved = true;
    return ANN_OK;
}

static ann_status finish_send(ann_comm *comm, anni_lane *lane, const anni_request *request, bool *moved) {
    anni_stream *send = &lane->send;
    if (send->n_done == send->n_posted) return ANN_OK;
    int done = 0;
    ANN_TRY(anni_mpi(comm, MPI_Test(&send->pending[send->n_done % ANNI_DEPTH], &done, MPI_STATUS_IGNORE),
                     "sending"));
    if (!done) return ANN_OK;
    send->n_done++;
    cursor_next(comm, request, true, &send->done);
    *moved = true;
    return ANN_OK;
}

static void stream_begin(const ann_comm *comm, const anni_request *request, bool sending,
                         anni_stream *stream) {
    *stream = (anni_stream){0};
    cursor_settle(comm, request, sending, &stream->posted);
    stream->done = stream->posted;
}

static int free_lane(const ann_comm *comm) {
    for (int i = 0; i < ANNI_LANES; i++)
        if (comm->lanes[i].request < 0) return i;
    return -1;
}

/* The entry of the request that is to get a lane next, -1 if none waits. */
static int next_queued(const ann_comm *comm) {
    if (comm->next_active == comm->next_sequence) return -1;
    for (int i = 0; i < comm->n_requests; i++)
        if (comm->requests[i].state == ANNI_QUEUED && comm->requests[i].sequence == comm->next_active)
            return i;
    return -1;
}

/* Gives free lanes to the requests that wait. The lowest free lane is taken: its staging memory is most
 * likely in cache. */
static void lanes_fill(ann_comm *comm) {
    int lane, index;
    while ((lane = free_lane(comm)) >= 0 && (index = next_queued(comm)) >= 0) {
        anni_request *request = &comm->requests[index];
        request->state = ANNI_ACTIVE;
        request->lane = lane;
        comm->lanes[lane].request = index;
        comm->active[comm->n_active++] = lane;
        comm->next_active++;
        stream_begin(comm, request, false, &comm->lanes[lane].recv);
        stream_begin(comm, request, true, &comm->lanes[lane].send);
    }
}

static bool lane_is_done(const ann_comm *comm, const anni_lane *lane) {
    const int end = ann_ring_steps(comm->size);
    return lane->recv.done.step == end && lane->send.done.step == end;
}

/* Frees the lanes whose request is complete. */
static void lanes_end(ann_comm *comm) {
    int kept = 0;
    for (int i = 0; i < comm->n_active; i++) {
        anni_lane *lane = &comm->lanes[comm->active[i]];
        if (!lane_is_done(comm, lane)) {
            comm->active[kept++] = comm->active[i];
            continue;
        }
        comm->requests[lane->request].state = ANNI_DONE;
        lane->request = -1;
    }
    comm->n_active = kept;
}

static ann_status lane_progress(ann_comm *comm, anni_lane *lane, bool *moved) {
    const anni_request *request = &comm->requests[lane->request];
    bool again = true;
    while (again) {
        again = false;
        ANN_TRY(post_receives(comm, lane, request, &again));
        ANN_TRY(post_sends(comm, lane, request, &again));
        ANN_TRY(finish_receive(comm, lane, request, &again));
        ANN_TRY(finish_send(comm, lane, request, &again));
        *moved = *moved || again;
    }
    return ANN_OK;
}

ann_status anni_progress(ann_comm *comm, bool *moved) {
    for (int i = 0; i < comm->n_active; i++)
        ANN_TRY(lane_progress(comm, &comm->lanes[comm->active[i]], moved));
    lanes_end(comm);
    lanes_fill(comm);
    return ANN_OK;
}

/* Index of a free entry; the table grows only when more requests are under way than ever before. */
static int request_entry(ann_comm *comm) {
    for (int i = 0; i < comm->n_requests; i++)
        if (comm->requests[i].state == ANNI_FREE) return i;
    const int n = comm->n_requests, bigger = n + REQUESTS_GROW;
    anni_request *requests = realloc(comm->requests, (size_t)bigger * sizeof *requests);
    if (!requests) return -1;
    memset(requests + n, 0, (size_t)REQUESTS_GROW * sizeof *requests);
    comm->requests = requests;
    comm->n_requests = bigger;
    return n;
}

ann_status anni_request_start(ann_comm *comm, const ann_message *message, int *request) {
    ANN_TRY(anni_usable(comm));
    const ann_sum_kernels *sum = ann_sum_kernels_for(message->dtype);
    if (!sum) return ann_error(ANN_ERR_DTYPE, "cannot sum %s over ranks", ann_dtype_name(message->dtype));
    if (message->elems < 0) return ann_error(ANN_ERR_ARG, "negative number of elements");
    const int index = request_entry(comm);
    if (index < 0) return anni_break(comm, ann_error(ANN_ERR_MEMORY, "no memory for another reduction"));
    const size_t elem_bytes = ann_dtype_bytes(message->dtype);
    const int64_t granules = (int64_t)(comm->segment_bytes / elem_bytes / 16);
    anni_request *entry = &comm->requests[index];
    *entry = (anni_request){.state = ANNI_DONE,
                            .message = *message,
                            .data = message->data,
                            .elems = message->elems,
                            .segment_elems = granules < 1 ? 16 : granules * 16,
                            .elem_bytes = elem_bytes,
                            .sum = sum};
    *request = index;
    if (comm->size == 1 || message->elems == 0) return ANN_OK;
    entry->state = ANNI_QUEUED;
    entry->sequence = comm->next_sequence++;
    bool moved = false;
    lanes_fill(comm);
    return anni_progress(comm, &moved);
}

static ann_status request_give_up(ann_comm *comm, anni_pause why, int index) {
    const anni_request *request = &comm->requests[index];
    const anni_lane *lane = &comm->lanes[request->lane];
    const bool active = request->state == ANNI_ACTIVE;
    char what[160];
    (void)snprintf(what, sizeof what, "reduction %llu (channel %d, %zu bytes)%s",
                   (unsigned long long)request->sequence, request->message.channel,
                   (size_t)request->elems * request->elem_bytes, active ? "" : ", behind an earlier one");
    const int steps = ann_ring_steps(comm->size);
    const int step = active && lane->recv.done.step < steps ? lane->recv.done.step + 1 : steps;
    return anni_give_up_on(comm, why,
                           &(anni_awaited){.what = what,
                                           .label = request->message.label,
                                           .sequence = request->sequence,
                                           .bytes = request->elems * (int64_t)request->elem_bytes,
                                           .step = step,
                                           .steps = active ? steps : 0,
                                           .peer = active ? left_of(comm) : -1});
}

static ann_status wait_until_done(ann_comm *comm, int request) {
    anni_waiter waiter = anni_waiter_begin();
    while (comm->requests[request].state != ANNI_DONE) {
        bool moved = false;
        ANN_TRY(anni_progress(comm, &moved));
        if (moved) {
            waiter = anni_waiter_begin();
            continue;
        }
        const anni_pause pause = anni_waiter_pause(&waiter, comm);
        if (pause != ANNI_PAUSE_GO_ON) return request_give_up(comm, pause, request);
    }
    return ANN_OK;
}

ann_status anni_request_wait(ann_comm *comm, int request) {
    if (request < 0 || request >= comm->n_requests || comm->requests[request].state == ANNI_FREE)
        return ann_error(ANN_ERR_ARG, "no reduction has the number %d", request);
    ANN_TRY(anni_usable(comm));
    if (comm->requests[request].state != ANNI_DONE) {
        const int64_t begin_ns = anni_wait_begin();
        const ann_status status = wait_until_done(comm, request);
        anni_wait_end(comm, begin_ns);
        ANN_TRY(status);
    }
    comm->requests[request].state = ANNI_FREE;
    return ANN_OK;
}

bool anni_requests_pending(const ann_comm *comm) {
    for (int i = 0; i < comm->n_requests; i++)
        if (comm->requests[i].state == ANNI_QUEUED || comm->requests[i].state == ANNI_ACTIVE) return true;
    return false;
}
