/* Elementwise math ops: entries, gradient rules, and the builders that insert broadcasts. */
#include "graph/node.h"

/* ---- broadcasting ---- */

/* The NumPy rule: extents are aligned at the end; 1 stretches. */
static bool common_shape(ann_shape *out, const ann_shape *a, const ann_shape *b) {
    const int rank = a->rank > b->rank ? a->rank : b->rank;
    *out = (ann_shape){.rank = rank};
    for (int i = 1; i <= rank; i++) {
        const int64_t da = i <= a->rank ? a->dim[a->rank - i] : 1,
                      db = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1) return false;
        out->dim[rank - i] = da == 1 ? db : da;
    }
    return true;
}

static ann_node elementwise(ann_graph *g, ann_op op, const ann_node *xs, int n) {
    ann_node in[3];
    ann_shape shape = {0};
    for (int i = 0; i < n; i++) {
        if (!ann_node_is(xs[i])) return ANN_NODE_NONE;
        const ann_shape before = shape;
        char a[128], b[128];
        if (!common_shape(&shape, &before, ann_node_shape(g, xs[i])))
            return ann_graph_fail(g, ANN_ERR_SHAPE, "%s: shapes %s and %s cannot be broadcast together",
                                  anni_op_info(op)->name, ann_shape_str(a, sizeof a, &before),
                                  ann_shape_str(b, sizeof b, ann_node_shape(g, xs[i])));
    }
    for (int i = 0; i < n; i++) in[i] = ann_bcast(g, xs[i], shape);
    return anni_build(g, op, ann_node_dtype(g, in[0]), NULL, NULL, in, n);
}
static ann_node unary(ann_graph *g, ann_op op, ann_node x) { return elementwise(g, op, &x, 1); }
static ann_node binary(ann_graph *g, ann_op op, ann_node a, ann_node b) {
    return elementwise(g, op, (ann_node[]){a, b}, 2);
}

/* ---- shape rules ---- */

static ann_status infer_same(anni_infer *node) {
    for (int i = 1; i < node->n; i++) {
        if (!ann_shape_equal(node->in[i], node->in[0])) return ann_error(ANN_ERR_SHAPE, "shapes differ");
        if (node->in_dtype[i] != node->in_dtype[0]) return ann_error(ANN_ERR_DTYPE, "dtypes differ");
    }
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_float(anni_infer *node) {
    ANN_TRY(infer_same(node));
    return ann_dtype_is_float(node->dtype) ? ANN_OK : ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
}
static ann_status infer_cast(anni_infer *node) {
    node->shape = *node->in[0];
    return ANN_OK;
}

/* ---- gradient rules ---- */

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)
#define IN(i) anni_in(g, self, i)

