/* Convolution and its two adjoints. The map (x, w) -> y is bilinear, so conv, conv_dx, conv_dw close under
   differentiation: each one's gradient w.r.t. either operand is one of the three. Layouts: op.h. */
#include "graph/window.h"

#include <stdio.h>

/* ---- windows ---- */

ann_window anni_window_defaults(ann_window w) {
    if (!w.stride_h) w.stride_h = 1;
    if (!w.stride_w) w.stride_w = 1;
    if (!w.dilation_h) w.dilation_h = 1;
    if (!w.dilation_w) w.dilation_w = 1;
    if (!w.groups) w.groups = 1;
    return w;
}

static int64_t extent(int64_t in, int32_t lo, int32_t hi, int32_t kernel, int32_t dilation, int32_t stride) {
    const int64_t span = in + lo + hi - (int64_t)dilation * (kernel - 1) - 1;
    return span < 0 ? 0 : span / stride + 1;
}

ann_status anni_window_out(const ann_window *w, int64_t *out_h, int64_t *out_w) {
    if (w->kernel_h < 1 || w->kernel_w < 1 || w->stride_h < 1 || w->stride_w < 1 || w->dilation_h < 1 ||
        w->dilation_w < 1 || w->groups < 1 || w->pad_top < 0 || w->pad_bottom < 0 || w->pad_left < 0 ||
        w->pad_right < 0)
        return ann_error(ANN_ERR_ARG,
                         "kernel, stride, dilation and groups must be positive, padding not negative");
    *out_h = extent(w->in_h, w->pad_top, w->pad_bottom, w->kernel_h, w->dilation_h, w->stride_h);
    *out_w = extent(w->in_w, w->pad_left, w->pad_right, w->kernel_w, w->dilation_w, w->stride_w);
    if (*out_h < 1 || *out_w < 1)
        return ann_error(ANN_ERR_SHAPE, "the kernel is larger than the padded image");
    return ANN_OK;
}

void anni_window_print(const ann_attrs *attrs, char *buf, size_t size) {
    const ann_window *w = &attrs->window;
    snprintf(buf, size, "kernel=%dx%d stride=%dx%d dilation=%dx%d pad=%d,%d,%d,%d groups=%lld", w->kernel_h,
             w->kernel_w, w->stride_h, w->stride_w, w->dilation_h, w->dilation_w, w->pad_top, w->pad_bottom,
             w->pad_left, w->pad_right, (long long)w->groups);
}

/* ---- shape rules ---- */

static ann_status check_operands(const anni_infer *node) {
    if (node->in_dtype[0] != node->in_dtype[1] || !ann_dtype_is_float(node->in_dtype[0]))
        return ann_error(ANN_ERR_DTYPE, "two tensors of one float dtype are needed");
    if (node->in[0]->rank != 4 || node->in[1]->rank != 4)
        return ann_error(ANN_ERR_SHAPE, "rank 4 is needed on both sides");
    return ANN_OK;
}
static ann_status check_weight(const ann_shape *w, const ann_window *window, int64_t channels) {
    if (window->groups < 1 || w->dim[3] * window->groups != channels || w->dim[0] % window->groups != 0)
        return ann_error(ANN_ERR_SHAPE, "%lld channels do not fit the weight in %lld groups",
                         (long long)channels, (long long)window->groups);
    if (w->dim[1] != window->kernel_h || w->dim[2] != window->kernel_w)
        return ann_error(ANN_ERR_SHAPE, "the kernel's extents are not the weight's");
    return ANN_OK;
}

