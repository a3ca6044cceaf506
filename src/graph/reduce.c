/* Reductions and their companions. */
#include "graph/node.h"

#include <stdio.h>

#define RULE(name)                                                                                           \
    static void vjp_##name(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx)
#define IN(i) anni_in(g, self, i)

static ann_status infer_reduce(anni_infer *node) {
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    const uint32_t axes = node->attrs->reduce.axes;
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    if (axes >> node->shape.rank)
        return ann_error(ANN_ERR_ARG, "axes 0x%x of rank %d", axes, node->shape.rank);
    for (int i = 0; i < node->shape.rank; i++)
        if (axes >> i & 1u) node->shape.dim[i] = 1;
    return ANN_OK;
}
static double flops_of_input(const ann_graph *g, ann_node self) {
    return (double)ann_shape_elems(ann_node_shape(g, anni_in(g, self, 0)));
}
static void print_axes(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "axes=0x%x", attrs->reduce.axes);
}

RULE(reduce_sum) { (void)wanted, dx[0] = ann_bcast(g, dy, *ann_node_shape(g, IN(0))); }
RULE(reduce_max) {
    (void)wanted;
    const ann_node is_max = ann_eq(g, IN(0), self); /* broadcasts self */
    const ann_node count = ann_reduce_sum(g, is_max, ann_node_attrs(g, self)->reduce.axes);
    dx[0] = ann_mul(g, is_max, ann_div(g, dy, count));
}

const ann_op_info anni_op_reduce_sum = {.name = "reduce_sum",
                                        .tier = ANN_TIER_MATH,
                                        .min_in = 1,
                                        .max_in = 1,
                                        .attr_bytes = sizeof((ann_attrs *)0)->reduce,
                                        .infer = infer_reduce,
                                        .vjp = vjp_reduce_sum,
                                        .flops = flops_of_input,
                                        .print = print_axes};
const ann_op_info anni_op_reduce_max = {.name = "reduce_max",
                                        .tier = ANN_TIER_MATH,
                                        .min_in = 1,
                                        .max_in = 1,
                                        .attr_bytes = sizeof((ann_attrs *)0)->reduce,
                                        .infer = infer_reduce,
                                        .vjp = vjp_reduce_max,
                                        .flops = flops_of_input,
                                        .print = print_axes};

static ann_node reduce(ann_graph *g, ann_op op, ann_node x, uint32_t axes) {
    if (!axes) return x;
    const ann_attrs attrs = {.reduce = {axes}};
    return anni_build(g, op, ANN_F32, NULL, &attrs, &x, 1);
}
ann_node ann_reduce_sum(ann_graph *g, ann_node x, uint32_t axes) {
    return reduce(g, ANN_OP_REDUCE_SUM, x, axes);
}
ann_node ann_reduce_max(ann_graph *g, ann_node x, uint32_t axes) {
    return reduce(g, ANN_OP_REDUCE_MAX, x, axes);
}
ann_node ann_sum_all(ann_graph *g, ann_node x) {
    const uint32_t all = (1u << ann_node_shape(g, x)->rank) - 1u;
    return ann_reshape(g, ann_reduce_sum(g, x, all), ANN_SCALAR);
}

/* ---- argmax and one_hot ---- */

static ann_status infer_argmax(anni_infer *node) {
    if (node->in[0]->rank < 1 || node->in[0]->dim[node->in[0]->rank - 1] < 1)
        return ann_error(ANN_ERR_SHAPE, "a last axis is needed");
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    node->shape = *node->in[0];
    node->shape.dim[--node->shape.rank] = 0;
    node->dtype = ANN_I32;
    return ANN_OK;
}
static ann_status infer_one_hot(anni_infer *node) {
    if (node->in_dtype[0] != ANN_I32) return ann_error(ANN_ERR_DTYPE, "indices are i32");
    if (!ann_dtype_is_float(node->dtype)) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    const int rank = node->in[0]->rank;
    if (rank + 1 > ANN_MAX_RANK || node->shape.rank != rank + 1 || node->shape.dim[rank] < 1)
        return ann_error(ANN_ERR_SHAPE, "number of classes");
    for (int i = 0; i < rank; i++)
        if (node->shape.dim[i] != node->in[0]->dim[i])
            return ann_error(ANN_ERR_SHAPE, "one row per index is needed");
    return ANN_OK;
}

const ann_op_info anni_op_argmax = {.name = "argmax",
                                    .tier = ANN_TIER_MATH,
                                    .min_in = 1,
                                    .max_in = 1,
                                    .flags = ANNI_ZERO_GRAD,
                                    .infer = infer_argmax,
                                    .flops = flops_of_input};
const ann_op_info anni_op_one_hot = {.name = "one_hot",
                                     .tier = ANN_TIER_MATH,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .flags = ANNI_ZERO_GRAD,
                                     .infer = infer_one_hot};

ann_node ann_argmax(ann_graph *g, ann_node x) {
    return anni_build(g, ANN_OP_ARGMAX, ANN_I32, NULL, NULL, &x, 1);
}
ann_node ann_one_hot(ann_graph *g, ann_node index, int64_t k, ann_dtype dtype) {
    ann_shape shape = *ann_node_shape(g, index);
    if (shape.rank < ANN_MAX_RANK) shape.dim[shape.rank++] = k;
    return anni_build(g, ANN_OP_ONE_HOT, dtype, &shape, NULL, &index, 1);
}
