/* Ops that move elements without arithmetic. bcast/reduce_sum and slice/pad are pairs; reshape and permute
 * are self-dual. */
#include "graph/node.h"

#include <stdio.h>
#include <string.h>

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)
#define IN(i) anni_in(g, self, i)

/* ---- reshape ---- */

static ann_status infer_reshape(anni_infer *node) {
    const int64_t elems = ann_shape_elems(node->in[0]);
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < node->shape.rank; i++) {
        if (node->shape.dim[i] >= 0) known *= node->shape.dim[i];
        else if (open < 0) open = i;
        else return ann_error(ANN_ERR_SHAPE, "at most one extent may be -1");
    }
    if (open >= 0 && known > 0) node->shape.dim[open] = elems / known;
    char text[128];
    if (ann_shape_elems(&node->shape) != elems)
        return ann_error(ANN_ERR_SHAPE, "cannot become %s", ann_shape_str(text, sizeof text, &node->shape));
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
RULE(reshape) { (void)wanted, dx[0] = ann_reshape(g, dy, *ann_node_shape(g, IN(0))); }

const ann_op_info anni_op_reshape = {.name = "reshape",
                                     .tier = ANN_TIER_MATH,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .flags = ANNI_ALIAS,
                                     .infer = infer_reshape,
                                     .vjp = vjp_reshape};

ann_node ann_reshape(ann_graph *g, ann_node x, ann_shape shape) {
    if (!ann_node_is(x) || ann_shape_equal(ann_node_shape(g, x), &shape)) return x;
    return anni_build(g, ANN_OP_RESHAPE, ANN_F32, &shape, NULL, &x, 1);
}
ann_node ann_flatten(ann_graph *g, ann_node x) {
    const ann_shape *shape = ann_node_shape(g, x);
    if (ann_node_is(x) && shape->rank < 1)
        return ann_graph_fail(g, ANN_ERR_SHAPE, "flatten: a scalar has no batch axis");
    int64_t rest = 1;
    for (int i = 1; i < shape->rank; i++) rest *= shape->dim[i];
    return ann_reshape(g, x, ANN_SHAPE(shape->dim[0], rest));
}

/* ---- permute ---- */

