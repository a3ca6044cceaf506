#include "comm/sparse.h"

#include <string.h>
#include "base/mem.h"
#include "tensor/chunk.h"

/* A block of words: how many pairs, then the pairs. The slots behind the message always travel. */
static int64_t words_per_rank(const ann_message *message) {
    return (int64_t)ann_align_up((size_t)message->most + ANN_MESSAGE_SLOTS + 1, 16);
}

static uint64_t pair_of(int64_t index, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint64_t)index << 32 | bits;
}

static int64_t encode(uint64_t *pairs, const float *data, const ann_message *message) {
    const int64_t elems = message->elems - ANN_MESSAGE_SLOTS;
    int64_t n = 0;
    for (int64_t i = 0; i < elems && n < message->most; i++)
        if (!(data[i] == 0)) pairs[n++] = pair_of(i, data[i]);
    for (int64_t i = elems; i < message->elems; i++) pairs[n++] = pair_of(i, data[i]);
    return n;
}

/* A request keeps its memory: only the first steps allocate. */
static ann_status make_room(anni_request *request, size_t bytes) {
    if (request->scratch_bytes >= bytes) return ANN_OK;
    ann_mem_free(request->scratch, request->scratch_bytes);
    request->scratch = NULL;
    request->scratch_bytes = 0;
    ANN_TRY(ann_mem_alloc(&request->scratch, bytes));
    request->scratch_bytes = bytes;
    return ANN_OK;
}

ann_status anni_sparse_encode(const ann_comm *comm, anni_request *request) {
    const ann_message *message = &request->message;
    if (message->dtype != ANN_F32 || message->elems > UINT32_MAX)
        return ann_error(ANN_ERR_DTYPE, "sparse messages are f32, of at most 2^32 elements");
    const int64_t each = words_per_rank(message), words = each * comm->size;
    ANN_TRY(make_room(request, (size_t)words * sizeof(uint64_t)));
    uint64_t *mine = (uint64_t *)request->scratch + each * comm->rank;
    mine[0] = (uint64_t)encode(mine + 1, message->data, message);
    request->collective = ANN_COLLECTIVE_ALLGATHER;
    request->data = request->scratch;
    request->elems = words;
    request->dtype = ANN_I64;
    return ANN_OK;
}

static ann_status add_pairs(float *data, int64_t elems, const uint64_t *block, int64_t room) {
    if (block[0] >= (uint64_t)room) return ann_error(ANN_ERR_COMM, "a sparse message has too many pairs");
    for (uint64_t i = 1; i <= block[0]; i++) {
        const int64_t index = (int64_t)(block[i] >> 32);
        const uint32_t bits = (uint32_t)block[i];
        float value;
        if (index >= elems)
            return ann_error(ANN_ERR_COMM, "a sparse message has no element %lld", (long long)index);
        memcpy(&value, &bits, sizeof value);
        data[index] += value;
    }
    return ANN_OK;
}

ann_status anni_sparse_decode(const ann_comm *comm, anni_request *request) {
    const ann_message *message = &request->message;
    const int64_t each = words_per_rank(message);
    ann_status status = ANN_OK;
    memset(message->data, 0, (size_t)message->elems * sizeof(float));
    for (int r = 0; r < comm->size && status == ANN_OK; r++)
        status =
            add_pairs(message->data, message->elems, (const uint64_t *)request->scratch + each * r, each);
    return status;
}
