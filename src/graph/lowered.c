/* Lowered ops: made by passes and by the optimizer's packing, after differentiation; they have no gradient.
 */
#include "graph/node.h"

#include <stdio.h>
#include <string.h>

#include "kernel/fused.h"

/* ---- pack ---- */

static ann_status infer_pack(anni_infer *node) {
    int64_t end = 0;
    node->dtype = node->in_dtype[0];
    for (int i = 0; i < node->n; i++) {
        const int64_t offset = node->attrs->pack.offsets[i];
        if (ann_node_dtype(node->graph, node->inputs[i]) != node->dtype)
            return ann_error(ANN_ERR_DTYPE, "input %d has another dtype", i);
        if (offset < end) return ann_error(ANN_ERR_ARG, "input %d overlaps the one before it", i);
        end = offset + ann_shape_elems(ann_node_shape(node->graph, node->inputs[i]));
    }
    if (node->shape.rank != 1 || end > node->shape.dim[0])
        return ann_error(ANN_ERR_SHAPE, "the inputs do not fit");
    return ANN_OK;
}
static ann_status own_offsets(ann_arena *arena, ann_attrs *attrs, int n_in) {
    int64_t *kept = ann_arena_alloc(arena, (size_t)n_in * sizeof *kept);
    if (!kept) return ann_error(ANN_ERR_MEMORY, "no memory for offsets");
    memcpy(kept, attrs->pack.offsets, (size_t)n_in * sizeof *kept);
    attrs->pack.offsets = kept;
    return ANN_OK;
}

const ann_op_info anni_op_pack = {.name = "pack",
                                  .tier = ANN_TIER_LOWERED,
                                  .min_in = 1,
                                  .max_in = INT32_MAX,
                                  .flags = ANNI_UNIQUE,
                                  .attr_bytes = sizeof((ann_attrs *)0)->pack,
                                  .infer = infer_pack,
                                  .own_attrs = own_offsets};

ann_node ann_pack(ann_graph *g, const ann_node *xs, int n, const int64_t *offsets, int64_t elems) {
    const ann_attrs attrs = {.pack = {offsets}};
    return anni_build(g, ANN_OP_PACK, ANN_F32, &ANN_SHAPE(elems), &attrs, xs, n);
}

/* ---- gather_block, view ---- */

/* Input: a block range of the store, of which only this rank's chunk need be right. The same memory when the
   chunks of all ranks are there. */
static ann_status infer_gather_block(anni_infer *node) {
    const ann_attrs *a = node->attrs;
    if (ann_node_op(node->graph, node->inputs[0]) != ANN_OP_BLOCK)
        return ann_error(ANN_ERR_ARG, "a range of the store is needed");
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    if (node->shape.dim[0] != a->chunk.elems || a->chunk.begin < 0 || a->chunk.count < 0 ||
        a->chunk.begin + a->chunk.count > a->chunk.elems)
        return ann_error(ANN_ERR_SHAPE, "a chunk of another range");
    return ANN_OK;
}
static void print_gather_block(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "channel=%d chunk=%lld+%lld", attrs->chunk.channel, (long long)attrs->chunk.begin,
             (long long)attrs->chunk.count);
}

const ann_op_info anni_op_gather_block = {.name = "gather_block",
                                          .tier = ANN_TIER_LOWERED,
                                          .min_in = 1,
                                          .max_in = 1,
                                          .flags = ANNI_UNIQUE | ANNI_ALIAS | ANNI_COLLECTIVE,
                                          .attr_bytes = ANNI_ATTR_BYTES(chunk, channel),
                                          .infer = infer_gather_block,
                                          .print = print_gather_block};

/* A tensor inside of a flat vector. */
static ann_status infer_view(anni_infer *node) {
    const int64_t offset = node->attrs->view.offset;
    if (node->in[0]->rank != 1 || offset < 0 || offset + ann_shape_elems(&node->shape) > node->in[0]->dim[0])
        return ann_error(ANN_ERR_SHAPE, "outside of the vector");
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static void print_view(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "offset=%lld", (long long)attrs->view.offset);
}

const ann_op_info anni_op_view = {.name = "view",
                                  .tier = ANN_TIER_LOWERED,
                                  .min_in = 1,
                                  .max_in = 1,
                                  .flags = ANNI_ALIAS,
                                  .attr_bytes = sizeof((ann_attrs *)0)->view,
                                  .infer = infer_view,
                                  .print = print_view};

/* ---- topk ---- */

