/* act(x + bias), a row of channels at a time. */
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/simd_math.h"

typedef struct task {
    const float *x, *bias;
    float *out;
    int64_t rows, channels;
    ann_act act;
} task;

typedef float (*act_fn)(float x);

ANNI_INLINE float identity(float x) { return x; }

ANNI_INLINE void each_row(const task *t, int64_t lo, int64_t hi, act_fn act) {
    const int64_t n = t->channels;
    const float *bias = t->bias;
    for (int64_t r = lo; r < hi; r++) {
        const float *x = t->x + r * n;
        float *out = t->out + r * n;
#pragma omp simd
        for (int64_t j = 0; j < n; j++) out[j] = act(x[j] + bias[j]);
    }
}

static void part_of(const void *task_, int part, int parts) {
    const task *t = task_;
    int64_t lo, hi;
    anni_share(&lo, &hi, t->rows, 1, part, parts);
    switch (t->act) {
    case ANN_ACT_NONE: each_row(t, lo, hi, identity); break;
    case ANN_ACT_RELU: each_row(t, lo, hi, anni_relu); break;
    case ANN_ACT_SIGMOID: each_row(t, lo, hi, anni_sigmoid); break;
    case ANN_ACT_TANH: each_row(t, lo, hi, anni_tanh); break;
    }
}

static ann_status bias_act(const ann_kernel_call *call) {
    const int64_t elems = ann_shape_elems(&call->out_shape), channels = ann_shape_elems(&call->in_shape[1]);
    if (elems == 0) return ANN_OK;
    const task t = {.x = call->in[0],
                    .bias = call->in[1],
                    .out = call->out,
                    .rows = elems / channels,
                    .channels = channels,
                    .act = call->attrs->bias_act.act};
    anni_parallel(anni_parts(call->threads, elems * 8), part_of, &t);
    return ANN_OK;
}

static bool accepts(const ann_kernel_call *call) {
    return anni_simd_here() && call->in_dtype[0] == ANN_F32 && call->in_dtype[1] == ANN_F32;
}

const ann_kernel ANNI_SIMD(anni_kernel_bias_act) = {
    .name = ANNI_SIMD_NAME("bias_act."), .accepts = accepts, .run = bias_act};
