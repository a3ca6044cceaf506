/* Kernels that move elements and compute nothing: copy, assign, permute, bcast, slice, pad, concat, pack; for
 * every dtype. */
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/ref.h"

/* One side of a copy: strides in elements (0 repeats), base at the first element. */
typedef struct side {
    char *base;
    int64_t stride[ANN_MAX_RANK];
} side;

/* Copies a box of dim[0..rank) elements from src to dst; rows whose elements lie together on both sides in
 * one piece. */
static void copy_box(const side *dst, const side *src, const int64_t dim[ANN_MAX_RANK], int rank,
                     size_t elem_bytes) {
    for (int i = 0; i < rank; i++)
        if (dim[i] == 0) return;
    if (rank == 0) {
        memmove(dst->base, src->base, elem_bytes);
        return;
    }
    const int last = rank - 1;
    const int64_t ds = dst->stride[last], ss = src->stride[last], n = dim[last];
    int64_t index[ANN_MAX_RANK] = {0};
    do {
        char *d = dst->base + (size_t)anni_offset(index, dst->stride, last) * elem_bytes;
        const char *s = src->base + (size_t)anni_offset(index, src->stride, last) * elem_bytes;
        if (ds == 1 && ss == 1) memmove(d, s, (size_t)n * elem_bytes);
        else
            for (int64_t i = 0; i < n; i++)
                memcpy(d + (size_t)(i * ds) * elem_bytes, s + (size_t)(i * ss) * elem_bytes, elem_bytes);
    } while (anni_next_index(index, dim, last));
}

static side side_of(const void *data, const ann_shape *shape) {
    side s = {.base = (char *)(uintptr_t)data};
    ann_shape_strides(s.stride, shape);
    return s;
}

static void move_base(side *s, const int64_t at[ANN_MAX_RANK], int rank, size_t elem_bytes) {
    s->base += (size_t)anni_offset(at, s->stride, rank) * elem_bytes;
}

static ann_status copy(const ann_kernel_call *call) {
    const size_t bytes = (size_t)ann_shape_elems(&call->out_shape) * ann_dtype_bytes(call->out_dtype);
    if (bytes > 0 && call->out != call->in[0]) memmove(call->out, call->in[0], bytes);
    return ANN_OK;
}

/* inputs (target, value): the executor points out at the target's memory. */
static ann_status assign(const ann_kernel_call *call) {
    const size_t bytes = (size_t)ann_shape_elems(&call->out_shape) * ann_dtype_bytes(call->out_dtype);
    if (bytes > 0 && call->out != call->in[1]) memmove(call->out, call->in[1], bytes);
    return ANN_OK;
}

static ann_status permute(const ann_kernel_call *call) {
    const int rank = call->out_shape.rank;
    const side in = side_of(call->in[0], &call->in_shape[0]), out = side_of(call->out, &call->out_shape);
    side src = in;
    for (int i = 0; i < rank; i++) src.stride[i] = in.stride[call->attrs->permute.perm[i]];
    copy_box(&out, &src, call->out_shape.dim, rank, ann_dtype_bytes(call->out_dtype));
    return ANN_OK;
}

/* As in NumPy: axes are aligned at the last; an axis that is missing or has extent 1 repeats. */
static ann_status bcast(const ann_kernel_call *call) {
    const ann_shape *shape = &call->in_shape[0];
    const int rank = call->out_shape.rank, missing = rank - shape->rank;
    const side in = side_of(call->in[0], shape), out = side_of(call->out, &call->out_shape);
    side src = {.base = in.base};
    for (int i = missing; i < rank; i++)
        src.stride[i] = shape->dim[i - missing] == 1 ? 0 : in.stride[i - missing];
    copy_box(&out, &src, call->out_shape.dim, rank, ann_dtype_bytes(call->out_dtype));
    return ANN_OK;
}

static ann_status slice(const ann_kernel_call *call) {
    const int rank = call->out_shape.rank;
    const size_t elem_bytes = ann_dtype_bytes(call->out_dtype);
    const side out = side_of(call->out, &call->out_shape);
    side src = side_of(call->in[0], &call->in_shape[0]);
    move_base(&src, call->attrs->range.lo, rank, elem_bytes);
    copy_box(&out, &src, call->out_shape.dim, rank, elem_bytes);
    return ANN_OK;
}

static void zero_out(const ann_kernel_call *call) {
    const size_t bytes = (size_t)ann_shape_elems(&call->out_shape) * ann_dtype_bytes(call->out_dtype);
    if (bytes > 0) memset(call->out, 0, bytes);
}

static ann_status pad(const ann_kernel_call *call) {
    const int rank = call->out_shape.rank;
    const size_t elem_bytes = ann_dtype_bytes(call->out_dtype);
    const side in = side_of(call->in[0], &call->in_shape[0]);
    side dst = side_of(call->out, &call->out_shape);
    zero_out(call);
    move_base(&dst, call->attrs->range.lo, rank, elem_bytes);
    copy_box(&dst, &in, call->in_shape[0].dim, rank, elem_bytes);
    return ANN_OK;
}

static ann_status concat(const ann_kernel_call *call) {
    const int rank = call->out_shape.rank, axis = call->attrs->axis.axis;
    const size_t elem_bytes = ann_dtype_bytes(call->out_dtype);
    int64_t at[ANN_MAX_RANK] = {0};
    for (int k = 0; k < call->n_in; k++) {
        const side in = side_of(call->in[k], &call->in_shape[k]);
        side dst = side_of(call->out, &call->out_shape);
        move_base(&dst, at, rank, elem_bytes);
        copy_box(&dst, &in, call->in_shape[k].dim, rank, elem_bytes);
        at[axis] += call->in_shape[k].dim[axis];
    }
    return ANN_OK;
}

static ann_status pack(const ann_kernel_call *call) {
    const size_t elem_bytes = ann_dtype_bytes(call->out_dtype);
    zero_out(call);
    for (int k = 0; k < call->n_in; k++) {
        const size_t bytes = (size_t)ann_shape_elems(&call->in_shape[k]) * elem_bytes;
        char *to = (char *)call->out + (size_t)call->attrs->pack.offsets[k] * elem_bytes;
        if (bytes > 0) memcpy(to, call->in[k], bytes);
    }
    return ANN_OK;
}

const ann_kernel anni_kernel_copy_ref = {.name = "copy.ref", .run = copy};
const ann_kernel anni_kernel_assign_ref = {.name = "assign.ref", .run = assign};
const ann_kernel anni_kernel_permute_ref = {.name = "permute.ref", .run = permute};
const ann_kernel anni_kernel_bcast_ref = {.name = "bcast.ref", .run = bcast};
const ann_kernel anni_kernel_slice_ref = {.name = "slice.ref", .run = slice};
const ann_kernel anni_kernel_pad_ref = {.name = "pad.ref", .run = pad};
const ann_kernel anni_kernel_concat_ref = {.name = "concat.ref", .run = concat};
const ann_kernel anni_kernel_pack_ref = {.name = "pack.ref", .run = pack};