static ann_status infer_conv(anni_infer *node) {
    ANN_TRY(check_operands(node));
    const ann_shape *x = node->in[0], *w = node->in[1];
    ann_window *window = &node->attrs->window;
    window->in_h = x->dim[1];
    window->in_w = x->dim[2];
    int64_t oh, ow;
    ANN_TRY(check_weight(w, window, x->dim[3]));
    ANN_TRY(anni_window_out(window, &oh, &ow));
    node->shape = ANN_SHAPE(x->dim[0], oh, ow, w->dim[0]);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_conv_dx(anni_infer *node) {
    ANN_TRY(check_operands(node));
    const ann_shape *dy = node->in[0], *w = node->in[1];
    const ann_window *window = &node->attrs->window;
    int64_t oh, ow;
    ANN_TRY(check_weight(w, window, w->dim[3] * window->groups));
    ANN_TRY(anni_window_out(window, &oh, &ow));
    if (dy->dim[1] != oh || dy->dim[2] != ow || dy->dim[3] != w->dim[0])
        return ann_error(ANN_ERR_SHAPE, "dy should be [N,%lld,%lld,%lld]", (long long)oh, (long long)ow,
                         (long long)w->dim[0]);
    node->shape = ANN_SHAPE(dy->dim[0], window->in_h, window->in_w, w->dim[3] * window->groups);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_conv_dw(anni_infer *node) {
    ANN_TRY(check_operands(node));
    const ann_shape *x = node->in[0], *dy = node->in[1];
    ann_window *window = &node->attrs->window;
    window->in_h = x->dim[1];
    window->in_w = x->dim[2];
    int64_t oh, ow;
    ANN_TRY(anni_window_out(window, &oh, &ow));
    if (dy->dim[0] != x->dim[0] || dy->dim[1] != oh || dy->dim[2] != ow)
        return ann_error(ANN_ERR_SHAPE, "dy should be [%lld,%lld,%lld,O]", (long long)x->dim[0],
                         (long long)oh, (long long)ow);
    if (x->dim[3] % window->groups || dy->dim[3] % window->groups)
        return ann_error(ANN_ERR_SHAPE, "channels do not fit %lld groups", (long long)window->groups);
    node->shape = ANN_SHAPE(dy->dim[3], window->kernel_h, window->kernel_w, x->dim[3] / window->groups);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}

/* ---- gradient rules ---- */

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)

RULE(conv) {
    const ann_window window = ann_node_attrs(g, self)->window;
    const ann_node x = anni_in(g, self, 0), w = anni_in(g, self, 1);
    if (wanted[1]) dx[1] = ann_conv2d_dw(g, x, dy, window); /* first, as of a matmul */
    if (wanted[0]) dx[0] = ann_conv2d_dx(g, dy, w, window);
}
RULE(conv_dx) {
    const ann_window window = ann_node_attrs(g, self)->window;
    const ann_node up = anni_in(g, self, 0), w = anni_in(g, self, 1);
    if (wanted[0]) dx[0] = ann_conv2d(g, dy, w, window);
    if (wanted[1]) dx[1] = ann_conv2d_dw(g, dy, up, window);
}
RULE(conv_dw) {
    const ann_window window = ann_node_attrs(g, self)->window;
    const ann_node x = anni_in(g, self, 0), up = anni_in(g, self, 1);
    if (wanted[0]) dx[0] = ann_conv2d_dx(g, up, dy, window);
    if (wanted[1]) dx[1] = ann_conv2d(g, x, dy, window);
}

/* One multiply-add per output pixel, output channel and weight of it. */
static double flops(const ann_shape *y, const ann_shape *w) {
    return 2.0 * (double)ann_shape_elems(y) * (double)(w->dim[1] * w->dim[2] * w->dim[3]);
}
static double flops_conv(const ann_graph *g, ann_node self) {
    return flops(ann_node_shape(g, self), ann_node_shape(g, anni_in(g, self, 1)));
}
static double flops_conv_dx(const ann_graph *g, ann_node self) {
    return flops(ann_node_shape(g, anni_in(g, self, 0)), ann_node_shape(g, anni_in(g, self, 1)));
}
static double flops_conv_dw(const ann_graph *g, ann_node self) {
    return flops(ann_node_shape(g, anni_in(g, self, 1)), ann_node_shape(g, self));
}

#define ENTRY(id)                                                                                            \
    const ann_op_info anni_op_##id = {.name = #id,                                                           \
                                      .tier = ANN_TIER_MATH,                                                 \
                                      .min_in = 2,                                                           \
                                      .max_in = 2,                                                           \
                                      .attr_bytes = sizeof((ann_attrs *)0)->window,                          \
                                      .infer = infer_##id,                                                   \
                                      .vjp = vjp_##id,                                                       \
                                      .flops = flops_##id,                                                   \
                                      .print = anni_window_print}
ENTRY(conv);
ENTRY(conv_dx);
ENTRY(conv_dw);

/* ---- builders ---- */

static ann_node build(ann_graph *g, ann_op op, ann_node a, ann_node b, ann_window window) {
    const ann_attrs attrs = {.window = anni_window_defaults(window)};
    return anni_build(g, op, ANN_F32, NULL, &attrs, (ann_node[]){a, b}, 2);
}
ann_node ann_conv2d(ann_graph *g, ann_node x, ann_node w, ann_window window) {
    const ann_shape *shape = ann_node_shape(g, w);
    if (shape->rank == 4) {
        window.kernel_h = (int32_t)shape->dim[1];
        window.kernel_w = (int32_t)shape->dim[2];
    }
    return build(g, ANN_OP_CONV, x, w, window);
}
ann_node ann_conv2d_dx(ann_graph *g, ann_node dy, ann_node w, ann_window window) {
    return build(g, ANN_OP_CONV_DX, dy, w, window);
}
ann_node ann_conv2d_dw(ann_graph *g, ann_node x, ann_node dy, ann_window window) {
    return build(g, ANN_OP_CONV_DW, x, dy, window);
}
