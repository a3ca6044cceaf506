/* Reference kernels of pooling windows over x [N,H,W,C]. */
#include <math.h>

#include "kernel/kernels.h"
#include "kernel/ref.h"

/* Where one output element comes from. */
typedef double (*pixel_fn)(const ann_kernel_call *call, int64_t n, int64_t h, int64_t w, int64_t c);

static void each_pixel(const ann_kernel_call *call, pixel_fn pixel) {
    const ann_shape *s = &call->out_shape;
    for (int64_t n = 0; n < s->dim[0]; n++)
        for (int64_t h = 0; h < s->dim[1]; h++)
            for (int64_t w = 0; w < s->dim[2]; w++)
                for (int64_t c = 0; c < s->dim[3]; c++)
                    anni_store_any(call->out, call->out_dtype, anni_at4(s, n, h, w, c),
                                   pixel(call, n, h, w, c));
}

static double sum_pool_pixel(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow, int64_t c) {
    const ann_window *w = &call->attrs->window;
    double sum = 0.0;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t ih, iw;
        if (anni_window_pixel(w, oh, ow, k, &ih, &iw))
            sum += anni_in(call, 0, anni_at4(&call->in_shape[0], n, ih, iw, c));
    }
    return sum;
}

static double sum_pool_dx_pixel(const ann_kernel_call *call, int64_t n, int64_t ih, int64_t iw, int64_t c) {
    const ann_window *w = &call->attrs->window;
    const ann_shape *dy = &call->in_shape[0];
    double sum = 0.0;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t oh, ow;
        if (anni_window_source(w, ih, iw, k, dy->dim[1], dy->dim[2], &oh, &ow))
            sum += anni_in(call, 0, anni_at4(dy, n, oh, ow, c));
    }
    return sum;
}

/* The first maximum in the window, NaN counting as the largest, and where it is. A window that holds nothing
   but padding has index ANN_MAX_POOL_WINDOW and value 0. */
static double window_max(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow, int64_t c,
                         int64_t *index) {
    const ann_window *w = &call->attrs->window;
    double top = 0.0;
    *index = ANN_MAX_POOL_WINDOW;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t ih, iw;
        if (!anni_window_pixel(w, oh, ow, k, &ih, &iw)) continue;
        const double x = anni_in(call, 0, anni_at4(&call->in_shape[0], n, ih, iw, c));
        if (*index == ANN_MAX_POOL_WINDOW || x > top || (isnan(x) && !isnan(top))) {
            top = x;
            *index = k;
        }
    }
    return top;
}

static double max_pool_pixel(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow, int64_t c) {
    int64_t index;
    return window_max(call, n, oh, ow, c, &index);
}

static double max_pool_index_pixel(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow,
                                   int64_t c) {
    int64_t index;
    window_max(call, n, oh, ow, c, &index);
    return (double)index;
}

/* inputs (x, index). An index that points into padding gives 0. */
static double window_gather_pixel(const ann_kernel_call *call, int64_t n, int64_t oh, int64_t ow, int64_t c) {
    const ann_window *w = &call->attrs->window;
    const uint8_t *index = call->in[1];
    const int64_t k = index[anni_at4(&call->out_shape, n, oh, ow, c)];
    int64_t ih, iw;
    if (k >= w->kernel_h * w->kernel_w || !anni_window_pixel(w, oh, ow, k, &ih, &iw)) return 0.0;
    return anni_in(call, 0, anni_at4(&call->in_shape[0], n, ih, iw, c));
}

/* inputs (dy, index). The adjoint of window_gather. */
static double window_scatter_pixel(const ann_kernel_call *call, int64_t n, int64_t ih, int64_t iw,
                                   int64_t c) {
    const ann_window *w = &call->attrs->window;
    const ann_shape *dy = &call->in_shape[0];
    const uint8_t *index = call->in[1];
    double sum = 0.0;
    for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t oh, ow;
        if (!anni_window_source(w, ih, iw, k, dy->dim[1], dy->dim[2], &oh, &ow)) continue;
        const int64_t at = anni_at4(dy, n, oh, ow, c);
        if (index[at] == k) sum += anni_in(call, 0, at);
    }
    return sum;
}

static ann_status sum_pool(const ann_kernel_call *call) { return each_pixel(call, sum_pool_pixel), ANN_OK; }
static ann_status sum_pool_dx(const ann_kernel_call *call) {
    return each_pixel(call, sum_pool_dx_pixel), ANN_OK;
}
static ann_status max_pool(const ann_kernel_call *call) { return each_pixel(call, max_pool_pixel), ANN_OK; }
static ann_status max_pool_index(const ann_kernel_call *call) {
    return each_pixel(call, max_pool_index_pixel), ANN_OK;
}
static ann_status window_gather(const ann_kernel_call *call) {
    return each_pixel(call, window_gather_pixel), ANN_OK;
}
static ann_status window_scatter(const ann_kernel_call *call) {
    return each_pixel(call, window_scatter_pixel), ANN_OK;
}

const ann_kernel anni_kernel_sum_pool_ref = {.name = "sum_pool.ref", .run = sum_pool};
const ann_kernel anni_kernel_sum_pool_dx_ref = {.name = "sum_pool_dx.ref", .run = sum_pool_dx};
const ann_kernel anni_kernel_max_pool_ref = {.name = "max_pool.ref", .run = max_pool};
const ann_kernel anni_kernel_max_pool_index_ref = {.name = "max_pool_index.ref", .run = max_pool_index};
const ann_kernel anni_kernel_window_gather_ref = {.name = "window_gather.ref", .run = window_gather};
const ann_kernel anni_kernel_window_scatter_ref = {.name = "window_scatter.ref", .run = window_scatter};