RULE(neg) { (void)self, (void)wanted, dx[0] = ann_neg(g, dy); }
RULE(abs) { (void)wanted, dx[0] = ann_mul(g, dy, ann_sign(g, IN(0))); }
RULE(exp) { (void)wanted, dx[0] = ann_mul(g, dy, self); }
RULE(log) { (void)wanted, dx[0] = ann_div(g, dy, IN(0)); }
RULE(sqrt) { (void)wanted, dx[0] = ann_div(g, ann_mul_const(g, dy, 0.5), self); }
RULE(recip) { (void)wanted, dx[0] = ann_neg(g, ann_mul(g, dy, ann_square(g, self))); }
RULE(tanh) {
    (void)wanted,
        dx[0] = ann_mul(g, dy, ann_sub(g, ann_scalar(g, ann_node_dtype(g, dy), 1), ann_square(g, self)));
}
RULE(sigmoid) {
    (void)wanted;
    dx[0] = ann_mul(g, dy, ann_mul(g, self, ann_sub(g, ann_scalar(g, ann_node_dtype(g, dy), 1), self)));
}
RULE(softplus) { (void)wanted, dx[0] = ann_mul(g, dy, ann_sigmoid(g, IN(0))); }
RULE(relu) { (void)wanted, dx[0] = ann_mul(g, dy, ann_step(g, self)); }
RULE(add) { (void)g, (void)self, (void)wanted, dx[0] = dx[1] = dy; }
RULE(sub) {
    (void)self;
    dx[0] = dy;
    if (wanted[1]) dx[1] = ann_neg(g, dy);
}
RULE(mul) {
    if (wanted[0]) dx[0] = ann_mul(g, dy, IN(1));
    if (wanted[1]) dx[1] = ann_mul(g, dy, IN(0));
}
RULE(div) {
    const ann_node quotient = ann_div(g, dy, IN(1));
    dx[0] = quotient;
    if (wanted[1]) dx[1] = ann_neg(g, ann_mul(g, quotient, self));
}
/* The larger (for min: the smaller) input takes the gradient; a tie goes to input 0. */
static void pick(ann_graph *g, ann_node second_wins, ann_node dy, ann_node *dx) {
    const ann_node zero = anni_zeros_like(g, dy);
    dx[0] = ann_select(g, second_wins, zero, dy);
    dx[1] = ann_select(g, second_wins, dy, zero);
}
RULE(max) { (void)wanted, pick(g, ann_gt(g, IN(1), IN(0)), dy, dx); }
RULE(min) { (void)wanted, pick(g, ann_gt(g, IN(0), IN(1)), dy, dx); }
RULE(select) {
    const ann_node zero = anni_zeros_like(g, dy);
    if (wanted[1]) dx[1] = ann_select(g, IN(0), dy, zero);
    if (wanted[2]) dx[2] = ann_select(g, IN(0), zero, dy);
}
RULE(cast) {
    (void)wanted;
    if (ann_dtype_is_float(ann_node_dtype(g, IN(0)))) dx[0] = ann_cast(g, dy, ann_node_dtype(g, IN(0)));
}

/* ---- entries ---- */

#define ENTRY(id, arity, rule, more, ...)                                                                    \
    const ann_op_info anni_op_##id = {.name = #id,                                                           \
                                      .tier = ANN_TIER_MATH,                                                 \
                                      .min_in = arity,                                                       \
                                      .max_in = arity,                                                       \
                                      .infer = rule,                                                         \
                                      .flags = ANNI_ELEMENTWISE | ANNI_INPLACE | (more),                     \
                                      __VA_ARGS__}
#define DIFFERENTIABLE(id, arity, rule) ENTRY(id, arity, rule, 0, .vjp = vjp_##id)
#define FLAT(id, arity, rule) ENTRY(id, arity, rule, ANNI_ZERO_GRAD, .vjp = NULL)

DIFFERENTIABLE(neg, 1, infer_same);
DIFFERENTIABLE(abs, 1, infer_same);
FLAT(sign, 1, infer_same);
FLAT(step, 1, infer_same);
DIFFERENTIABLE(exp, 1, infer_float);
DIFFERENTIABLE(log, 1, infer_float);
DIFFERENTIABLE(sqrt, 1, infer_float);
DIFFERENTIABLE(recip, 1, infer_float);
DIFFERENTIABLE(tanh, 1, infer_float);
DIFFERENTIABLE(sigmoid, 1, infer_float);
DIFFERENTIABLE(softplus, 1, infer_float);
DIFFERENTIABLE(relu, 1, infer_float);
FLAT(round_bf16, 1, infer_float);
FLAT(round_f16, 1, infer_float);
DIFFERENTIABLE(add, 2, infer_same);
DIFFERENTIABLE(sub, 2, infer_same);
DIFFERENTIABLE(mul, 2, infer_same);
DIFFERENTIABLE(div, 2, infer_float);
DIFFERENTIABLE(max, 2, infer_same);
DIFFERENTIABLE(min, 2, infer_same);
FLAT(eq, 2, infer_same);
FLAT(gt, 2, infer_same);
DIFFERENTIABLE(select, 3, infer_same);

const ann_op_info anni_op_cast = {
    .name = "cast", .tier = ANN_TIER_MATH, .min_in = 1, .max_in = 1, .infer = infer_cast, .vjp = vjp_cast};
const ann_op_info anni_op_stop_grad = {.name = "stop_grad",
                                       .tier = ANN_TIER_MATH,
                                       .min_in = 1,
                                       .max_in = 1,
                                       .infer = infer_same,
                                       .flags = ANNI_ZERO_GRAD | ANNI_ALIAS};

