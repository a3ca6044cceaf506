/* The table through which plans reduce, and the blocking allreduce: both on requests.

   The fault slot is one more element behind the caller's: 0 from a rank that is well, 1 from one that has
   failed. It is summed like the others, element by element, so that what a failed rank has in its data cannot
   touch it. */
#include "comm/internal.h"

static ann_status channel_start(void *self, int32_t channel, void *data, int64_t elems, ann_dtype dtype,
                                bool fault, int *request) {
    ann_elem_set(data, dtype, elems, fault ? 1.0 : 0.0);
    return anni_request_start(self, channel, data, elems + 1, dtype, request);
}

static ann_status channel_progress(void *self) {
    bool moved = false;
    ANN_TRY(anni_usable(self));
    return anni_progress(self, &moved);
}

static ann_status channel_wait(void *self, int request, bool *fault) {
    const ann_comm *comm = self;
    ANN_TRY(anni_request_wait(self, request));
    const anni_request *done = &comm->requests[request]; /* freed, not yet used again */
    *fault = !(ann_elem_get(done->data, done->dtype, done->elems - 1) == 0.0);
    return ANN_OK;
}

static void channel_where(void *self, const char *text) {
    ann_comm *comm = self;
    comm->where = text;
}

const ann_channel_ops *ann_comm_channel_ops(ann_comm *comm) {
    comm->ops = (ann_channel_ops){.self = comm,
                                  .size = comm->size,
                                  .start = channel_start,
                                  .progress = channel_progress,
                                  .wait = channel_wait,
                                  .where = channel_where};
    return &comm->ops;
}

ann_status ann_comm_allreduce(ann_comm *comm, void *data, int64_t elems, ann_dtype dtype) {
    int request = 0;
    ANN_TRY(anni_request_start(comm, -1, data, elems, dtype, &request));
    return anni_request_wait(comm, request);
}
