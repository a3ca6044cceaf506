/* The softmax family over the last axis, a row at a time. */
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/ref.h"
#include "kernel/simd_math.h"

enum { LANES = 16 };

static float row_max(const float *x, int64_t n) {
    float lane[LANES], top = -INFINITY;
    for (int i = 0; i < LANES; i++) lane[i] = -INFINITY;
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int i = 0; i < LANES; i++) lane[i] = x[j + i] > lane[i] ? x[j + i] : lane[i];
    for (; j < n; j++) top = x[j] > top ? x[j] : top;
    for (int i = 0; i < LANES; i++) top = lane[i] > top ? lane[i] : top;
    return top;
}

/* Sum of exp(x - top); a NaN anywhere makes it NaN. */
static float row_sum_exp(const float *x, int64_t n, float top) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) sum += anni_exp(x[j] - top);
    return sum;
}

static void softmax_part(const void *call_, int part, int parts) {
    const ann_kernel_call *call = call_;
    const int64_t n = anni_last(&call->out_shape);
    int64_t lo, hi;
    anni_share(&lo, &hi, anni_rows(&call->out_shape), 1, part, parts);
    for (int64_t r = lo; r < hi; r++) {
        const float *x = (const float *)call->in[0] + r * n;
        float *out = (float *)call->out + r * n;
        const float top = row_max(x, n);
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < n; j++) {
            out[j] = anni_exp(x[j] - top);
            sum += out[j];
        }
        for (int64_t j = 0; j < n; j++) out[j] /= sum;
    }
}

static void log_softmax_part(const void *call_, int part, int parts) {
    const ann_kernel_call *call = call_;
    const int64_t n = anni_last(&call->out_shape);
    int64_t lo, hi;
    anni_share(&lo, &hi, anni_rows(&call->out_shape), 1, part, parts);
    for (int64_t r = lo; r < hi; r++) {
        const float *x = (const float *)call->in[0] + r * n;
        float *out = (float *)call->out + r * n;
        const float top = row_max(x, n), log_sum = logf(row_sum_exp(x, n, top));
#pragma omp simd
        for (int64_t j = 0; j < n; j++) out[j] = (x[j] - top) - log_sum;
    }
}

/* A label outside [0, K) has no target: its loss is 0. */
static void cross_entropy_part(const void *call_, int part, int parts) {
    const ann_kernel_call *call = call_;
    const int32_t *label = call->in[1];
    const int64_t n = anni_last(&call->in_shape[0]);
    int64_t lo, hi;
    anni_share(&lo, &hi, anni_rows(&call->in_shape[0]), 1, part, parts);
    for (int64_t r = lo; r < hi; r++) {
        const float *x = (const float *)call->in[0] + r * n;
        const bool valid = label[r] >= 0 && label[r] < n;
        const float top = row_max(x, n);
        ((float *)call->out)[r] = valid ? logf(row_sum_exp(x, n, top)) - (x[label[r]] - top) : 0.0f;
    }
}

/* An exponential costs as much as moving some tens of bytes. */
static int parts_for(const ann_kernel_call *call) {
    return anni_parts(call->threads, ann_shape_elems(&call->in_shape[0]) * 32);
}
static ann_status softmax(const ann_kernel_call *call) {
    anni_parallel(parts_for(call), softmax_part, call);
    return ANN_OK;
}
static ann_status log_softmax(const ann_kernel_call *call) {
    anni_parallel(parts_for(call), log_softmax_part, call);
    return ANN_OK;
}
static ann_status cross_entropy(const ann_kernel_call *call) {
    anni_parallel(parts_for(call), cross_entropy_part, call);
    return ANN_OK;
}

static bool accepts(const ann_kernel_call *call) { return anni_simd_here() && call->in_dtype[0] == ANN_F32; }

const ann_kernel ANNI_SIMD(anni_kernel_softmax) = {
    .name = ANNI_SIMD_NAME("softmax."), .accepts = accepts, .run = softmax};
const ann_kernel ANNI_SIMD(anni_kernel_log_softmax) = {
    .name = ANNI_SIMD_NAME("log_softmax."), .accepts = accepts, .run = log_softmax};
const ann_kernel ANNI_SIMD(anni_kernel_cross_entropy) = {
    .name = ANNI_SIMD_NAME("cross_entropy."), .accepts = accepts, .run = cross_entropy};