static ann_status infer_topk(anni_infer *node) {
    const int64_t k = node->attrs->topk.k;
    if (!ann_dtype_is_float(node->in_dtype[0])) return ann_error(ANN_ERR_DTYPE, "f32 or f64 is needed");
    if (node->in[0]->rank != 1) return ann_error(ANN_ERR_SHAPE, "a vector is needed");
    if (k < 0 || k > node->in[0]->dim[0])
        return ann_error(ANN_ERR_ARG, "%lld elements of %lld", (long long)k, (long long)node->in[0]->dim[0]);
    node->shape = *node->in[0];
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static void print_topk(const ann_attrs *attrs, char *buf, size_t size) {
    snprintf(buf, size, "k=%lld", (long long)attrs->topk.k);
}

const ann_op_info anni_op_topk = {.name = "topk",
                                  .tier = ANN_TIER_LOWERED,
                                  .min_in = 1,
                                  .max_in = 1,
                                  .attr_bytes = sizeof((ann_attrs *)0)->topk,
                                  .infer = infer_topk,
                                  .print = print_topk};

ann_node ann_topk(ann_graph *g, ann_node x, int64_t k) {
    const ann_attrs attrs = {.topk = {k}};
    return anni_build(g, ANN_OP_TOPK, ANN_F32, NULL, &attrs, &x, 1);
}

/* ---- fused ---- */

static ann_status infer_fused(anni_infer *node) {
    const ann_fused *f = node->attrs->fused;
    if (f->n_in != node->n) return ann_error(ANN_ERR_INTERNAL, "a program of %d inputs", f->n_in);
    if (f->has_value && ann_shape_elems(&node->shape) != f->outer * f->inner)
        return ann_error(ANN_ERR_INTERNAL, "a loop of another size");
    node->dtype = f->dtype;
    return ANN_OK;
}
static ann_status own_program(ann_arena *arena, ann_attrs *attrs, int n_in) {
    (void)n_in;
    ann_fused *kept = ann_arena_alloc(arena, sizeof *kept);
    if (!kept) return ann_error(ANN_ERR_MEMORY, "no memory for a program");
    *kept = *attrs->fused;
    attrs->fused = kept;
    return ANN_OK;
}
static void print_fused(const ann_attrs *attrs, char *buf, size_t size) {
    const ann_fused *f = attrs->fused;
    size_t used = (size_t)snprintf(buf, size, "loop=%lldx%lld ", (long long)f->outer, (long long)f->inner);
    for (int i = 0; i < f->n_code && used < size; i++) {
        const ann_fused_instr *c = &f->code[i];
        used += (size_t)snprintf(buf + used, size - used, "r%d=%s(r%d", f->n_in + i,
                                 anni_op_info(c->op)->name, c->a);
        if (c->b >= 0 && used < size) used += (size_t)snprintf(buf + used, size - used, ",r%d", c->b);
        if (c->c >= 0 && used < size) used += (size_t)snprintf(buf + used, size - used, ",r%d", c->c);
        if (used < size) used += (size_t)snprintf(buf + used, size - used, ") ");
    }
    for (int i = 0; i < f->n_store && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "in%d:=r%d ", f->store[i].in, f->store[i].reg);
}

const ann_op_info anni_op_fused = {.name = "fused",
                                   .tier = ANN_TIER_LOWERED,
                                   .max_in = ANN_FUSED_MAX_IN,
                                   .flags = ANNI_UNIQUE,
                                   .attr_bytes = sizeof((ann_attrs *)0)->fused,
                                   .infer = infer_fused,
                                   .own_attrs = own_program,
                                   .print = print_fused};

/* ---- bias_act ---- */

static ann_status infer_bias_act(anni_infer *node) {
    const ann_shape *x = node->in[0];
    if (x->rank < 1 || ann_shape_elems(node->in[1]) != x->dim[x->rank - 1])
        return ann_error(ANN_ERR_SHAPE, "one bias per channel is needed");
    node->shape = *x;
    node->dtype = node->in_dtype[0];
    return ANN_OK;
}
static void print_bias_act(const ann_attrs *attrs, char *buf, size_t size) {
    static const char *const names[] = {[ANN_ACT_NONE] = "none",
                                        [ANN_ACT_RELU] = "relu",
                                        [ANN_ACT_SIGMOID] = "sigmoid",
                                        [ANN_ACT_TANH] = "tanh"};
    snprintf(buf, size, "act=%s", names[attrs->bias_act.act]);
}

const ann_op_info anni_op_bias_act = {.name = "bias_act",
                                      .tier = ANN_TIER_LOWERED,
                                      .min_in = 2,
                                      .max_in = 2,
                                      .flags = ANNI_INPLACE,
                                      .attr_bytes = sizeof((ann_attrs *)0)->bias_act,
                                      .infer = infer_bias_act,
                                      .print = print_bias_act};
