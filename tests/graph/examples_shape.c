/* Examples of ops that move or reduce elements, of effects, and of lowered ops. */
#include "op_examples.h"

#include "graph/node.h"
#include "kernel/fused.h"

#define ONE(gen, ...) .n_in = 1, .in = {{gen, EXTENTS(__VA_ARGS__), 0}}
#define END                                                                                                  \
    { .name = NULL }

static ann_node reshape(ann_graph *g, ann_node x) { return ann_reshape(g, x, ANN_SHAPE(4, 6)); }
static ann_node reshape_open(ann_graph *g, ann_node x) { return ann_reshape(g, x, ANN_SHAPE(3, -1, 2)); }
static ann_node permute3(ann_graph *g, ann_node x) { return ann_permute(g, x, (int32_t[]){2, 0, 1}); }
static ann_node permute4(ann_graph *g, ann_node x) { return ann_permute(g, x, (int32_t[]){0, 3, 1, 2}); }
static ann_node bcast_rows(ann_graph *g, ann_node x) { return ann_bcast(g, x, ANN_SHAPE(4, 3)); }
static ann_node bcast_middle(ann_graph *g, ann_node x) { return ann_bcast(g, x, ANN_SHAPE(2, 4, 3)); }
static ann_node bcast_column(ann_graph *g, ann_node x) { return ann_bcast(g, x, ANN_SHAPE(3, 5)); }
static ann_node slice(ann_graph *g, ann_node x) {
    return ann_slice(g, x, (int64_t[]){1, 0, 2}, (int64_t[]){3, 3, 4});
}
static ann_node slice_empty(ann_graph *g, ann_node x) {
    return ann_slice(g, x, (int64_t[]){2, 1}, (int64_t[]){2, 3});
}
static ann_node pad(ann_graph *g, ann_node x) {
    return ann_pad(g, x, (int64_t[]){1, 0, 2}, (int64_t[]){0, 1, 1});
}
static ann_node concat_first(ann_graph *g, const ann_node *in) { return ann_concat(g, in, 2, 0); }
static ann_node concat_middle(ann_graph *g, const ann_node *in) { return ann_concat(g, in, 3, 1); }
static ann_node concat_last(ann_graph *g, const ann_node *in) { return ann_concat(g, in, 2, 2); }

const op_example example_of_reshape[] = {{"reshape", ONE(GEN_SIGNED, 2, 3, 4), .unary = reshape},
                                         {"reshape/open", ONE(GEN_SIGNED, 2, 3, 4), .unary = reshape_open},
                                         END};
const op_example example_of_permute[] = {
    {"permute/3", ONE(GEN_SIGNED, 2, 3, 4), .unary = permute3},
    {"permute/nhwc_nchw", ONE(GEN_SIGNED, 2, 3, 2, 4), .unary = permute4},
    {"permute/transpose", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_transpose},
    {"permute/i32", ONE(GEN_INT, 2, 3, 4), .unary = permute3},
    END};
const op_example example_of_bcast[] = {{"bcast/rows", ONE(GEN_SIGNED, 3), .unary = bcast_rows},
                                       {"bcast/middle", ONE(GEN_SIGNED, 2, 1, 3), .unary = bcast_middle},
                                       {"bcast/column", ONE(GEN_SIGNED, 3, 1), .unary = bcast_column},
                                       {"bcast/one", ONE(GEN_SIGNED, 1, 1), .unary = bcast_rows},
                                       END};
const op_example example_of_slice[] = {{"slice", ONE(GEN_SIGNED, 3, 3, 4), .unary = slice},
                                       {"slice/empty", ONE(GEN_SIGNED, 3, 4), .unary = slice_empty},
                                       {"slice/i32", ONE(GEN_INT, 3, 3, 4), .unary = slice},
                                       END};
const op_example example_of_pad[] = {
    {"pad", ONE(GEN_SIGNED, 2, 3, 2), .unary = pad}, {"pad/i32", ONE(GEN_INT, 2, 3, 2), .unary = pad}, END};
const op_example example_of_concat[] = {
    {"concat/first",
     2,
     {{GEN_SIGNED, EXTENTS(2, 3), 0}, {GEN_SIGNED, EXTENTS(1, 3), 0}},
     .build = concat_first},
    {"concat/middle",
     3,
     {{GEN_SIGNED, EXTENTS(2, 1, 3), 0},
      {GEN_SIGNED, EXTENTS(2, 3, 3), 0},
      {GEN_SIGNED, EXTENTS(2, 2, 3), 0}},
     .build = concat_middle},
    {"concat/last",
     2,
     {{GEN_SIGNED, EXTENTS(2, 2, 3), 0}, {GEN_SIGNED, EXTENTS(2, 2, 1), 0}},
     .build = concat_last},
    {"concat/i32", 2, {{GEN_INT, EXTENTS(2, 2, 3), 0}, {GEN_INT, EXTENTS(2, 2, 1), 0}}, .build = concat_last},
    END};

