/* Communication and effects. */
#include "graph/node.h"

#include <stdio.h>

static ann_status infer_allreduce(anni_infer *node) {
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    if (node->attrs->comm.wire != ANN_WIRE_NATIVE && node->in_dtype[0] != ANN_F32)
        return ann_error(ANN_ERR_DTYPE, "wire formats are for f32");
    if (node->attrs->comm.most < 0 || node->attrs->comm.most > ann_shape_elems(node->in[0]))
        return ann_error(ANN_ERR_ARG, "at most %lld elements of %lld", (long long)node->attrs->comm.most,
                         (long long)ann_shape_elems(node->in[0]));
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
/* A sum over ranks of a function of x: its adjoint is the sum over ranks of dy. */
static void vjp_allreduce(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx) {
    (void)wanted;
    dx[0] = ann_allreduce(g, dy, ann_node_attrs(g, self)->comm.channel);
}
static void print_channel(const ann_attrs *attrs, char *buf, size_t size) {
    static const char *const wires[] = {[ANN_WIRE_NATIVE] = "",
                                        [ANN_WIRE_BF16] = " wire=bf16",
                                        [ANN_WIRE_F16] = " wire=f16",
                                        [ANN_WIRE_SPARSE] = " wire=sparse"};
    const int used = snprintf(buf, size, "channel=%d%s", attrs->comm.channel, wires[attrs->comm.wire]);
    if (attrs->comm.wire == ANN_WIRE_SPARSE && used > 0 && (size_t)used < size)
        snprintf(buf + used, size - (size_t)used, " most=%lld", (long long)attrs->comm.most);
}

const ann_op_info anni_op_allreduce = {.name = "allreduce",
                                       .tier = ANN_TIER_MATH,
                                       .min_in = 1,
                                       .max_in = 1,
                                       .flags = ANNI_UNIQUE | ANNI_COLLECTIVE,
                                       .attr_bytes = sizeof((ann_attrs *)0)->comm,
                                       .infer = infer_allreduce,
                                       .vjp = vjp_allreduce,
                                       .print = print_channel};

ann_node ann_allreduce(ann_graph *g, ann_node x, int32_t channel) {
    return ann_allreduce_as(g, x, channel, ANN_WIRE_NATIVE, 0);
}

ann_node ann_allreduce_as(ann_graph *g, ann_node x, int32_t channel, ann_wire wire, int64_t most) {
    const ann_attrs attrs = {.comm = {.channel = channel, .wire = wire, .most = most}};
    return anni_build(g, ANN_OP_ALLREDUCE, ANN_F32, NULL, &attrs, &x, 1);
}

/* ---- chunks ---- */

static ann_status check_chunk(const anni_infer *node) {
    const ann_attrs *a = node->attrs;
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    if (node->in[0]->rank != 1) return ann_error(ANN_ERR_SHAPE, "a flat vector is needed");
    if (a->chunk.begin < 0 || a->chunk.count < 0 || a->chunk.begin + a->chunk.count > a->chunk.elems)
        return ann_error(ANN_ERR_ARG, "chunk %lld+%lld of %lld elements", (long long)a->chunk.begin,
                         (long long)a->chunk.count, (long long)a->chunk.elems);
    return ANN_OK;
}
static ann_status infer_reduce_scatter(anni_infer *node) {
    ANN_TRY(check_chunk(node));
    node->shape = ANN_SHAPE(node->attrs->chunk.count);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static ann_status infer_allgather(anni_infer *node) {
    ANN_TRY(check_chunk(node));
    node->shape = ANN_SHAPE(node->attrs->chunk.elems);
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static void vjp_reduce_scatter(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx) {
    const ann_attrs *a = ann_node_attrs(g, self);
    (void)wanted;
    dx[0] = ann_allgather(g, dy, a->chunk.channel, a->chunk.begin, a->chunk.elems);
}
static void vjp_allgather(ann_graph *g, ann_node self, ann_node dy, const bool *wanted, ann_node *dx) {
    const ann_attrs *a = ann_node_attrs(g, self);
    (void)wanted;
    dx[0] = ann_reduce_scatter(g, dy, a->chunk.channel, a->chunk.begin, a->chunk.count);
}
static void print_chunk(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "channel=%d chunk=%lld+%lld", attrs->chunk.channel, (long long)attrs->chunk.begin,
             (long long)attrs->chunk.count);
}

const ann_op_info anni_op_reduce_scatter = {.name = "reduce_scatter",
                                            .tier = ANN_TIER_MATH,
                                            .min_in = 1,
                                            .max_in = 1,
                                            .flags = ANNI_UNIQUE | ANNI_COLLECTIVE,
                                            .attr_bytes = ANNI_ATTR_BYTES(chunk, channel),
                                            .infer = infer_reduce_scatter,
                                            .vjp = vjp_reduce_scatter,
                                            .print = print_chunk};
const ann_op_info anni_op_allgather = {.name = "allgather",
                                       .tier = ANN_TIER_MATH,
                                       .min_in = 1,
                                       .max_in = 1,
                                       .flags = ANNI_UNIQUE | ANNI_COLLECTIVE,
                                       .attr_bytes = ANNI_ATTR_BYTES(chunk, channel),
                                       .infer = infer_allgather,
                                       .vjp = vjp_allgather,
                                       .print = print_chunk};

ann_node ann_reduce_scatter(ann_graph *g, ann_node x, int32_t channel, int64_t begin, int64_t count) {
    const ann_attrs attrs = {.chunk = {ann_shape_elems(ann_node_shape(g, x)), begin, count, channel}};
    return anni_build(g, ANN_OP_REDUCE_SCATTER, ANN_F32, NULL, &attrs, &x, 1);
}
ann_node ann_allgather(ann_graph *g, ann_node x, int32_t channel, int64_t begin, int64_t elems) {
    const ann_attrs attrs = {.chunk = {elems, begin, ann_shape_elems(ann_node_shape(g, x)), channel}};
    return anni_build(g, ANN_OP_ALLGATHER, ANN_F32, NULL, &attrs, &x, 1);
}

/* ---- assign ---- */

static ann_status infer_assign(anni_infer *node) {
    const ann_op target = ann_node_op(node->graph, node->inputs[0]);
    if (target != ANN_OP_STORE && target != ANN_OP_BLOCK)
        return ann_error(ANN_ERR_ARG, "the target is not of the store");
    if (!ann_shape_equal(node->in[0], node->in[1]))
        return ann_error(ANN_ERR_SHAPE, "target and value differ in shape");
    if (node->in_dtype[0] != node->in_dtype[1])
        return ann_error(ANN_ERR_DTYPE, "target and value differ in dtype");
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}

const ann_op_info anni_op_assign = {.name = "assign",
                                    .tier = ANN_TIER_MATH,
                                    .min_in = 2,
                                    .max_in = 2,
                                    .flags = ANNI_UNIQUE | ANNI_ZERO_GRAD,
                                    .infer = infer_assign};

ann_node ann_assign(ann_graph *g, ann_node target, ann_node value) {
    return anni_build(g, ANN_OP_ASSIGN, ANN_F32, NULL, NULL, (ann_node[]){target, value}, 2);
}
