/* What is in a checkpoint as one number, whoever wrote it and in how many shards: a hash over its step and,
   tensor by tensor, its description and the hash of its values. */
#include <stdlib.h>
#include <string.h>
#include "ckpt/stream.h"

static ann_status hash_values(uint64_t *out, const ann_ckpt *ckpt, int i, char *buffer) {
    const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
    const size_t bytes = (size_t)ann_shape_elems(&t->shape) * ann_dtype_bytes(t->dtype);
    anni_stream stream;
    ann_hasher hasher;
    ann_status status = ANN_OK;
    ann_hasher_begin(&hasher);
    anni_stream_begin(&stream, ckpt, i);
    for (size_t at = 0; at < bytes && status == ANN_OK;) {
        const size_t n = bytes - at < ANNI_IO_BYTES ? bytes - at : ANNI_IO_BYTES;
        status = anni_stream_read(&stream, buffer, n);
        if (status == ANN_OK) ann_hasher_update(&hasher, buffer, n);
        at += n;
    }
    anni_stream_end(&stream);
    *out = ann_hasher_end(&hasher);
    return status;
}

/* Of the tensors first, first + stride, ... */
static ann_status hash_some(uint64_t *hashes, const ann_ckpt *ckpt, int first, int stride) {
    char *buffer = hashes ? malloc(ANNI_IO_BYTES) : NULL;
    if (!buffer) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read tensors", ann_ckpt_path(ckpt));
    ann_status status = ANN_OK;
    for (int i = first; i < ann_ckpt_tensor_count(ckpt) && status == ANN_OK; i += stride)
        status = hash_values(&hashes[i], ckpt, i, buffer);
    free(buffer);
    return status;
}

/* Each hash is one rank's and 0 on the others: this gathers. */
static ann_status share_hashes(ann_comm *comm, uint64_t *hashes, const ann_ckpt *ckpt) {
    ANN_TRY(ann_agree(comm, hash_some(hashes, ckpt, ann_comm_rank(comm), ann_comm_size(comm))));
    return ann_comm_allreduce(comm, hashes, ann_ckpt_tensor_count(ckpt), ANN_I64);
}

static uint64_t combine(const ann_ckpt *ckpt, const uint64_t *hashes) {
    const int64_t step = ann_ckpt_step(ckpt);
    ann_hasher hasher;
    ann_hasher_begin(&hasher);
    ann_hasher_update(&hasher, &step, sizeof step);
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) {
        const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
        const int64_t words[] = {(int64_t)t->dtype, (int64_t)t->role, t->shape.rank, (int64_t)hashes[i]};
        ann_hasher_update(&hasher, t->name, strlen(t->name) + 1);
        ann_hasher_update(&hasher, t->shape.dim, sizeof t->shape.dim);
        ann_hasher_update(&hasher, words, sizeof words);
    }
    return ann_hasher_end(&hasher);
}

ann_status ann_ckpt_content(ann_comm *comm, uint64_t *out, const ann_ckpt *ckpt) {
    uint64_t *hashes = calloc((size_t)ann_ckpt_tensor_count(ckpt) + 1, sizeof *hashes);
    const ann_status status = comm ? share_hashes(comm, hashes, ckpt) : hash_some(hashes, ckpt, 0, 1);
    if (status == ANN_OK) *out = combine(ckpt, hashes);
    free(hashes);
    return status;
}
