/* Leaves: inputs, the store, constants, random numbers. */
#include "graph/node.h"

#include <stdio.h>

static ann_status infer_as_asked(anni_infer *node) {
    for (int i = 0; i < node->shape.rank; i++)
        if (node->shape.dim[i] < 0) return ann_error(ANN_ERR_SHAPE, "negative extent");
    return ANN_OK;
}

/* ---- input ---- */

static ann_status own_name(ann_arena *arena, ann_attrs *attrs, int n_in) {
    (void)n_in;
    attrs->input.name = ann_arena_strdup(arena, attrs->input.name);
    return attrs->input.name ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for a name");
}
static void print_input(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "name=%s", attrs->input.name);
}

const ann_op_info anni_op_input = {.name = "input",
                                   .tier = ANN_TIER_LEAF,
                                   .flags = ANNI_UNIQUE,
                                   .attr_bytes = sizeof((ann_attrs *)0)->input,
                                   .infer = infer_as_asked,
                                   .own_attrs = own_name,
                                   .print = print_input};

ann_node ann_input(ann_graph *g, const char *name, ann_dtype dtype, ann_shape shape) {
    const ann_attrs attrs = {.input = {name}};
    return anni_build(g, ANN_OP_INPUT, dtype, &shape, &attrs, NULL, 0);
}

/* ---- the store ---- */

static ann_status infer_store(anni_infer *node) {
    const ann_store *store = ann_graph_store(node->graph);
    const ann_tensor tensor = node->attrs->store.tensor;
    if (!store || tensor.id < 0 || tensor.id >= ann_store_count(store))
        return ann_error(ANN_ERR_ARG, "no such tensor in the store");
    const ann_tensor_info *info = ann_store_info(store, tensor);
    node->shape = info->shape;
    node->dtype = info->dtype;
    return ANN_OK;
}
static void print_store(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "tensor=%d", attrs->store.tensor.id);
}

const ann_op_info anni_op_store = {.name = "store",
                                   .tier = ANN_TIER_LEAF,
                                   .attr_bytes = sizeof((ann_attrs *)0)->store,
                                   .infer = infer_store,
                                   .print = print_store};

ann_node ann_load(ann_graph *g, ann_tensor tensor) {
    const ann_attrs attrs = {.store = {tensor}};
    return anni_build(g, ANN_OP_STORE, ANN_F32, NULL, &attrs, NULL, 0);
}

static ann_status infer_block(anni_infer *node) {
    const ann_store *store = ann_graph_store(node->graph);
    const ann_block block = node->attrs->block.block;
    if (!store || block.id < 0 || block.id >= ann_store_block_count(store))
        return ann_error(ANN_ERR_ARG, "no such block in the store");
    const int64_t offset = node->attrs->block.offset, elems = node->attrs->block.elems;
    if (offset < 0 || elems < 0 || offset + elems > ann_store_block_elems(store, block))
        return ann_error(ANN_ERR_SHAPE, "range outside the block");
    node->shape = ANN_SHAPE(elems);
    node->dtype = ann_store_block_dtype(store, block);
    return ANN_OK;
}
static void print_block(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "block=%d range=%lld+%lld", attrs->block.block.id, (long long)attrs->block.offset,
             (long long)attrs->block.elems);
}

const ann_op_info anni_op_block = {.name = "block",
                                   .tier = ANN_TIER_LEAF,
                                   .attr_bytes = ANNI_ATTR_BYTES(block, block),
                                   .infer = infer_block,
                                   .print = print_block};

ann_node ann_load_block(ann_graph *g, ann_block block) {
    const ann_store *store = ann_graph_store(g);
    if (!store || block.id < 0) return ann_graph_fail(g, ANN_ERR_ARG, "no such block in the store");
    const ann_attrs attrs = {.block = {0, ann_store_block_elems(store, block), block}};
    return anni_build(g, ANN_OP_BLOCK, ANN_F32, NULL, &attrs, NULL, 0);
}

/* ---- constants and random numbers ---- */

static void print_fill(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "value=%.9g", attrs->fill.value);
}

const ann_op_info anni_op_fill = {.name = "fill",
                                  .tier = ANN_TIER_LEAF,
                                  .attr_bytes = sizeof((ann_attrs *)0)->fill,
                                  .infer = infer_as_asked,
                                  .print = print_fill};

ann_node ann_fill(ann_graph *g, ann_dtype dtype, ann_shape shape, double value) {
    const ann_attrs attrs = {.fill = {value}};
    return anni_build(g, ANN_OP_FILL, dtype, &shape, &attrs, NULL, 0);
}
ann_node ann_scalar(ann_graph *g, ann_dtype dtype, double value) {
    return ann_fill(g, dtype, ANN_SCALAR, value);
}

static ann_status infer_rand(anni_infer *node) {
    if (!ann_dtype_is_float(node->dtype)) return ann_error(ANN_ERR_DTYPE, "random numbers are f32 or f64");
    if (node->in_dtype[0] != ANN_I64 || node->in[0]->rank != 1)
        return ann_error(ANN_ERR_DTYPE, "ids must be i64 [B]");
    if (node->shape.rank < 1 || node->shape.dim[0] != node->in[0]->dim[0])
        return ann_error(ANN_ERR_SHAPE, "one id per row is needed");
    return ANN_OK;
}
static void print_rand(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "kind=%s stream=%u", attrs->rand.kind == ANN_RAND_NORMAL ? "normal" : "uniform",
             attrs->rand.stream);
}

const ann_op_info anni_op_rand = {.name = "rand",
                                  .tier = ANN_TIER_MATH,
                                  .min_in = 1,
                                  .max_in = 1,
                                  .flags = ANNI_ZERO_GRAD,
                                  .attr_bytes = sizeof((ann_attrs *)0)->rand,
                                  .infer = infer_rand,
                                  .print = print_rand};

ann_node ann_rand(ann_graph *g, ann_rand_kind kind, ann_dtype dtype, ann_shape shape, ann_node ids,
                  uint64_t seed, uint32_t stream) {
    const ann_attrs attrs = {.rand = {.kind = kind, .stream = stream, .seed = seed}};
    return anni_build(g, ANN_OP_RAND, dtype, &shape, &attrs, &ids, 1);
}
