/* permute and bcast of 4-byte elements: rows that lie together are copied whole, transpositions go block by
   block so that both sides stay in cache. */
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/parallel.h"

enum { BLOCK = 16 }; /* 16 elements are a cache line */

/* out[i0, i1, ...] = in[sum of i * stride], out row-major. */
typedef struct move {
    int rank;
    int64_t dim[ANN_MAX_RANK], stride[ANN_MAX_RANK];
    int64_t out_stride[ANN_MAX_RANK];
    int near; /* the axis with stride 1, if it is not the last; else -1 */
    const uint32_t *in;
    uint32_t *out;
} move;

/* ---- simplifying the axes ---- */

static void add_axis(move *m, int64_t dim, int64_t stride) {
    if (dim == 1) return;
    const int last = m->rank - 1;
    if (last >= 0 && m->stride[last] == dim * stride) {
        m->dim[last] *= dim;
        m->stride[last] = stride;
        return;
    }
    m->dim[m->rank] = dim;
    m->stride[m->rank++] = stride;
}

static void finish(move *m) {
    if (m->rank == 0) { /* one element */
        m->rank = 1;
        m->dim[0] = m->stride[0] = 1;
    }
    int64_t step = 1;
    for (int i = m->rank - 1; i >= 0; i--) {
        m->out_stride[i] = step;
        step *= m->dim[i];
    }
    m->near = -1;
    for (int i = 0; i + 1 < m->rank; i++)
        if (m->stride[i] == 1 && m->stride[m->rank - 1] > 1) m->near = i;
}

/* ---- copying ---- */

/* Where unit `unit` of the work starts. A unit is one position on all axes but the last, and of the near axis
 * a block. */
static void locate(const move *m, int64_t unit, int64_t *in_at, int64_t *out_at, int64_t *near_at) {
    *in_at = *out_at = *near_at = 0;
    for (int i = m->rank - 2; i >= 0; i--) {
        const int64_t n = i == m->near ? (m->dim[i] + BLOCK - 1) / BLOCK : m->dim[i];
        const int64_t at = unit % n * (i == m->near ? BLOCK : 1);
        unit /= n;
        *in_at += at * m->stride[i];
        *out_at += at * m->out_stride[i];
        if (i == m->near) *near_at = at;
    }
}

static int64_t count_units(const move *m) {
    int64_t units = 1;
    for (int i = 0; i + 1 < m->rank; i++) units *= i == m->near ? (m->dim[i] + BLOCK - 1) / BLOCK : m->dim[i];
    return units;
}

static void copy_row(const move *m, uint32_t *out, const uint32_t *in) {
    const int64_t n = m->dim[m->rank - 1], stride = m->stride[m->rank - 1];
    if (stride == 1) {
        memcpy(out, in, (size_t)n * sizeof *out);
        return;
    }
    for (int64_t j = 0; j < n; j++) out[j] = in[j * stride];
}

static void copy_block(const move *m, uint32_t *out, const uint32_t *in, int64_t rows) {
    const int64_t n = m->dim[m->rank - 1], stride = m->stride[m->rank - 1], step = m->out_stride[m->near];
    for (int64_t j0 = 0; j0 < n; j0 += BLOCK) {
        const int64_t j1 = j0 + BLOCK < n ? j0 + BLOCK : n;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = j0; j < j1; j++) out[i * step + j] = in[i + j * stride];
    }
}

static void move_part(const void *move_, int part, int parts) {
    const move *m = move_;
    int64_t lo, hi, in_at, out_at, near_at;
    anni_share(&lo, &hi, count_units(m), 1, part, parts);
    for (int64_t unit = lo; unit < hi; unit++) {
        locate(m, unit, &in_at, &out_at, &near_at);
        if (m->near < 0) copy_row(m, m->out + out_at, m->in + in_at);
        else {
            const int64_t left = m->dim[m->near] - near_at;
            copy_block(m, m->out + out_at, m->in + in_at, left < BLOCK ? left : BLOCK);
        }
    }
}

/* ---- kernels ---- */

static ann_status run(move *m, const ann_kernel_call *call) {
    const int64_t elems = ann_shape_elems(&call->out_shape);
    if (elems == 0) return ANN_OK;
    m->in = call->in[0];
    m->out = call->out;
    finish(m);
    anni_parallel(anni_parts(call->threads, elems * 8), move_part, m);
    return ANN_OK;
}

static ann_status permute(const ann_kernel_call *call) {
    move m = {0};
    int64_t stride[ANN_MAX_RANK];
    ann_shape_strides(stride, &call->in_shape[0]);
    for (int i = 0; i < call->out_shape.rank; i++)
        add_axis(&m, call->out_shape.dim[i], stride[call->attrs->permute.perm[i]]);
    return run(&m, call);
}

/* As in NumPy: axes are aligned at the last; an axis that is missing or has extent 1 repeats. */
static ann_status bcast(const ann_kernel_call *call) {
    move m = {0};
    const ann_shape *in = &call->in_shape[0];
    const int missing = call->out_shape.rank - in->rank;
    int64_t stride[ANN_MAX_RANK];
    ann_shape_strides(stride, in);
    for (int i = 0; i < call->out_shape.rank; i++)
        add_axis(&m, call->out_shape.dim[i],
                 i < missing || in->dim[i - missing] == 1 ? 0 : stride[i - missing]);
    return run(&m, call);
}

static bool accepts(const ann_kernel_call *call) {
    return ann_dtype_bytes(call->out_dtype) == sizeof(uint32_t);
}

const ann_kernel anni_kernel_permute_blocks = {.name = "permute.blocks", .accepts = accepts, .run = permute};
const ann_kernel anni_kernel_bcast_rows = {.name = "bcast.rows", .accepts = accepts, .run = bcast};
