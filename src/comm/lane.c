/* Jobs: the nonblocking state machine that runs a pattern.

   A lane has two streams of items, those it receives and those it sends, each with up to `depth` under
   way. An item is sent when what it sends on has been received. What is added, or comes in 16 bits, is
   received into staging, one slot per item under way, and taken in when it has come; what is copied as it is,
   straight into its place. Either happens only when that place's own sending is over. */
#include "comm/internal.h"

#include <stdlib.h>
#include <string.h>

static size_t wire_bytes(const anni_job *job) {
    return job->wire == ANN_WIRE_NATIVE ? job->elem_bytes : sizeof(uint16_t);
}

/* ---- cursors ---- */

static int64_t count_of(const ann_pattern_step *at, bool sending) {
    if (sending) return at->to < 0 ? 0 : at->send_count;
    return at->from < 0 ? 0 : at->recv_count;
}

static void cursor_load(const anni_lane *lane, anni_cursor *c) {
    const anni_job *job = lane->job;
    if (c->step < lane->steps)
        c->at = ann_pattern_at(job->pattern, job->collective, job->elems, job->group->position,
                               job->group->size, c->step);
}

/* Moves the cursor over steps whose range has no (further) segments. */
static void cursor_settle(const anni_lane *lane, bool sending, anni_cursor *c) {
    while (c->step < lane->steps && c->segment * lane->job->segment_elems >= count_of(&c->at, sending)) {
        c->step++;
        c->segment = 0;
        cursor_load(lane, c);
    }
}

static void cursor_next(const anni_lane *lane, bool sending, anni_cursor *c) {
    c->segment++;
    cursor_settle(lane, sending, c);
}

/* Whether the stream whose `done` this is has done the step: the same segment of it, or all of them. */
static bool is_past(const anni_cursor *done, int step, int64_t segment, bool same) {
    return step < 0 || done->step > step || (same && done->step == step && done->segment > segment);
}

/* Of the step and the segment, as many bits as there are left. */
static int item_tag(const anni_job *job, const anni_cursor *c) {
    const int64_t mixed = c->step * 5 + c->segment;
    return (int)((job->channel & 15) << 11 | (int)(job->number & 127) << 4 | (int)(mixed & 15));
}

typedef struct item {
    char *place;
    int64_t count;
} item;

static item item_at(const anni_lane *lane, const anni_cursor *c, bool sending) {
    const anni_job *job = lane->job;
    const int64_t offset = c->segment * job->segment_elems, left = count_of(&c->at, sending) - offset;
    const int64_t begin = (sending ? c->at.send_begin : c->at.recv_begin) + offset;
    return (item){job->data + (size_t)begin * job->elem_bytes,
                  left < job->segment_elems ? left : job->segment_elems};
}

/* ---- 16 bits ---- */

/* What is sent is rounded in its place as well, so that the sender holds the same value as those it goes to.
 */
static void encode(const anni_job *job, uint16_t *out, float *place, int64_t n) {
    if (job->wire == ANN_WIRE_BF16) {
        ann_to_bf16(out, place, n);
        ann_from_bf16(place, out, n);
    } else {
        ann_to_f16(out, place, n);
        ann_from_f16(place, out, n);
    }
}

static void decode(const anni_job *job, float *out, const uint16_t *in, int64_t n) {
    if (job->wire == ANN_WIRE_BF16) ann_from_bf16(out, in, n);
    else ann_from_f16(out, in, n);
}

static void take_in(const anni_job *job, item to, const char *staged, bool reduce) {
    enum { BLOCK = 512 };
    if (job->wire == ANN_WIRE_NATIVE) {
        job->sum->add(to.place, staged, to.count);
        return;
    }
    for (int64_t at = 0; at < to.count; at += BLOCK) {
        float block[BLOCK], *place = (float *)to.place + at;
        const int64_t n = to.count - at < BLOCK ? to.count - at : BLOCK;
        decode(job, reduce ? block : place, (const uint16_t *)staged + at, n);
        if (reduce) job->sum->add(place, block, n);
    }
}

/* ---- items ---- */

static bool is_staged(const anni_job *job, const ann_pattern_step *at) {
    return at->reduce || job->wire != ANN_WIRE_NATIVE;
}
static bool may_write(const anni_lane *lane, const anni_cursor *c) {
    return is_past(&lane->send.done, c->at.recv_after, c->segment, c->at.recv_after_same);
}

