/* Reference kernels of contractions: matmul and the three sides of a convolution. Sums accumulate in double.
 */
#include "kernel/kernels.h"
#include "kernel/matmul_shape.h"
#include "kernel/ref.h"

static ann_status matmul(const ann_kernel_call *call) {
    const anni_matmul_shape s = anni_matmul_shape_of(call);
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++) {
                const int64_t a_at = s.a_at + b * s.m * s.k, b_at = b * s.k * s.n;
                double sum = 0.0;
                for (int64_t t = 0; t < s.k; t++)
                    sum += anni_in(call, 0, a_at + (s.trans_a ? t * s.lda + i : i * s.lda + t)) *
                           anni_in(call, 1, b_at + (s.trans_b ? j * s.ldb + t : t * s.ldb + j));
                anni_out(call, (b * s.m + i) * s.n + j, sum);
            }
    return ANN_OK;
}

/* Sum over one window: image channels of the group times the weights of output channel o. */
static double conv_pixel(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow, int64_t o) {
    const ann_window *w = &call->attrs->window;
    const ann_shape *x = &call->in_shape[0], *weight = &call->in_shape[1];
    const int64_t group_in = weight->dim[3], group_out = weight->dim[0] / w->groups;
    const int64_t first = o / group_out * group_in;
    double sum = 0.0;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t ih, iw;
        if (!anni_window_pixel(w, oh, ow, k, &ih, &iw)) continue;
        for (int64_t c = 0; c < group_in; c++)
            sum += anni_in(call, 0, anni_at4(x, n, ih, iw, first + c)) *
                   anni_in(call, 1, (o * w->kernel_h * w->kernel_w + k) * group_in + c);
    }
    return sum;
}

static ann_status conv(const ann_kernel_call *call) {
    const ann_shape *y = &call->out_shape;
    for (int64_t n = 0; n < y->dim[0]; n++)
        for (int64_t oh = 0; oh < y->dim[1]; oh++)
            for (int64_t ow = 0; ow < y->dim[2]; ow++)
                for (int64_t o = 0; o < y->dim[3]; o++)
                    anni_out(call, anni_at4(y, n, oh, ow, o), conv_pixel(call, n, oh, ow, o));
    return ANN_OK;
}

/* inputs (dy, w): every output pixel whose window covers image pixel (ih, iw). */
static double conv_dx_pixel(const ann_kernel_call *call, int64_t n, int64_t ih, int64_t iw, int64_t c) {
    const ann_window *w = &call->attrs->window;
    const ann_shape *dy = &call->in_shape[0], *weight = &call->in_shape[1];
    const int64_t group_in = weight->dim[3], group_out = weight->dim[0] / w->groups;
    const int64_t first = c / group_in * group_out;
    double sum = 0.0;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t oh, ow;
        if (!anni_window_source(w, ih, iw, k, dy->dim[1], dy->dim[2], &oh, &ow)) continue;
        for (int64_t o = first; o < first + group_out; o++)
            sum += anni_in(call, 0, anni_at4(dy, n, oh, ow, o)) *
                   anni_in(call, 1, (o * w->kernel_h * w->kernel_w + k) * group_in + c % group_in);
    }
    return sum;
}

static ann_status conv_dx(const ann_kernel_call *call) {
    const ann_shape *dx = &call->out_shape;
    for (int64_t n = 0; n < dx->dim[0]; n++)
        for (int64_t ih = 0; ih < dx->dim[1]; ih++)
            for (int64_t iw = 0; iw < dx->dim[2]; iw++)
                for (int64_t c = 0; c < dx->dim[3]; c++)
                    anni_out(call, anni_at4(dx, n, ih, iw, c), conv_dx_pixel(call, n, ih, iw, c));
    return ANN_OK;
}

/* inputs (x, dy): the sum over all pixels and samples for one weight. */
static double conv_dw_weight(const ann_kernel_call *call, int64_t o, int64_t k, int64_t c) {
    const ann_window *w = &call->attrs->window;
    const ann_shape *x = &call->in_shape[0], *dy = &call->in_shape[1];
    const int64_t group_in = x->dim[3] / w->groups, group_out = dy->dim[3] / w->groups;
    double sum = 0.0;
    for (int64_t n = 0; n < dy->dim[0]; n++)
        for (int64_t oh = 0; oh < dy->dim[1]; oh++)
            for (int64_t ow = 0; ow < dy->dim[2]; ow++) {
                int64_t ih, iw;
                if (anni_window_pixel(w, oh, ow, k, &ih, &iw))
                    sum += anni_in(call, 0, anni_at4(x, n, ih, iw, o / group_out * group_in + c)) *
                           anni_in(call, 1, anni_at4(dy, n, oh, ow, o));
            }
    return sum;
}

static ann_status conv_dw(const ann_kernel_call *call) {
    const ann_shape *dw = &call->out_shape;
    const int64_t window = dw->dim[1] * dw->dim[2], group_in = dw->dim[3];
    for (int64_t o = 0; o < dw->dim[0]; o++)
        for (int64_t k = 0; k < window; k++)
            for (int64_t c = 0; c < group_in; c++)
                anni_out(call, (o * window + k) * group_in + c, conv_dw_weight(call, o, k, c));
    return ANN_OK;
}

const ann_kernel anni_kernel_matmul_ref = {.name = "matmul.ref", .run = matmul};
const ann_kernel anni_kernel_conv_ref = {.name = "conv.ref", .run = conv};
const ann_kernel anni_kernel_conv_dx_ref = {.name = "conv_dx.ref", .run = conv_dx};
const ann_kernel anni_kernel_conv_dw_ref = {.name = "conv_dw.ref", .run = conv_dw};