/* ---- reductions ---- */

static ann_node sum_first(ann_graph *g, ann_node x) { return ann_reduce_sum(g, x, 1u << 0); }
static ann_node sum_last(ann_graph *g, ann_node x) { return ann_reduce_sum(g, x, 1u << 2); }
static ann_node sum_middle(ann_graph *g, ann_node x) { return ann_reduce_sum(g, x, 1u << 1); }
static ann_node sum_outer(ann_graph *g, ann_node x) { return ann_reduce_sum(g, x, 1u << 0 | 1u << 2); }
static ann_node sum_every(ann_graph *g, ann_node x) { return ann_reduce_sum(g, x, 7u); }
static ann_node max_first(ann_graph *g, ann_node x) { return ann_reduce_max(g, x, 1u << 0); }
static ann_node max_last(ann_graph *g, ann_node x) { return ann_reduce_max(g, x, 1u << 2); }
static ann_node max_outer(ann_graph *g, ann_node x) { return ann_reduce_max(g, x, 1u << 0 | 1u << 2); }
static ann_node one_hot(ann_graph *g, const ann_node *in) {
    return ann_one_hot(g, in[0], 5, ann_node_dtype(g, in[1]));
}

const op_example example_of_reduce_sum[] = {
    {"reduce_sum/first", ONE(GEN_SIGNED, 2, 3, 4), .unary = sum_first},
    {"reduce_sum/middle", ONE(GEN_SIGNED, 2, 3, 4), .unary = sum_middle},
    {"reduce_sum/last", ONE(GEN_SIGNED, 2, 3, 4), .unary = sum_last},
    {"reduce_sum/outer", ONE(GEN_SIGNED, 2, 3, 4), .unary = sum_outer},
    {"reduce_sum/every", ONE(GEN_SIGNED, 2, 3, 4), .unary = sum_every},
    END};
const op_example example_of_reduce_max[] = {
    {"reduce_max/first", ONE(GEN_DISTINCT, 2, 3, 4), .unary = max_first},
    {"reduce_max/last", ONE(GEN_DISTINCT, 2, 3, 4), .unary = max_last},
    {"reduce_max/outer", ONE(GEN_DISTINCT, 2, 3, 4), .unary = max_outer},
    END};
const op_example example_of_argmax[] = {{"argmax", ONE(GEN_DISTINCT, 2, 3, 5), .unary = ann_argmax},
                                        {"argmax/ties", ONE(GEN_BINARY, 4, 5), .unary = ann_argmax},
                                        END};
const op_example example_of_one_hot[] = {
    {"one_hot", 2, {{GEN_LABEL, EXTENTS(4), 5}, {GEN_BINARY, EXTENTS(1), 0}}, .build = one_hot},
    {"one_hot/out_of_range",
     2,
     {{GEN_LABEL, EXTENTS(2, 3), 9}, {GEN_BINARY, EXTENTS(1), 0}},
     .build = one_hot},
    END};

/* ---- communication, effects, lowered ops ---- */

static ann_node allreduce(ann_graph *g, ann_node x) { return ann_allreduce(g, x, 0); }
static ann_node reduce_scatter(ann_graph *g, ann_node x) { return ann_reduce_scatter(g, x, 0, 2, 3); }
static ann_node allgather(ann_graph *g, ann_node x) { return ann_allgather(g, x, 0, 2, 7); }
static ann_node view(ann_graph *g, ann_node x) {
    const ann_attrs attrs = {.view = {1}};
    return anni_build(g, ANN_OP_VIEW, ANN_F32, &ANN_SHAPE(2, 3), &attrs, &x, 1);
}
static ann_node gather_block(ann_graph *g, const ann_node *in) {
    const ann_node block = ann_load_block(g, ann_store_info(ann_graph_store(g), (ann_tensor){0})->block);
    const int64_t elems = ann_shape_elems(ann_node_shape(g, block));
    const ann_attrs attrs = {.chunk = {.elems = elems, .count = elems}};
    (void)in;
    return anni_build(g, ANN_OP_GATHER_BLOCK, ANN_F32, NULL, &attrs, &block, 1);
}
static ann_node assign(ann_graph *g, ann_node x) { return ann_assign(g, ann_load(g, (ann_tensor){0}), x); }
static ann_node pack(ann_graph *g, const ann_node *in) { return ann_pack(g, in, 2, (int64_t[]){1, 10}, 16); }

