/* Examples of leaves and elementwise ops, and of builders composed of them. */
#include "op_examples.h"

#define ONE(gen, ...) .n_in = 1, .in = {{gen, EXTENTS(__VA_ARGS__), 0}}
#define END                                                                                                  \
    { .name = NULL }

/* ---- leaves ---- */

static ann_node input(ann_graph *g, const ann_node *in) { return (void)g, in[0]; }
static ann_node load(ann_graph *g, const ann_node *in) { return (void)in, ann_load(g, (ann_tensor){0}); }
static ann_node load_block(ann_graph *g, const ann_node *in) {
    return (void)in, ann_load_block(g, ann_store_info(ann_graph_store(g), (ann_tensor){0})->block);
}
static ann_node fill_like(ann_graph *g, ann_node x) {
    return ann_fill(g, ann_node_dtype(g, x), ANN_SHAPE(3, 2), -1.25);
}
static ann_node rand_uniform(ann_graph *g, const ann_node *in) {
    return ann_rand(g, ANN_RAND_UNIFORM, ann_node_dtype(g, in[1]), ANN_SHAPE(3, 2, 3), in[0],
                    0x123456789abcdef0u, 7);
}
static ann_node rand_normal(ann_graph *g, const ann_node *in) {
    return ann_rand(g, ANN_RAND_NORMAL, ann_node_dtype(g, in[1]), ANN_SHAPE(3, 5), in[0], 99, 0xfffffff0u);
}

const op_example example_of_input[] = {{"input", ONE(GEN_SIGNED, 2, 3), .build = input}, END};
const op_example example_of_store[] = {{"store", .build = load}, END};
const op_example example_of_block[] = {{"block", .build = load_block}, END};
const op_example example_of_fill[] = {{"fill", ONE(GEN_SIGNED, 1), .unary = fill_like}, END};
const op_example example_of_rand[] = {
    {"rand/uniform", 2, {{GEN_IDS, EXTENTS(3), 0}, {GEN_BINARY, EXTENTS(1), 0}}, .build = rand_uniform},
    {"rand/normal", 2, {{GEN_IDS, EXTENTS(3), 0}, {GEN_BINARY, EXTENTS(1), 0}}, .build = rand_normal},
    END};

/* ---- one operand ---- */

/* Numbers that binary16 must round. */
static ann_node round_f16(ann_graph *g, ann_node x) { return ann_round_f16(g, ann_add_const(g, x, 32)); }

const op_example example_of_neg[] = {{"neg", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_neg}, END};
const op_example example_of_abs[] = {{"abs", ONE(GEN_AWAY, 2, 3, 4), .unary = ann_abs}, END};
const op_example example_of_sign[] = {{"sign", ONE(GEN_AWAY, 2, 3, 4), .unary = ann_sign}, END};
const op_example example_of_step[] = {{"step", ONE(GEN_AWAY, 2, 3, 4), .unary = ann_step}, END};
const op_example example_of_exp[] = {{"exp", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_exp}, END};
const op_example example_of_log[] = {{"log", ONE(GEN_POSITIVE, 2, 3, 4), .unary = ann_log}, END};
const op_example example_of_sqrt[] = {{"sqrt", ONE(GEN_POSITIVE, 2, 3, 4), .unary = ann_sqrt}, END};
const op_example example_of_recip[] = {{"recip", ONE(GEN_POSITIVE, 2, 3, 4), .unary = ann_recip}, END};
const op_example example_of_tanh[] = {{"tanh", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_tanh}, END};
const op_example example_of_sigmoid[] = {{"sigmoid", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_sigmoid}, END};
const op_example example_of_softplus[] = {{"softplus", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_softplus}, END};
const op_example example_of_round_bf16[] = {{"round_bf16", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_round_bf16},
                                            END};
const op_example example_of_round_f16[] = {{"round_f16", ONE(GEN_SIGNED, 2, 3, 4), .unary = round_f16}, END};
const op_example example_of_relu[] = {{"relu", ONE(GEN_AWAY, 2, 3, 4), .unary = ann_relu}, END};

