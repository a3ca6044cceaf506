/* Pooling. Sum pooling and its adjoint are a linear pair; max pooling is an index op followed by a gather,
 * whose adjoint scatters. */
#include "graph/window.h"

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)
#define IN(i) anni_in(g, self, i)

/* ---- shape rules ---- */

/* From the image side: [N,H,W,C] -> [N,OH,OW,C]. */
static ann_status infer_down(anni_infer *node) {
    const ann_shape *x = node->in[0];
    ann_window *w = &node->attrs->window;
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    if (x->rank != 4) return ann_error(ANN_ERR_SHAPE, "[N,H,W,C] is needed");
    w->in_h = x->dim[1];
    w->in_w = x->dim[2];
    int64_t oh, ow;
    ANN_TRY(anni_window_out(w, &oh, &ow));
    node->shape = ANN_SHAPE(x->dim[0], oh, ow, x->dim[3]);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
/* To the image side: [N,OH,OW,C] -> [N,in_h,in_w,C]. */
static ann_status infer_up(anni_infer *node) {
    const ann_shape *dy = node->in[0];
    const ann_window *w = &node->attrs->window;
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    int64_t oh, ow;
    ANN_TRY(anni_window_out(w, &oh, &ow));
    if (dy->rank != 4 || dy->dim[1] != oh || dy->dim[2] != ow)
        return ann_error(ANN_ERR_SHAPE, "dy should be [N,%lld,%lld,C]", (long long)oh, (long long)ow);
    node->shape = ANN_SHAPE(dy->dim[0], w->in_h, w->in_w, dy->dim[3]);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
/* A window without a single pixel of the image would have no maximum. */
static ann_status infer_index(anni_infer *node) {
    ANN_TRY(infer_down(node));
    const ann_window *w = &node->attrs->window;
    if ((int64_t)w->kernel_h * w->kernel_w > ANN_MAX_POOL_WINDOW)
        return ann_error(ANN_ERR_ARG, "a window of more than %d pixels", ANN_MAX_POOL_WINDOW);
    if (w->pad_top > w->dilation_h * (w->kernel_h - 1) || w->pad_bottom > w->dilation_h * (w->kernel_h - 1) ||
        w->pad_left > w->dilation_w * (w->kernel_w - 1) || w->pad_right > w->dilation_w * (w->kernel_w - 1))
        return ann_error(ANN_ERR_ARG, "padding as large as the window");
    node->dtype = ANN_U8;
    return ANN_OK;
}
static ann_status infer_max_pool(anni_infer *node) {
    ANN_TRY(infer_index(node));
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_gather(anni_infer *node) {
    ANN_TRY(infer_down(node));
    if (node->in_dtype[1] != ANN_U8) return ann_error(ANN_ERR_DTYPE, "the index is u8");
    if (!ann_shape_equal(&node->shape, node->in[1]))
        return ann_error(ANN_ERR_SHAPE, "the index is of another shape");
    return ANN_OK;
}
static ann_status infer_scatter(anni_infer *node) {
    if (node->in_dtype[1] != ANN_U8) return ann_error(ANN_ERR_DTYPE, "the index is u8");
    if (!ann_shape_equal(node->in[0], node->in[1]))
        return ann_error(ANN_ERR_SHAPE, "the index is of another shape");
    return infer_up(node);
}

/* ---- gradient rules ---- */

RULE(sum_pool) { (void)wanted, dx[0] = ann_sum_pool2d_dx(g, dy, ann_node_attrs(g, self)->window); }
RULE(sum_pool_dx) { (void)wanted, dx[0] = ann_sum_pool2d(g, dy, ann_node_attrs(g, self)->window); }
RULE(window_gather) {
    (void)wanted, dx[0] = ann_window_scatter(g, dy, IN(1), ann_node_attrs(g, self)->window);
}
RULE(window_scatter) {
    (void)wanted, dx[0] = ann_window_gather(g, dy, IN(1), ann_node_attrs(g, self)->window);
}
RULE(max_pool) {
    (void)wanted;
    const ann_window w = ann_node_attrs(g, self)->window;
    dx[0] = ann_window_scatter(g, dy, ann_max_pool_index(g, IN(0), w), w);
}
static ann_node expand_max_pool(ann_graph *g, ann_node self) {
    const ann_window w = ann_node_attrs(g, self)->window;
    return ann_window_gather(g, IN(0), ann_max_pool_index(g, IN(0), w), w);
}

static double flops_window(const ann_graph *g, ann_node self) {
    const ann_window *w = &ann_node_attrs(g, self)->window;
    return (double)ann_shape_elems(ann_node_shape(g, self)) * w->kernel_h * w->kernel_w;
}

#define ENTRY(id, which_tier, inputs, rule, ...)                                                             \
    const ann_op_info anni_op_##id = {.name = #id,                                                           \
                                      .tier = which_tier,                                                    \
                                      .min_in = inputs,                                                      \
                                      .max_in = inputs,                                                      \
                                      .attr_bytes = sizeof((ann_attrs *)0)->window,                          \
                                      .infer = rule,                                                         \
                                      .print = anni_window_print,                                            \
                                      __VA_ARGS__}
ENTRY(sum_pool, ANN_TIER_MATH, 1, infer_down, .vjp = vjp_sum_pool, .flops = flops_window);
ENTRY(sum_pool_dx, ANN_TIER_MATH, 1, infer_up, .vjp = vjp_sum_pool_dx);
ENTRY(max_pool_index, ANN_TIER_MATH, 1, infer_index, .flags = ANNI_ZERO_GRAD, .flops = flops_window);
ENTRY(window_gather, ANN_TIER_MATH, 2, infer_gather, .vjp = vjp_window_gather);
ENTRY(window_scatter, ANN_TIER_MATH, 2, infer_scatter, .vjp = vjp_window_scatter);
ENTRY(max_pool, ANN_TIER_COMPOSITE, 1, infer_max_pool, .vjp = vjp_max_pool, .expand = expand_max_pool,
      .flops = flops_window);

/* ---- builders ---- */

static ann_node build(ann_graph *g, ann_op op, const ann_node *in, int n, ann_window window) {
    const ann_attrs attrs = {.window = anni_window_defaults(window)};
    return anni_build(g, op, ANN_F32, NULL, &attrs, in, n);
}
ann_node ann_sum_pool2d(ann_graph *g, ann_node x, ann_window w) {
    return build(g, ANN_OP_SUM_POOL, &x, 1, w);
}
ann_node ann_sum_pool2d_dx(ann_graph *g, ann_node dy, ann_window w) {
    return build(g, ANN_OP_SUM_POOL_DX, &dy, 1, w);
}
ann_node ann_max_pool_index(ann_graph *g, ann_node x, ann_window w) {
    return build(g, ANN_OP_MAX_POOL_INDEX, &x, 1, w);
}
/* Pooling commutes with maps that are monotone and the same for all pixels of a channel: the bias and the
   activation behind a convolution. If the pool shrinks the image they are applied after it, to fewer
   elements; values and gradients are the same. Returns the operand to be pooled instead of x, or none. */
static ann_node monotone_operand(const ann_graph *g, ann_node x, ann_node *bias) {
    const ann_op op = ann_node_op(g, x);
    if (op == ANN_OP_RELU || op == ANN_OP_TANH || op == ANN_OP_SIGMOID) return anni_in(g, x, 0);
    if (op != ANN_OP_ADD || ann_node_op(g, anni_in(g, x, 1)) != ANN_OP_BCAST) return ANN_NODE_NONE;
    *bias = anni_in(g, anni_in(g, x, 1), 0);
    const ann_shape *shape = ann_node_shape(g, *bias);
    return ann_shape_elems(shape) == shape->dim[3] ? anni_in(g, x, 0) : ANN_NODE_NONE;
}

ann_node ann_max_pool2d(ann_graph *g, ann_node x, ann_window w) {
    ann_node bias = ANN_NODE_NONE, operand = ANN_NODE_NONE;
    if (ann_node_is(x) && ann_node_shape(g, x)->rank == 4 && w.stride_h * w.stride_w > 1)
        operand = monotone_operand(g, x, &bias);
    if (!ann_node_is(operand)) return build(g, ANN_OP_MAX_POOL, &x, 1, w);
    const ann_node pooled = ann_max_pool2d(g, operand, w);
    if (ann_node_is(bias)) return ann_add(g, pooled, bias);
    return anni_build(g, ann_node_op(g, x), ANN_F32, NULL, NULL, &pooled, 1);
}
ann_node ann_window_gather(ann_graph *g, ann_node x, ann_node index, ann_window w) {
    return build(g, ANN_OP_WINDOW_GATHER, (ann_node[]){x, index}, 2, w);
}
ann_node ann_window_scatter(ann_graph *g, ann_node dy, ann_node index, ann_window w) {
    return build(g, ANN_OP_WINDOW_SCATTER, (ann_node[]){dy, index}, 2, w);
}
ann_node ann_avg_pool2d(ann_graph *g, ann_node x, ann_window w) {
    return ann_mul_const(g, ann_sum_pool2d(g, x, w), 1.0 / ((double)w.kernel_h * w.kernel_w));
}
ann_node ann_global_avg_pool(ann_graph *g, ann_node x) {
    const ann_shape shape = *ann_node_shape(g, x);
    if (ann_node_is(x) && shape.rank != 4)
        return ann_graph_fail(g, ANN_ERR_SHAPE, "global_avg_pool: [N,H,W,C] is needed");
    const ann_node sum = ann_reduce_sum(g, x, 1u << 1 | 1u << 2);
    return ann_mul_const(g, ann_reshape(g, sum, ANN_SHAPE(shape.dim[0], shape.dim[3])),
                         1.0 / (double)(shape.dim[1] * shape.dim[2]));
}