static ann_node top_5(ann_graph *g, ann_node x) { return ann_topk(g, x, 5); }
static ann_node top_all(ann_graph *g, ann_node x) { return ann_topk(g, x, 19); }
static ann_node top_none(ann_graph *g, ann_node x) { return ann_topk(g, x, 0); }
static ann_node allreduce_as(ann_graph *g, ann_node x) {
    return ann_allreduce_as(g, x, 0, ann_node_dtype(g, x) == ANN_F32 ? ANN_WIRE_BF16 : ANN_WIRE_NATIVE, 0);
}

static ann_node bias_act(ann_graph *g, const ann_node *in, ann_act act) {
    const ann_attrs attrs = {.bias_act = {act}};
    return anni_build(g, ANN_OP_BIAS_ACT, ANN_F32, NULL, &attrs, in, 2);
}
static ann_node bias_none(ann_graph *g, const ann_node *in) { return bias_act(g, in, ANN_ACT_NONE); }
static ann_node bias_relu(ann_graph *g, const ann_node *in) { return bias_act(g, in, ANN_ACT_RELU); }
static ann_node bias_sigmoid(ann_graph *g, const ann_node *in) { return bias_act(g, in, ANN_ACT_SIGMOID); }
static ann_node bias_tanh(ann_graph *g, const ann_node *in) { return bias_act(g, in, ANN_ACT_TANH); }

/* tanh(x * row + column) * scalar: every way of reading an input. */
static ann_node fused(ann_graph *g, const ann_node *in) {
    const ann_fused program = {.dtype = ann_node_dtype(g, in[0]),
                               .outer = 4,
                               .inner = 3,
                               .n_in = 4,
                               .n_code = 4,
                               .has_value = true,
                               .value = 7,
                               .access = {ANN_ACCESS_FULL, ANN_ACCESS_ROW, ANN_ACCESS_COL, ANN_ACCESS_SCALAR},
                               .code = {{ANN_OP_MUL, 0, 1, -1},
                                        {ANN_OP_ADD, 4, 2, -1},
                                        {ANN_OP_TANH, 5, -1, -1},
                                        {ANN_OP_MUL, 6, 3, -1}}};
    const ann_attrs attrs = {.fused = &program};
    return anni_build(g, ANN_OP_FUSED, program.dtype, &ANN_SHAPE(4, 3), &attrs, in, 4);
}

#define BIASED                                                                                               \
    2, {                                                                                                     \
        {GEN_AWAY, EXTENTS(2, 2, 3), 0}, { GEN_SIGNED, EXTENTS(3), 0 }                                       \
    }

const op_example example_of_allreduce[] = {{"allreduce/one_rank", ONE(GEN_SIGNED, 2, 3), .unary = allreduce},
                                           {"allreduce/wire", ONE(GEN_SIGNED, 2, 3), .unary = allreduce_as},
                                           END};
const op_example example_of_reduce_scatter[] = {
    {"reduce_scatter/one_rank", ONE(GEN_SIGNED, 7), .unary = reduce_scatter}, END};
const op_example example_of_allgather[] = {{"allgather/one_rank", ONE(GEN_SIGNED, 3), .unary = allgather},
                                           END};
const op_example example_of_gather_block[] = {{"gather_block", .build = gather_block}, END};
const op_example example_of_view[] = {{"view", ONE(GEN_SIGNED, 9), .unary = view}, END};
const op_example example_of_assign[] = {{"assign", ONE(GEN_POSITIVE, 2, 3), .unary = assign}, END};
const op_example example_of_pack[] = {
    {"pack", 2, {{GEN_SIGNED, EXTENTS(2, 3), 0}, {GEN_SIGNED, EXTENTS(4), 0}}, .build = pack}, END};
const op_example example_of_topk[] = {{"topk", ONE(GEN_SIGNED, 19), .unary = top_5},
                                      {"topk/ties", ONE(GEN_BINARY, 19), .unary = top_5},
                                      {"topk/all", ONE(GEN_SIGNED, 19), .unary = top_all},
                                      {"topk/none", ONE(GEN_SIGNED, 19), .unary = top_none},
                                      END};
const op_example example_of_bias_act[] = {{"bias_act/none", BIASED, .build = bias_none},
                                          {"bias_act/relu", BIASED, .build = bias_relu},
                                          {"bias_act/sigmoid", BIASED, .build = bias_sigmoid},
                                          {"bias_act/tanh", BIASED, .build = bias_tanh},
                                          END};
const op_example example_of_fused[] = {{"fused",
                                        4,
                                        {{GEN_SIGNED, EXTENTS(4, 3), 0},
                                         {GEN_SIGNED, EXTENTS(3), 0},
                                         {GEN_SIGNED, EXTENTS(4, 1), 0},
                                         {GEN_SIGNED, {0, {0}}, 0}},
                                        .build = fused},
                                       END};