static ann_status infer_permute(anni_infer *node) {
    const int rank = node->in[0]->rank;
    unsigned seen = 0;
    node->shape = (ann_shape){.rank = rank};
    for (int i = 0; i < rank; i++) {
        const int32_t from = node->attrs->permute.perm[i];
        if (from < 0 || from >= rank || (seen >> from & 1u))
            return ann_error(ANN_ERR_ARG, "not a permutation of the axes");
        seen |= 1u << from;
        node->shape.dim[i] = node->in[0]->dim[from];
    }
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
RULE(permute) {
    (void)wanted;
    int32_t inverse[ANN_MAX_RANK] = {0};
    const ann_attrs *attrs = ann_node_attrs(g, self);
    for (int32_t i = 0; i < ann_node_shape(g, self)->rank; i++) inverse[attrs->permute.perm[i]] = i;
    dx[0] = ann_permute(g, dy, inverse);
}
static void print_permute(const ann_attrs *attrs, char *buf, size_t size) {
    const int32_t *p = attrs->permute.perm;
    snprintf(buf, size, "perm=%d,%d,%d,%d,%d,%d,%d,%d", p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
}

const ann_op_info anni_op_permute = {.name = "permute",
                                     .tier = ANN_TIER_MATH,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .attr_bytes = sizeof((ann_attrs *)0)->permute,
                                     .infer = infer_permute,
                                     .vjp = vjp_permute,
                                     .print = print_permute};

ann_node ann_permute(ann_graph *g, ann_node x, const int32_t *perm) {
    if (!ann_node_is(x)) return x;
    ann_attrs attrs = {0};
    memcpy(attrs.permute.perm, perm, (size_t)ann_node_shape(g, x)->rank * sizeof *perm);
    return anni_build(g, ANN_OP_PERMUTE, ANN_F32, NULL, &attrs, &x, 1);
}
ann_node ann_transpose(ann_graph *g, ann_node x) {
    const int rank = ann_node_shape(g, x)->rank;
    if (ann_node_is(x) && rank < 2) return ann_graph_fail(g, ANN_ERR_SHAPE, "transpose: two axes are needed");
    int32_t perm[ANN_MAX_RANK];
    for (int32_t i = 0; i < ANN_MAX_RANK; i++) perm[i] = i;
    if (rank >= 2) {
        perm[rank - 1] = rank - 2;
        perm[rank - 2] = rank - 1;
    }
    return ann_permute(g, x, perm);
}

/* ---- bcast ---- */

static ann_status infer_bcast(anni_infer *node) {
    char text[128];
    bool fits = node->in[0]->rank == node->shape.rank;
    for (int i = 0; fits && i < node->shape.rank; i++)
        fits = node->in[0]->dim[i] == node->shape.dim[i] || node->in[0]->dim[i] == 1;
    if (!fits)
        return ann_error(ANN_ERR_SHAPE, "cannot be broadcast to %s",
                         ann_shape_str(text, sizeof text, &node->shape));
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
RULE(bcast) {
    (void)wanted;
    const ann_shape *from = ann_node_shape(g, IN(0)), *to = ann_node_shape(g, self);
    uint32_t axes = 0;
    for (int i = 0; i < to->rank; i++)
        if (from->dim[i] != to->dim[i]) axes |= 1u << i;
    dx[0] = ann_reduce_sum(g, dy, axes);
}

const ann_op_info anni_op_bcast = {
    .name = "bcast", .tier = ANN_TIER_MATH, .min_in = 1, .max_in = 1, .infer = infer_bcast, .vjp = vjp_bcast};

ann_node ann_bcast(ann_graph *g, ann_node x, ann_shape shape) {
    if (!ann_node_is(x) || ann_shape_equal(ann_node_shape(g, x), &shape)) return x;
    const ann_shape *from = ann_node_shape(g, x);
    ann_shape aligned = {.rank = shape.rank};
    char a[128], b[128];
    if (from->rank > shape.rank)
        return ann_graph_fail(g, ANN_ERR_SHAPE, "bcast: %s cannot be broadcast to %s",
                              ann_shape_str(a, sizeof a, from), ann_shape_str(b, sizeof b, &shape));
    for (int i = 0; i < shape.rank; i++) aligned.dim[i] = 1;
    for (int i = 1; i <= from->rank; i++) aligned.dim[shape.rank - i] = from->dim[from->rank - i];
    const ann_node y = ann_reshape(g, x, aligned);
    if (!ann_node_is(y) || ann_shape_equal(&aligned, &shape)) return y;
    return anni_build(g, ANN_OP_BCAST, ANN_F32, &shape, NULL, &y, 1);
}

/* ---- slice and pad ---- */

static ann_status infer_slice(anni_infer *node) {
    node->shape = *node->in[0];
    for (int i = 0; i < node->shape.rank; i++) {
        const int64_t lo = node->attrs->range.lo[i], hi = node->attrs->range.hi[i];
        if (lo < 0 || hi < lo || hi > node->in[0]->dim[i])
            return ann_error(ANN_ERR_SHAPE, "range [%lld,%lld) of axis %d", (long long)lo, (long long)hi, i);
        node->shape.dim[i] = hi - lo;
    }
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_pad(anni_infer *node) {
    node->shape = *node->in[0];
    for (int i = 0; i < node->shape.rank; i++) {
        const int64_t lo = node->attrs->range.lo[i], hi = node->attrs->range.hi[i];
        if (lo < 0 || hi < 0) return ann_error(ANN_ERR_SHAPE, "negative padding of axis %d", i);
        node->shape.dim[i] += lo + hi;
    }
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
RULE(slice) {
    (void)wanted;
    const ann_attrs *attrs = ann_node_attrs(g, self);
    const ann_shape *whole = ann_node_shape(g, IN(0));
    int64_t after[ANN_MAX_RANK] = {0};
    for (int i = 0; i < whole->rank; i++) after[i] = whole->dim[i] - attrs->range.hi[i];
    dx[0] = ann_pad(g, dy, attrs->range.lo, after);
}
RULE(pad) {
    (void)wanted;
    const ann_attrs *attrs = ann_node_attrs(g, self);
    const ann_shape *inner = ann_node_shape(g, IN(0));
    int64_t hi[ANN_MAX_RANK] = {0};
    for (int i = 0; i < inner->rank; i++) hi[i] = attrs->range.lo[i] + inner->dim[i];
    dx[0] = ann_slice(g, dy, attrs->range.lo, hi);
}
static void print_range(const ann_attrs *attrs, char *buf, size_t size) {
    const int64_t *lo = attrs->range.lo, *hi = attrs->range.hi;
    snprintf(buf, size, "lo=%lld,%lld,%lld,%lld hi=%lld,%lld,%lld,%lld", (long long)lo[0], (long long)lo[1],
             (long long)lo[2], (long long)lo[3], (long long)hi[0], (long long)hi[1], (long long)hi[2],
             (long long)hi[3]);
}

const ann_op_info anni_op_slice = {.name = "slice",
                                   .tier = ANN_TIER_MATH,
                                   .min_in = 1,
                                   .max_in = 1,
                                   .attr_bytes = sizeof((ann_attrs *)0)->range,
                                   .infer = infer_slice,
                                   .vjp = vjp_slice,
                                   .print = print_range};
const ann_op_info anni_op_pad = {.name = "pad",
                                 .tier = ANN_TIER_MATH,
                                 .min_in = 1,
                                 .max_in = 1,
                                 .attr_bytes = sizeof((ann_attrs *)0)->range,
                                 .infer = infer_pad,
                                 .vjp = vjp_pad,
                                 .print = print_range};

static ann_node build_range(ann_graph *g, ann_op op, ann_node x, const int64_t *lo, const int64_t *hi) {
    if (!ann_node_is(x)) return x;
    ann_attrs attrs = {0};
    const size_t bytes = (size_t)ann_node_shape(g, x)->rank * sizeof *lo;
    memcpy(attrs.range.lo, lo, bytes);
    memcpy(attrs.range.hi, hi, bytes);
    return anni_build(g, op, ANN_F32, NULL, &attrs, &x, 1);
}
ann_node ann_slice(ann_graph *g, ann_node x, const int64_t *lo, const int64_t *hi) {
    return build_range(g, ANN_OP_SLICE, x, lo, hi);
}
ann_node ann_pad(ann_graph *g, ann_node x, const int64_t *before, const int64_t *after) {
    return build_range(g, ANN_OP_PAD, x, before, after);
}

/* ---- concat ---- */

static ann_status infer_concat(anni_infer *node) {
    const int axis = node->attrs->axis.axis;
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    if (axis < 0 || axis >= node->shape.rank) return ann_error(ANN_ERR_ARG, "no axis %d", axis);
    for (int k = 1; k < node->n; k++) {
        const ann_shape *next = ann_node_shape(node->graph, node->inputs[k]);
        if (ann_node_dtype(node->graph, node->inputs[k]) != node->dtype)
            return ann_error(ANN_ERR_DTYPE, "input %d has another dtype", k);
        if (next->rank != node->shape.rank) return ann_error(ANN_ERR_SHAPE, "input %d has another rank", k);
        for (int i = 0; i < next->rank; i++)
            if (i != axis && next->dim[i] != node->shape.dim[i])
                return ann_error(ANN_ERR_SHAPE, "input %d differs in axis %d", k, i);
        node->shape.dim[axis] += next->dim[axis];
    }
    return ANN_OK;
}
RULE(concat) {
    const ann_node *inputs;
    const int n = ann_node_inputs(g, self, &inputs), axis = ann_node_attrs(g, self)->axis.axis;
    int64_t lo[ANN_MAX_RANK] = {0}, hi[ANN_MAX_RANK];
    memcpy(hi, ann_node_shape(g, self)->dim, sizeof hi);
    for (int k = 0; k < n; k++) {
        ann_node_inputs(g, self, &inputs);
        hi[axis] = lo[axis] + ann_node_shape(g, inputs[k])->dim[axis];
        if (wanted[k]) dx[k] = ann_slice(g, dy, lo, hi);
        lo[axis] = hi[axis];
    }
}
static void print_axis(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "axis=%d", attrs->axis.axis);
}

const ann_op_info anni_op_concat = {.name = "concat",
                                    .tier = ANN_TIER_MATH,
                                    .min_in = 1,
                                    .max_in = INT32_MAX,
                                    .attr_bytes = sizeof((ann_attrs *)0)->axis,
                                    .infer = infer_concat,
                                    .vjp = vjp_concat,
                                    .print = print_axis};

ann_node ann_concat(ann_graph *g, const ann_node *xs, int n, int axis) {
    const ann_attrs attrs = {.axis = {axis}};
    return anni_build(g, ANN_OP_CONCAT, ANN_F32, NULL, &attrs, xs, n);
}
