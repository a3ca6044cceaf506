/* What is in a checkpoint as one number, whoever wrote it and in how many shards. */
#include <stdlib.h>
#include <string.h>
#include "ckpt/stream.h"

static void add_tensor(ann_hasher *hasher, const ann_tensor_info *t) {
    const int64_t words[] = {(int64_t)t->dtype, (int64_t)t->role, t->shape.rank};
    ann_hasher_update(hasher, t->name, strlen(t->name) + 1);
    ann_hasher_update(hasher, words, sizeof words);
    ann_hasher_update(hasher, t->shape.dim, sizeof t->shape.dim);
}

static ann_status add_values(ann_hasher *hasher, const ann_ckpt *ckpt, int i, char *buffer) {
    const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
    const size_t bytes = (size_t)ann_shape_elems(&t->shape) * ann_dtype_bytes(t->dtype);
    anni_stream stream;
    ann_status status = ANN_OK;
    anni_stream_begin(&stream, ckpt, i);
    for (size_t at = 0; at < bytes && status == ANN_OK;) {
        const size_t n = bytes - at < ANNI_IO_BYTES ? bytes - at : ANNI_IO_BYTES;
        status = anni_stream_read(&stream, buffer, n);
        if (status == ANN_OK) ann_hasher_update(hasher, buffer, n);
        at += n;
    }
    anni_stream_end(&stream);
    return status;
}

ann_status ann_ckpt_content(uint64_t *out, const ann_ckpt *ckpt) {
    ann_hasher hasher;
    ann_status status = ANN_OK;
    char *buffer = malloc(ANNI_IO_BYTES);
    if (!buffer) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read tensors", ann_ckpt_path(ckpt));
    const int64_t step = ann_ckpt_step(ckpt);
    ann_hasher_begin(&hasher);
    ann_hasher_update(&hasher, &step, sizeof step);
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt) && status == ANN_OK; i++) {
        add_tensor(&hasher, ann_ckpt_tensor(ckpt, i));
        status = add_values(&hasher, ckpt, i, buffer);
    }
    free(buffer);
    *out = ann_hasher_end(&hasher);
    return status;
}
