/* Composite ops: named compositions that may have kernels of their own. Each carries its expansion; a
   gradient rule, where one is given, is the fast form of what the expansion would yield. Losses that are
   plain elementwise formulas are builders alone. */
#include "graph/node.h"

#include <stdio.h>

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)
#define IN(i) anni_in(g, self, i)

static uint32_t last_axis(const ann_graph *g, ann_node x) { return 1u << (ann_node_shape(g, x)->rank - 1); }

/* ---- softmax, log_softmax ---- */

static ann_status infer_rows(anni_infer *node) {
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    if (node->in[0]->rank < 1) return ann_error(ANN_ERR_SHAPE, "a last axis is needed");
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}

/* The row's maximum is subtracted for range; the result does not depend on it, so its gradient is stopped. */
static ann_node centred(ann_graph *g, ann_node x) {
    return ann_sub(g, x, ann_stop_grad(g, ann_reduce_max(g, x, last_axis(g, x))));
}
static ann_node expand_softmax(ann_graph *g, ann_node self) {
    const ann_node e = ann_exp(g, centred(g, IN(0)));
    return ann_div(g, e, ann_reduce_sum(g, e, last_axis(g, e)));
}
static ann_node expand_log_softmax(ann_graph *g, ann_node self) {
    const ann_node z = centred(g, IN(0));
    return ann_sub(g, z, ann_log(g, ann_reduce_sum(g, ann_exp(g, z), last_axis(g, z))));
}
RULE(softmax) {
    (void)wanted;
    const ann_node inner = ann_reduce_sum(g, ann_mul(g, dy, self), last_axis(g, self));
    dx[0] = ann_mul(g, self, ann_sub(g, dy, inner));
}
RULE(log_softmax) {
    (void)wanted;
    dx[0] = ann_sub(g, dy, ann_mul(g, ann_softmax(g, IN(0)), ann_reduce_sum(g, dy, last_axis(g, dy))));
}

const ann_op_info anni_op_softmax = {.name = "softmax",
                                     .tier = ANN_TIER_COMPOSITE,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .infer = infer_rows,
                                     .vjp = vjp_softmax,
                                     .expand = expand_softmax};
const ann_op_info anni_op_log_softmax = {.name = "log_softmax",
                                         .tier = ANN_TIER_COMPOSITE,
                                         .min_in = 1,
                                         .max_in = 1,
                                         .infer = infer_rows,
                                         .vjp = vjp_log_softmax,
                                         .expand = expand_log_softmax};

ann_node ann_softmax(ann_graph *g, ann_node x) {
    return anni_build(g, ANN_OP_SOFTMAX, ANN_F32, NULL, NULL, &x, 1);
}
ann_node ann_log_softmax(ann_graph *g, ann_node x) {
    return anni_build(g, ANN_OP_LOG_SOFTMAX, ANN_F32, NULL, NULL, &x, 1);
}

/* ---- cross_entropy ---- */

