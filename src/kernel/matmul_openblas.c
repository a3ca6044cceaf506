/* Matrix products by OpenBLAS, which runs single-threaded: the split over threads is ours. */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/matmul_shape.h"
#include "kernel/parallel.h"

typedef struct task {
    const ann_kernel_call *call;
    anni_matmul_shape shape;
} task;

/* Rows [m_lo, m_hi) and columns [n_lo, n_hi) of product b. */
static void block(const task *t, int64_t b, int64_t m_lo, int64_t m_hi, int64_t n_lo, int64_t n_hi) {
    const anni_matmul_shape *s = &t->shape;
    if (m_hi <= m_lo || n_hi <= n_lo) return;
    const CBLAS_TRANSPOSE ta = s->trans_a ? CblasTrans : CblasNoTrans,
                          tb = s->trans_b ? CblasTrans : CblasNoTrans;
    const int m = (int)(m_hi - m_lo), n = (int)(n_hi - n_lo), k = (int)s->k;
    const int lda = (int)s->lda, ldb = (int)s->ldb, ldc = (int)s->n;
    const int64_t a_at = s->a_at + b * s->m * s->k + (s->trans_a ? m_lo : m_lo * s->k);
    const int64_t b_at = b * s->k * s->n + (s->trans_b ? n_lo * s->k : n_lo);
    const int64_t c_at = (b * s->m + m_lo) * s->n + n_lo;
    if (t->call->out_dtype == ANN_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, (const float *)t->call->in[0] + a_at, lda,
                    (const float *)t->call->in[1] + b_at, ldb, 0.0f, (float *)t->call->out + c_at, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, (const double *)t->call->in[0] + a_at, lda,
                    (const double *)t->call->in[1] + b_at, ldb, 0.0, (double *)t->call->out + c_at, ldc);
}

static void split_batch(const void *task_, int part, int parts) {
    const task *t = task_;
    int64_t lo, hi;
    anni_share(&lo, &hi, t->shape.batch, 1, part, parts);
    for (int64_t b = lo; b < hi; b++) block(t, b, 0, t->shape.m, 0, t->shape.n);
}

/* Each part packs all of the operand that is not split: the longer side of the result is cut. */
static void split_matrix(const void *task_, int part, int parts) {
    const task *t = task_;
    int64_t lo, hi;
    const bool cut_n = t->shape.n >= t->shape.m;
    anni_share(&lo, &hi, cut_n ? t->shape.n : t->shape.m, 16, part, parts);
    for (int64_t b = 0; b < t->shape.batch; b++) {
        if (cut_n) block(t, b, 0, t->shape.m, lo, hi);
        else block(t, b, lo, hi, 0, t->shape.n);
    }
}

static ann_status matmul(const ann_kernel_call *call) {
    const task t = {.call = call, .shape = anni_matmul_shape_of(call)};
    const anni_matmul_shape *s = &t.shape;
    const int64_t elems = ann_shape_elems(&call->out_shape);
    if (elems == 0) return ANN_OK;
    if (s->k == 0) {
        memset(call->out, 0, (size_t)elems * ann_dtype_bytes(call->out_dtype));
        return ANN_OK;
    }
    /* 1 MFLOP takes about 10 us on one core, a few times what it costs to start the others. */
    const int parts = 2 * elems * s->k < 1000000 ? 1 : call->threads;
    anni_parallel(parts, s->batch >= parts && s->batch > 1 ? split_batch : split_matrix, &t);
    return ANN_OK;
}

static bool matmul_accepts(const ann_kernel_call *call) {
    const anni_matmul_shape s = anni_matmul_shape_of(call);
    return s.m <= INT_MAX && s.n <= INT_MAX && s.k <= INT_MAX;
}

const ann_kernel anni_kernel_matmul_openblas = {
    .name = "matmul.openblas", .accepts = matmul_accepts, .run = matmul};
