/* Reference kernel of topk: the bits of the k-th largest magnitude are found from the first to the last, each
   by a count. */
#include "kernel/kernels.h"
#include "kernel/ref.h"

#include <math.h>
#include <string.h>

/* Ordered as magnitudes are; every NaN is the largest. */
static uint64_t key_of(double x) {
    uint64_t bits;
    x = fabs(x);
    memcpy(&bits, &x, sizeof bits);
    return isnan(x) ? INT64_MAX : bits;
}

static int64_t count_from(const ann_kernel_call *call, int64_t n, uint64_t least) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += key_of(anni_in(call, 0, i)) >= least;
    return count;
}

static ann_status topk(const ann_kernel_call *call) {
    const int64_t n = ann_shape_elems(&call->out_shape), k = call->attrs->topk.k;
    uint64_t least = 0; /* the largest key that at least k elements reach */
    for (int bit = 62; bit >= 0; bit--)
        if (count_from(call, n, least | 1ull << bit) >= k) least |= 1ull << bit;
    int64_t ties = k - count_from(call, n, least + 1);
    for (int64_t i = 0; i < n; i++) {
        const double x = anni_in(call, 0, i);
        const uint64_t key = key_of(x);
        anni_out(call, i, key > least || (key == least && ties-- > 0) ? x : 0.0);
    }
    return ANN_OK;
}

const ann_kernel anni_kernel_topk_ref = {.name = "topk.ref", .run = topk};
