/* Reference kernels of the softmax family, over the last axis. */
#include <math.h>

#include "kernel/kernels.h"
#include "kernel/ref.h"

/* log(sum_j exp(x_j)) of row r, shifted by the maximum so that nothing overflows. */
static double log_sum_exp(const ann_kernel_call *call, int64_t r, int64_t k) {
    double top = -(double)INFINITY, sum = 0.0;
    for (int64_t j = 0; j < k; j++) {
        const double x = anni_in(call, 0, r * k + j);
        if (x > top || isnan(x)) top = x;
    }
    for (int64_t j = 0; j < k; j++) sum += exp(anni_in(call, 0, r * k + j) - top);
    return top + log(sum);
}

static ann_status softmax(const ann_kernel_call *call) {
    const int64_t rows = anni_rows(&call->out_shape), k = anni_last(&call->out_shape);
    for (int64_t r = 0; r < rows; r++) {
        const double lse = log_sum_exp(call, r, k);
        for (int64_t j = 0; j < k; j++) anni_out(call, r * k + j, exp(anni_in(call, 0, r * k + j) - lse));
    }
    return ANN_OK;
}

static ann_status log_softmax(const ann_kernel_call *call) {
    const int64_t rows = anni_rows(&call->out_shape), k = anni_last(&call->out_shape);
    for (int64_t r = 0; r < rows; r++) {
        const double lse = log_sum_exp(call, r, k);
        for (int64_t j = 0; j < k; j++) anni_out(call, r * k + j, anni_in(call, 0, r * k + j) - lse);
    }
    return ANN_OK;
}

/* A label outside [0, K) has no target: its loss is 0. */
static ann_status cross_entropy(const ann_kernel_call *call) {
    const int32_t *label = call->in[1];
    const int64_t rows = anni_rows(&call->in_shape[0]), k = anni_last(&call->in_shape[0]);
    for (int64_t r = 0; r < rows; r++) {
        const bool valid = label[r] >= 0 && label[r] < k;
        anni_out(call, r, valid ? log_sum_exp(call, r, k) - anni_in(call, 0, r * k + label[r]) : 0.0);
    }
    return ANN_OK;
}

const ann_kernel anni_kernel_softmax_ref = {.name = "softmax.ref", .run = softmax};
const ann_kernel anni_kernel_log_softmax_ref = {.name = "log_softmax.ref", .run = log_softmax};
const ann_kernel anni_kernel_cross_entropy_ref = {.name = "cross_entropy.ref", .run = cross_entropy};