static ann_node cast_to_f32(ann_graph *g, ann_node x) { return ann_cast(g, x, ANN_F32); }
static ann_node cast_to_f64(ann_graph *g, ann_node x) { return ann_cast(g, x, ANN_F64); }
static ann_node cast_to_i32(ann_graph *g, ann_node x) { return ann_cast(g, ann_mul_const(g, x, 8), ANN_I32); }
static ann_node cast_to_i64(ann_graph *g, ann_node x) { return ann_cast(g, x, ANN_I64); }
static ann_node cast_to_u8(ann_graph *g, ann_node x) { return ann_cast(g, ann_mul_const(g, x, 300), ANN_U8); }

const op_example example_of_cast[] = {{"cast/to_f32", ONE(GEN_SIGNED, 2, 3), .unary = cast_to_f32},
                                      {"cast/to_f64", ONE(GEN_SIGNED, 2, 3), .unary = cast_to_f64},
                                      {"cast/i32_to_f64", ONE(GEN_INT, 2, 3), .unary = cast_to_f64},
                                      {"cast/i64_to_f64", ONE(GEN_IDS, 6), .unary = cast_to_f64},
                                      {"cast/to_i32", ONE(GEN_SIGNED, 2, 8), .unary = cast_to_i32},
                                      {"cast/i32_to_i64", ONE(GEN_INT, 2, 3), .unary = cast_to_i64},
                                      {"cast/to_u8_saturates", ONE(GEN_AWAY, 2, 8), .unary = cast_to_u8},
                                      END};
const op_example example_of_stop_grad[] = {{"stop_grad", ONE(GEN_SIGNED, 2, 3), .unary = ann_stop_grad}, END};

/* ---- two and three operands, with broadcasting ---- */

#define SAME(gen) .n_in = 2, .in = {{gen, EXTENTS(2, 3, 4), 0}, {gen, EXTENTS(2, 3, 4), 0}}
#define ROW(gen) .n_in = 2, .in = {{gen, EXTENTS(2, 3), 0}, {gen, EXTENTS(3), 0}}
#define BOTH(gen) .n_in = 2, .in = {{gen, EXTENTS(2, 1, 4), 0}, {gen, EXTENTS(3, 1), 0}}
#define WITH_SCALAR(gen) .n_in = 2, .in = {{gen, {0, {0}}, 0}, {gen, EXTENTS(2, 3), 0}}

static ann_node square(ann_graph *g, ann_node x) { return ann_mul(g, x, x); }

const op_example example_of_add[] = {{"add", SAME(GEN_SIGNED), .binary = ann_add},
                                     {"add/row", ROW(GEN_SIGNED), .binary = ann_add},
                                     {"add/both_stretch", BOTH(GEN_SIGNED), .binary = ann_add},
                                     {"add/scalar", WITH_SCALAR(GEN_SIGNED), .binary = ann_add},
                                     END};
const op_example example_of_sub[] = {{"sub", SAME(GEN_SIGNED), .binary = ann_sub},
                                     {"sub/both_stretch", BOTH(GEN_SIGNED), .binary = ann_sub},
                                     END};
const op_example example_of_mul[] = {{"mul", SAME(GEN_SIGNED), .binary = ann_mul},
                                     {"mul/row", ROW(GEN_SIGNED), .binary = ann_mul},
                                     {"mul/scalar", WITH_SCALAR(GEN_SIGNED), .binary = ann_mul},
                                     {"mul/self", ONE(GEN_SIGNED, 2, 3), .unary = square},
                                     END};
const op_example example_of_div[] = {{"div", SAME(GEN_POSITIVE), .binary = ann_div},
                                     {"div/both_stretch", BOTH(GEN_POSITIVE), .binary = ann_div},
                                     END};
