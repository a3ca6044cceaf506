/* Our own checkpoints, as one more format. */
#include <string.h>
#include "ckpt/foreign_formats.h"
#include "ckpt/tools.h"

static anni_number number_of(ann_dtype dtype) {
    switch (dtype) {
    case ANN_F32: return ANNI_F32;
    case ANN_F64: return ANNI_F64;
    case ANN_I32: return ANNI_I32;
    case ANN_I64: return ANNI_I64;
    case ANN_U8: return ANNI_U8;
    case ANN_DTYPE_COUNT: break;
    }
    return ANNI_NUMBER_COUNT;
}

static ann_status list_tensors(ann_foreign *f) {
    char path[ANN_CKPT_PATH_BYTES];
    int64_t elems;
    ANN_TRY(ann_ckpt_resolve(path, f->path));
    ANN_TRY(ann_ckpt_peek(&f->ckpt, path));
    for (int i = 0; i < ann_ckpt_tensor_count(f->ckpt); i++) {
        const ann_tensor_info *t = ann_ckpt_tensor(f->ckpt, i);
        anni_foreign_entry *entry;
        ANN_TRY(anni_foreign_add(&entry, f, t->name));
        ANN_TRY(anni_foreign_describe(&elems, f, entry, number_of(t->dtype), t->shape.dim, t->shape.rank));
    }
    return ANN_OK;
}

static ann_status whole(void *from, void *out, size_t bytes) {
    memcpy(out, *(const char **)from, bytes);
    *(const char **)from += bytes;
    return ANN_OK;
}

/* The piece's checksum is compared over the whole tensor, so it is read whole. */
static ann_status read_tensor(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                              void *out) {
    if (number_of(to) == entry->number) return ann_ckpt_read(f->ckpt, entry->info.name, out);
    const size_t bytes = (size_t)ann_shape_elems(&entry->info.shape) * anni_number_bytes(entry->number);
    void *values;
    ANN_TRY(ann_mem_alloc(&values, bytes));
    const char *at = values;
    ann_status status = ann_ckpt_read(f->ckpt, entry->info.name, values);
    if (status == ANN_OK) status = anni_foreign_convert(f, entry, to, out, whole, &at);
    ann_mem_free(values, bytes);
    return status;
}

static void close_checkpoint(ann_foreign *f) { ann_ckpt_close(f->ckpt); }

const anni_format anni_format_checkpoint = {"checkpoint", list_tensors, read_tensor, close_checkpoint};