static ann_status infer_cross_entropy(anni_infer *node) {
    if (node->in[0]->rank != 2 || node->in[1]->rank != 1 || node->in[0]->dim[0] != node->in[1]->dim[0])
        return ann_error(ANN_ERR_SHAPE, "logits [B,K] and labels [B] are needed");
    if (!ann_dtype_is_float(node->in_dtype[0]) || node->in_dtype[1] != ANN_I32)
        return ann_error(ANN_ERR_DTYPE, "float logits and i32 labels are needed");
    node->shape = *node->in[1];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_node one_hot_labels(ann_graph *g, ann_node self) {
    return ann_one_hot(g, IN(1), ann_node_shape(g, IN(0))->dim[1], ann_node_dtype(g, IN(0)));
}
static ann_node expand_cross_entropy(ann_graph *g, ann_node self) {
    const ann_node picked = ann_mul(g, ann_log_softmax(g, IN(0)), one_hot_labels(g, self));
    return ann_neg(g, ann_reshape(g, ann_reduce_sum(g, picked, 1u << 1), *ann_node_shape(g, self)));
}
/* A row whose label is out of range has loss 0, and so gradient 0. */
RULE(cross_entropy) {
    (void)wanted;
    const ann_node target = one_hot_labels(g, self),
                   has_label = ann_reduce_sum(g, target, last_axis(g, target));
    const ann_node column = ann_reshape(g, dy, ANN_SHAPE(ann_node_shape(g, dy)->dim[0], 1));
    dx[0] = ann_mul(g, ann_sub(g, ann_softmax(g, IN(0)), target), ann_mul(g, column, has_label));
}

const ann_op_info anni_op_cross_entropy = {.name = "cross_entropy",
                                           .tier = ANN_TIER_COMPOSITE,
                                           .min_in = 2,
                                           .max_in = 2,
                                           .infer = infer_cross_entropy,
                                           .vjp = vjp_cross_entropy,
                                           .expand = expand_cross_entropy};

ann_node ann_cross_entropy(ann_graph *g, ann_node logits, ann_node labels) {
    return anni_build(g, ANN_OP_CROSS_ENTROPY, ANN_F32, NULL, NULL, (ann_node[]){logits, labels}, 2);
}

/* ---- dropout ---- */

static ann_status infer_dropout(anni_infer *node) {
    if (!ann_dtype_is_float(node->in_dtype[0]) || node->in_dtype[1] != ANN_I64)
        return ann_error(ANN_ERR_DTYPE, "float x and i64 ids are needed");
    if (node->in[0]->rank < 1 || node->in[1]->rank != 1 || node->in[0]->dim[0] != node->in[1]->dim[0])
        return ann_error(ANN_ERR_SHAPE, "one id per row is needed");
    const double p = node->attrs->rand.p;
    if (!(p >= 0 && p < 1)) return ann_error(ANN_ERR_ARG, "p = %g is not in [0, 1)", p);
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_node expand_dropout(ann_graph *g, ann_node self) {
    const ann_attrs attrs = *ann_node_attrs(g, self);
    const ann_node x = IN(0);
    const ann_dtype dtype = ann_node_dtype(g, x);
    const ann_node u = ann_rand(g, ANN_RAND_UNIFORM, dtype, *ann_node_shape(g, x), IN(1), attrs.rand.seed,
                                attrs.rand.stream);
    const ann_node dropped = ann_gt(g, ann_scalar(g, dtype, attrs.rand.p), u);
    return ann_select(g, dropped, anni_zeros_like(g, x), ann_mul_const(g, x, 1 / (1 - attrs.rand.p)));
}
/* Linear in x and self-adjoint: the same mask is drawn again. */
RULE(dropout) {
    (void)wanted;
    const ann_attrs attrs = *ann_node_attrs(g, self);
    dx[0] = ann_dropout(g, dy, IN(1), attrs.rand.p, attrs.rand.seed, attrs.rand.stream);
}
static void print_dropout(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "p=%g stream=%u", attrs->rand.p, attrs->rand.stream);
}

const ann_op_info anni_op_dropout = {.name = "dropout",
                                     .tier = ANN_TIER_COMPOSITE,
                                     .min_in = 2,
                                     .max_in = 2,
                                     .flags = ANNI_INPLACE,
                                     .attr_bytes = sizeof((ann_attrs *)0)->rand,
                                     .infer = infer_dropout,
                                     .vjp = vjp_dropout,
                                     .expand = expand_dropout,
                                     .print = print_dropout};

ann_node ann_dropout(ann_graph *g, ann_node x, ann_node ids, double p, uint64_t seed, uint32_t stream) {
    const ann_attrs attrs = {.rand = {.kind = ANN_RAND_UNIFORM, .stream = stream, .seed = seed, .p = p}};
    return anni_build(g, ANN_OP_DROPOUT, ANN_F32, NULL, &attrs, (ann_node[]){x, ids}, 2);
}

/* ---- losses that are formulas ---- */

ann_node ann_bce_logits(ann_graph *g, ann_node logits, ann_node target) {
    return ann_sub(g, ann_softplus(g, logits), ann_mul(g, logits, target));
}
ann_node ann_squared_error(ann_graph *g, ann_node x, ann_node target) {
    return ann_square(g, ann_sub(g, x, target));
}