static ann_status post_sends(ann_comm *comm, anni_lane *lane, bool *moved) {
    anni_stream *send = &lane->send;
    const anni_job *job = lane->job;
    while (send->n_posted - send->n_done < lane->depth && send->posted.step < lane->steps) {
        const anni_cursor *c = &send->posted;
        if (!is_past(&lane->recv.done, c->at.send_after, c->segment, c->at.send_after_same)) break;
        const item from = item_at(lane, c, true);
        const int slot = (int)(send->n_posted % lane->depth);
        char *bytes = from.place;
        if (job->wire != ANN_WIRE_NATIVE) {
            bytes = lane->send_staging + (size_t)slot * (lane->slot_bytes / 2);
            encode(job, (uint16_t *)bytes, (float *)from.place, from.count);
        }
        const int rc =
            MPI_Isend(bytes, (int)((size_t)from.count * wire_bytes(job)), MPI_BYTE,
                      job->group->ranks[c->at.to], item_tag(job, c), comm->mpi, &send->pending[slot]);
        ANN_TRY(anni_mpi(comm, rc, "MPI_Isend"));
        send->n_posted++;
        cursor_next(lane, true, &send->posted);
        *moved = true;
    }
    return ANN_OK;
}

static ann_status post_receives(ann_comm *comm, anni_lane *lane, bool *moved) {
    anni_stream *recv = &lane->recv;
    const anni_job *job = lane->job;
    while (recv->n_posted - recv->n_done < lane->depth && recv->posted.step < lane->steps) {
        const anni_cursor *c = &recv->posted;
        const item to = item_at(lane, c, false);
        const int slot = (int)(recv->n_posted % lane->depth);
        char *bytes = to.place;
        if (is_staged(job, &c->at)) bytes = lane->staging + (size_t)slot * lane->slot_bytes;
        else if (!may_write(lane, c)) break;
        const int rc =
            MPI_Irecv(bytes, (int)((size_t)to.count * wire_bytes(job)), MPI_BYTE,
                      job->group->ranks[c->at.from], item_tag(job, c), comm->mpi, &recv->pending[slot]);
        ANN_TRY(anni_mpi(comm, rc, "MPI_Irecv"));
        recv->n_posted++;
        cursor_next(lane, false, &recv->posted);
        *moved = true;
    }
    return ANN_OK;
}

static ann_status check_size(ann_comm *comm, const anni_lane *lane, const MPI_Status *status, int64_t count) {
    const anni_job *job = lane->job;
    int got_bytes = 0;
    ANN_TRY(anni_mpi(comm, MPI_Get_count(status, MPI_BYTE, &got_bytes), "MPI_Get_count"));
    if ((size_t)got_bytes == (size_t)count * wire_bytes(job)) return ANN_OK;
    return anni_break(comm, ann_error(ANN_ERR_COMM,
                                      "rank %d sent %d bytes where %zu were expected: the ranks reduce "
                                      "messages of different sizes",
                                      job->group->ranks[lane->recv.done.at.from], got_bytes,
                                      (size_t)count * wire_bytes(job)));
}

/* Takes in the oldest item under way, if it has come and its place is free. */
static ann_status finish_receive(ann_comm *comm, anni_lane *lane, bool *moved) {
    anni_stream *recv = &lane->recv;
    const anni_cursor *c = &recv->done;
    if (recv->n_done == recv->n_posted || !may_write(lane, c)) return ANN_OK;
    const int slot = (int)(recv->n_done % lane->depth);
    int done = 0;
    MPI_Status status;
    ANN_TRY(anni_mpi(comm, MPI_Test(&recv->pending[slot], &done, &status), "receiving"));
    if (!done) return ANN_OK;
    const item to = item_at(lane, c, false);
    ANN_TRY(check_size(comm, lane, &status, to.count));
    if (is_staged(lane->job, &c->at))
        take_in(lane->job, to, lane->staging + (size_t)slot * lane->slot_bytes, c->at.reduce);
    recv->n_done++;
    cursor_next(lane, false, &recv->done);
    *moved = true;
    return ANN_OK;
}

/* Whether anything waits for the end of a sending. Else nobody asks for it: each question makes MPI look at
   all its connections. */