/* ---- builders ---- */

ann_node ann_neg(ann_graph *g, ann_node x) { return unary(g, ANN_OP_NEG, x); }
ann_node ann_abs(ann_graph *g, ann_node x) { return unary(g, ANN_OP_ABS, x); }
ann_node ann_sign(ann_graph *g, ann_node x) { return unary(g, ANN_OP_SIGN, x); }
ann_node ann_step(ann_graph *g, ann_node x) { return unary(g, ANN_OP_STEP, x); }
ann_node ann_exp(ann_graph *g, ann_node x) { return unary(g, ANN_OP_EXP, x); }
ann_node ann_log(ann_graph *g, ann_node x) { return unary(g, ANN_OP_LOG, x); }
ann_node ann_sqrt(ann_graph *g, ann_node x) { return unary(g, ANN_OP_SQRT, x); }
ann_node ann_recip(ann_graph *g, ann_node x) { return unary(g, ANN_OP_RECIP, x); }
ann_node ann_tanh(ann_graph *g, ann_node x) { return unary(g, ANN_OP_TANH, x); }
ann_node ann_sigmoid(ann_graph *g, ann_node x) { return unary(g, ANN_OP_SIGMOID, x); }
ann_node ann_softplus(ann_graph *g, ann_node x) { return unary(g, ANN_OP_SOFTPLUS, x); }
ann_node ann_relu(ann_graph *g, ann_node x) { return unary(g, ANN_OP_RELU, x); }
ann_node ann_round_bf16(ann_graph *g, ann_node x) { return unary(g, ANN_OP_ROUND_BF16, x); }
ann_node ann_round_f16(ann_graph *g, ann_node x) { return unary(g, ANN_OP_ROUND_F16, x); }
ann_node ann_add(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_ADD, a, b); }
ann_node ann_sub(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_SUB, a, b); }
ann_node ann_mul(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_MUL, a, b); }
ann_node ann_div(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_DIV, a, b); }
ann_node ann_max(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_MAX, a, b); }
ann_node ann_min(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_MIN, a, b); }
ann_node ann_eq(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_EQ, a, b); }
ann_node ann_gt(ann_graph *g, ann_node a, ann_node b) { return binary(g, ANN_OP_GT, a, b); }
ann_node ann_select(ann_graph *g, ann_node cond, ann_node a, ann_node b) {
    return elementwise(g, ANN_OP_SELECT, (ann_node[]){cond, a, b}, 3);
}

ann_node ann_cast(ann_graph *g, ann_node x, ann_dtype dtype) {
    if (!ann_node_is(x) || ann_node_dtype(g, x) == dtype) return x;
    return anni_build(g, ANN_OP_CAST, dtype, NULL, NULL, &x, 1);
}
ann_node ann_stop_grad(ann_graph *g, ann_node x) { return unary(g, ANN_OP_STOP_GRAD, x); }

ann_node ann_add_const(ann_graph *g, ann_node x, double c) {
    return ann_add(g, x, ann_scalar(g, ann_node_dtype(g, x), c));
}
ann_node ann_mul_const(ann_graph *g, ann_node x, double c) {
    return ann_mul(g, x, ann_scalar(g, ann_node_dtype(g, x), c));
}
ann_node ann_square(ann_graph *g, ann_node x) { return ann_mul(g, x, x); }
ann_node ann_leaky_relu(ann_graph *g, ann_node x, double slope) {
    return ann_select(g, ann_step(g, x), x, ann_mul_const(g, x, slope));
}

/* alpha*(exp(x) - 1) below zero; exp is taken of min(x, 0), so that the unused branch stays finite. */
ann_node ann_elu(ann_graph *g, ann_node x, double alpha) {
    const ann_dtype dtype = ann_node_dtype(g, x);
    const ann_node below = ann_add_const(g, ann_exp(g, ann_min(g, x, ann_scalar(g, dtype, 0))), -1);
    return ann_select(g, ann_step(g, x), x, ann_mul_const(g, below, alpha));
}