const op_example example_of_max[] = {
    {"max", SAME(GEN_DISTINCT), .binary = ann_max}, {"max/row", ROW(GEN_DISTINCT), .binary = ann_max}, END};
const op_example example_of_min[] = {
    {"min", SAME(GEN_DISTINCT), .binary = ann_min}, {"min/row", ROW(GEN_DISTINCT), .binary = ann_min}, END};
const op_example example_of_eq[] = {
    {"eq", SAME(GEN_BINARY), .binary = ann_eq}, {"eq/i32", BOTH(GEN_INT), .binary = ann_eq}, END};
const op_example example_of_gt[] = {
    {"gt", SAME(GEN_SIGNED), .binary = ann_gt}, {"gt/i32", BOTH(GEN_INT), .binary = ann_gt}, END};

static ann_node select3(ann_graph *g, const ann_node *in) { return ann_select(g, in[0], in[1], in[2]); }
const op_example example_of_select[] = {
    {"select",
     3,
     {{GEN_BINARY, EXTENTS(2, 3), 0}, {GEN_SIGNED, EXTENTS(2, 3), 0}, {GEN_SIGNED, EXTENTS(2, 3), 0}},
     .build = select3},
    {"select/stretch",
     3,
     {{GEN_BINARY, EXTENTS(2, 1), 0}, {GEN_SIGNED, EXTENTS(3), 0}, {GEN_SIGNED, EXTENTS(2, 3), 0}},
     .build = select3},
    {"select/i32",
     3,
     {{GEN_LABEL, EXTENTS(6), 2}, {GEN_INT, EXTENTS(6), 0}, {GEN_INT, EXTENTS(6), 0}},
     .build = select3},
    END};

/* ---- compositions ---- */

static ann_node leaky_relu(ann_graph *g, ann_node x) { return ann_leaky_relu(g, x, 0.125); }
static ann_node elu(ann_graph *g, ann_node x) { return ann_elu(g, x, 1.5); }
static ann_node affine(ann_graph *g, ann_node x) { return ann_add_const(g, ann_mul_const(g, x, -2.5), 0.75); }
static ann_node avg_pool(ann_graph *g, ann_node x) {
    return ann_avg_pool2d(
        g, x, (ann_window){.kernel_h = 2, .kernel_w = 3, .stride_h = 2, .stride_w = 1, .pad_left = 1});
}
/* Batch normalisation's arithmetic (Ioffe and Szegedy 2015): a reduction used twice, a quotient, a root. */
static ann_node normalise(ann_graph *g, ann_node x) {
    const double n = (double)ann_node_shape(g, x)->dim[0];
    const ann_node centred = ann_sub(g, x, ann_mul_const(g, ann_reduce_sum(g, x, 1u), 1 / n));
    const ann_node variance = ann_mul_const(g, ann_reduce_sum(g, ann_square(g, centred), 1u), 1 / n);
    return ann_div(g, centred, ann_sqrt(g, ann_add_const(g, variance, 0.0625)));
}

const op_example example_of_compositions[] = {
    {"square", ONE(GEN_SIGNED, 2, 3), .unary = ann_square},
    {"affine", ONE(GEN_SIGNED, 2, 3), .unary = affine},
    {"leaky_relu", ONE(GEN_AWAY, 2, 3, 4), .unary = leaky_relu},
    {"elu", ONE(GEN_AWAY, 2, 3, 4), .unary = elu},
    {"bce_logits", SAME(GEN_SIGNED), .binary = ann_bce_logits},
    {"squared_error", SAME(GEN_SIGNED), .binary = ann_squared_error},
    {"flatten", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_flatten},
    {"sum_all", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_sum_all},
    {"avg_pool2d", ONE(GEN_SIGNED, 2, 4, 4, 2), .unary = avg_pool},
    {"global_avg_pool", ONE(GEN_SIGNED, 2, 3, 4, 3), .unary = ann_global_avg_pool},
    {"normalise", ONE(GEN_SIGNED, 5, 3), .unary = normalise},
    END};