static bool send_is_awaited(const anni_lane *lane) {
    const anni_stream *send = &lane->send, *recv = &lane->recv;
    return send->n_posted - send->n_done == lane->depth || recv->done.step == lane->steps ||
           !may_write(lane, &recv->done) || !may_write(lane, &recv->posted);
}

static ann_status finish_send(ann_comm *comm, anni_lane *lane, bool *moved) {
    anni_stream *send = &lane->send;
    if (send->n_done == send->n_posted || !send_is_awaited(lane)) return ANN_OK;
    int done = 0;
    ANN_TRY(anni_mpi(comm, MPI_Test(&send->pending[send->n_done % lane->depth], &done, MPI_STATUS_IGNORE),
                     "sending"));
    if (!done) return ANN_OK;
    send->n_done++;
    cursor_next(lane, true, &send->done);
    *moved = true;
    return ANN_OK;
}

/* ---- lanes ---- */

static void stream_begin(const anni_lane *lane, bool sending, anni_stream *stream) {
    stream->n_posted = stream->n_done = 0;
    stream->posted = (anni_cursor){0, 0, {0}};
    cursor_load(lane, &stream->posted);
    cursor_settle(lane, sending, &stream->posted);
    stream->done = stream->posted;
}

static void lane_begin(ann_comm *comm, int index, anni_job *job) {
    anni_lane *lane = &comm->lanes[index];
    lane->job = job;
    lane->steps = ann_pattern_steps(job->pattern, job->collective, job->group->size);
    lane->slot_bytes = (size_t)job->segment_elems * job->elem_bytes;
    const size_t slots = ANNI_STAGING_BYTES / lane->slot_bytes;
    lane->depth = slots < ANNI_DEPTH_MAX ? (int)slots : ANNI_DEPTH_MAX;
    stream_begin(lane, false, &lane->recv);
    stream_begin(lane, true, &lane->send);
    job->state = ANNI_JOB_ACTIVE;
    job->lane = index;
    comm->n_busy++;
}

/* The lowest free lane is taken: its staging memory is most likely in cache. */
static void lanes_fill(ann_comm *comm) {
    int taken = 0;
    for (int i = 0; i < ANNI_LANES && taken < comm->n_ready; i++)
        if (!comm->lanes[i].job) lane_begin(comm, i, comm->ready[taken++]);
    if (taken == 0) return;
    comm->n_ready -= taken;
    memmove(comm->ready, comm->ready + taken, (size_t)comm->n_ready * sizeof(anni_job *));
}

void anni_job_begin(ann_comm *comm, anni_job *job) {
    int at = comm->n_ready++;
    for (; at > 0 && comm->ready[at - 1]->number > job->number; at--) comm->ready[at] = comm->ready[at - 1];
    comm->ready[at] = job;
    job->state = ANNI_JOB_READY;
    lanes_fill(comm);
}

static ann_status lane_progress(ann_comm *comm, anni_lane *lane, bool *moved) {
    bool again = true;
    while (again) {
        again = false;
        ANN_TRY(post_receives(comm, lane, &again));
        ANN_TRY(post_sends(comm, lane, &again));
        ANN_TRY(finish_receive(comm, lane, &again));
        ANN_TRY(finish_send(comm, lane, &again));
        *moved = *moved || again;
    }
    if (lane->recv.done.step < lane->steps || lane->send.done.step < lane->steps) return ANN_OK;
    lane->job->state = ANNI_JOB_DONE;
    lane->job = NULL;
    comm->n_busy--;
    *moved = true;
    return ANN_OK;
}

ann_status anni_lanes_progress(ann_comm *comm, bool *moved) {
    if (comm->n_busy == 0) return ANN_OK;
    for (int i = 0; i < ANNI_LANES; i++)
        if (comm->lanes[i].job) ANN_TRY(lane_progress(comm, &comm->lanes[i], moved));
    lanes_fill(comm);
    return ANN_OK;
}

void anni_job_awaited(const ann_comm *comm, const anni_job *job, anni_awaited *awaited) {
    if (job->state != ANNI_JOB_ACTIVE) return; /* behind an earlier one */
    const anni_lane *lane = &comm->lanes[job->lane];
    const bool receiving = lane->recv.done.step < lane->steps;
    const anni_cursor *c = receiving ? &lane->recv.done : &lane->send.done;
    awaited->step = c->step + 1;
    awaited->steps = lane->steps;
    awaited->peer = job->group->ranks[receiving ? c->at.from : c->at.to];
}
