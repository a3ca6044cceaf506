/* Sums over neighbouring axes: the tensor is [outer, terms, inner] and the middle is summed. Short runs are
   summed in float, many lanes side by side, and the runs in double. */
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/simd.h"

enum { RUN = 1024, RUN_ROWS = 64 };

typedef struct extents {
    int64_t outer, terms, inner;
} extents;

/* False if the reduced axes are not neighbours (axes of extent 1 do not count), or there are none. */
static bool extents_of(extents *e, const ann_kernel_call *call) {
    const ann_shape *s = &call->in_shape[0];
    *e = (extents){1, 1, 1};
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] == 1) continue;
        const bool reduced = call->attrs->reduce.axes >> i & 1;
        if (reduced && e->inner > 1) return false;
        if (reduced) e->terms *= s->dim[i];
        else if (e->terms > 1) e->inner *= s->dim[i];
        else e->outer *= s->dim[i];
    }
    return e->terms > 1;
}

typedef struct task {
    const float *x;
    float *out;
    extents e;
    double *sums;   /* [parts][inner] */
    float *runs;    /* [parts][inner] */
    bool cut_terms; /* parts share the terms of one output row; otherwise each has output rows of its own */
} task;

/* ---- inner == 1: sums of neighbours ---- */

static double sum_run(const float *x, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i += RUN) {
        const int64_t end = i + RUN < n ? i + RUN : n;
        float run = 0.0f;
#pragma omp simd reduction(+ : run)
        for (int64_t j = i; j < end; j++) run += x[j];
        sum += (double)run;
    }
    return sum;
}

/* ---- inner > 1: sums of rows ---- */

/* run[j] = sum of x[r][j] over rows [lo, hi), hi - lo <= RUN_ROWS. */
static void add_rows(float *restrict run, const float *restrict x, int64_t rows, int64_t n) {
    memset(run, 0, (size_t)n * sizeof *run);
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const float *restrict x0 = x + r * n, *restrict x1 = x0 + n, *restrict x2 = x1 + n,
                              *restrict x3 = x2 + n;
        for (int64_t j = 0; j < n; j++) run[j] += (x0[j] + x1[j]) + (x2[j] + x3[j]);
    }
    for (; r < rows; r++)
        for (int64_t j = 0; j < n; j++) run[j] += x[r * n + j];
}

static void sum_rows(double *restrict sum, float *restrict run, const float *x, int64_t rows, int64_t n) {
    for (int64_t j = 0; j < n; j++) sum[j] = 0.0;
    for (int64_t r = 0; r < rows; r += RUN_ROWS) {
        add_rows(run, x + r * n, r + RUN_ROWS < rows ? RUN_ROWS : rows - r, n);
        for (int64_t j = 0; j < n; j++) sum[j] += (double)run[j];
    }
}

/* ---- the kernel ---- */

static void sum_terms(const task *t, int part, const float *x, int64_t terms) {
    double *sum = t->sums + part * t->e.inner;
    if (t->e.inner == 1) *sum = sum_run(x, terms);
    else sum_rows(sum, t->runs + part * t->e.inner, x, terms, t->e.inner);
}

static void part_of(const void *task_, int part, int parts) {
    const task *t = task_;
    const int64_t inner = t->e.inner, row = t->e.terms * inner;
    int64_t lo, hi;
    anni_share(&lo, &hi, t->cut_terms ? t->e.terms : t->e.outer, 1, part, parts);
    if (t->cut_terms) {
        sum_terms(t, part, t->x + lo * inner, hi - lo);
        return;
    }
    for (int64_t o = lo; o < hi; o++) {
        sum_terms(t, part, t->x + o * row, t->e.terms);
        for (int64_t j = 0; j < inner; j++) t->out[o * inner + j] = (float)t->sums[part * inner + j];
    }
}

static ann_status reduce_sum(const ann_kernel_call *call) {
    task t = {.x = call->in[0], .out = call->out, .sums = call->scratch};
    extents_of(&t.e, call);
    t.runs = (float *)(t.sums + call->threads * t.e.inner);
    t.cut_terms = t.e.outer == 1;
    const int parts = anni_parts(call->threads, t.e.outer * t.e.terms * t.e.inner * 4);
    anni_parallel(parts, part_of, &t);
    if (!t.cut_terms) return ANN_OK;
    for (int64_t j = 0; j < t.e.inner; j++) {
        double sum = 0.0;
        for (int part = 0; part < parts; part++) sum += t.sums[part * t.e.inner + j];
        t.out[j] = (float)sum;
    }
    return ANN_OK;
}

static size_t scratch_bytes(const ann_kernel_call *call) {
    extents e;
    extents_of(&e, call);
    return (size_t)(call->threads * e.inner) * (sizeof(double) + sizeof(float));
}

static bool accepts(const ann_kernel_call *call) {
    extents e;
    return anni_simd_here() && ann_shape_elems(&call->in_shape[0]) > 0 && extents_of(&e, call);
}

const ann_kernel ANNI_SIMD(anni_kernel_reduce_sum) = {.name = ANNI_SIMD_NAME("reduce_sum."),
                                                      .accepts = accepts,
                                                      .scratch_bytes = scratch_bytes,
                                                      .run = reduce_sum};
