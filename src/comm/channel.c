/* The table through which plans communicate, and the blocking collectives: both on requests.

   The slots are ordinary elements behind the caller's: 0 from a rank that is well, 1 from one that is not.
   They are summed like the others, element by element, so that what a failed rank has in its data cannot
   touch them. */
#include "comm/internal.h"

enum { SLOT_FAILED, SLOT_NONFINITE };

static int64_t slots_of(const ann_message *message) {
    return message->collective == ANN_COLLECTIVE_ALLREDUCE ? ANN_MESSAGE_SLOTS : 0;
}

static ann_status channel_start(void *self, const ann_message *message, ann_outcome mine, int *request) {
    ann_message sent = *message;
    sent.elems += slots_of(message);
    if (slots_of(message)) {
        ann_elem_set(sent.data, sent.dtype, message->elems + SLOT_FAILED, mine.failed ? 1.0 : 0.0);
        ann_elem_set(sent.data, sent.dtype, message->elems + SLOT_NONFINITE, mine.nonfinite ? 1.0 : 0.0);
    }
    return anni_request_start(self, &sent, request);
}

static ann_status channel_progress(void *self) {
    bool moved = false;
    ANN_TRY(anni_usable(self));
    return anni_progress(self, &moved);
}

static ann_status channel_wait(void *self, int request, ann_outcome *all) {
    const ann_comm *comm = self;
    *all = (ann_outcome){false, false};
    ANN_TRY(anni_request_wait(self, request));
    const ann_message *done = &comm->requests[request]->message; /* freed, not yet used again */
    if (!slots_of(done)) return ANN_OK;
    const int64_t slots = done->elems - ANN_MESSAGE_SLOTS;
    all->failed = !(ann_elem_get(done->data, done->dtype, slots + SLOT_FAILED) == 0.0);
    all->nonfinite = !(ann_elem_get(done->data, done->dtype, slots + SLOT_NONFINITE) == 0.0);
    return ANN_OK;
}

static int64_t channel_done_ns(void *self, int request) {
    const ann_comm *comm = self;
    return comm->requests[request]->done_ns; /* as above */
}

static void channel_away(void *self) { anni_background_away(self); }
static void channel_back(void *self) { anni_background_back(self); }

const ann_channel_ops *ann_comm_channel_ops(ann_comm *comm) {
    comm->ops = (ann_channel_ops){.self = comm,
                                  .rank = comm->rank,
                                  .size = comm->size,
                                  .start = channel_start,
                                  .progress = channel_progress,
                                  .wait = channel_wait,
                                  .done_ns = channel_done_ns,
                                  .away = channel_away,
                                  .back = channel_back};
    return &comm->ops;
}

static ann_status blocking(ann_comm *comm, ann_collective collective, void *data, int64_t elems,
                           ann_dtype dtype) {
    const ann_message message = {
        .collective = collective, .channel = -1, .data = data, .elems = elems, .dtype = dtype};
    int request = 0;
    ANN_TRY(anni_request_start(comm, &message, &request));
    return anni_request_wait(comm, request);
}

ann_status ann_comm_allreduce(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) {
    return blocking(comm, ANN_COLLECTIVE_ALLREDUCE, data, elems, dtype);
}

ann_status ann_comm_reduce_scatter(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) {
    return blocking(comm, ANN_COLLECTIVE_REDUCE_SCATTER, data, elems, dtype);
}

ann_status ann_comm_gather_chunks(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) {
    return blocking(comm, ANN_COLLECTIVE_ALLGATHER, data, elems, dtype);
}
