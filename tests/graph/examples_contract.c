/* Examples of contractions, windows and composites. */
#include "op_examples.h"

#define END                                                                                                  \
    { .name = NULL }
#define ONE(gen, ...) .n_in = 1, .in = {{gen, EXTENTS(__VA_ARGS__), 0}}
#define TWO(a, b) .n_in = 2, .in = {{GEN_SIGNED, a, 0}, {GEN_SIGNED, b, 0}}

/* ---- matmul ---- */

static ann_node nn(ann_graph *g, const ann_node *in) { return ann_matmul(g, in[0], in[1], false, false); }
static ann_node nt(ann_graph *g, const ann_node *in) { return ann_matmul(g, in[0], in[1], false, true); }
static ann_node tn(ann_graph *g, const ann_node *in) { return ann_matmul(g, in[0], in[1], true, false); }
static ann_node tt(ann_graph *g, const ann_node *in) { return ann_matmul(g, in[0], in[1], true, true); }

const op_example example_of_matmul[] = {
    {"matmul/nn", TWO(EXTENTS(2, 3), EXTENTS(3, 4)), .build = nn},
    {"matmul/nt", TWO(EXTENTS(2, 3), EXTENTS(4, 3)), .build = nt},
    {"matmul/tn", TWO(EXTENTS(3, 2), EXTENTS(3, 4)), .build = tn},
    {"matmul/tt", TWO(EXTENTS(3, 2), EXTENTS(4, 3)), .build = tt},
    {"matmul/batch_nn", TWO(EXTENTS(2, 2, 3), EXTENTS(2, 3, 4)), .build = nn},
    {"matmul/batch_nt", TWO(EXTENTS(2, 2, 3), EXTENTS(2, 4, 3)), .build = nt},
    {"matmul/batch_tn", TWO(EXTENTS(2, 3, 2), EXTENTS(2, 3, 4)), .build = tn},
    {"matmul/batch_tt", TWO(EXTENTS(2, 3, 2), EXTENTS(2, 4, 3)), .build = tt},
    {"matmul/inner_one", TWO(EXTENTS(2, 1), EXTENTS(1, 3)), .build = nn},
    END};

/* ---- convolution ---- */

static const ann_window plain = {.kernel_h = 3, .kernel_w = 2, .in_h = 5, .in_w = 4};
static const ann_window stride = {
    .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 3, .in_h = 5, .in_w = 6};
static const ann_window padded = {.kernel_h = 3,
                                  .kernel_w = 3,
                                  .pad_top = 1,
                                  .pad_bottom = 2,
                                  .pad_left = 0,
                                  .pad_right = 1,
                                  .in_h = 4,
                                  .in_w = 4};
static const ann_window dilated = {
    .kernel_h = 2, .kernel_w = 3, .dilation_h = 3, .dilation_w = 2, .in_h = 5, .in_w = 6};
static const ann_window grouped = {.kernel_h = 2, .kernel_w = 2, .groups = 2, .in_h = 3, .in_w = 3};
static const ann_window depthwise = {.kernel_h = 2, .kernel_w = 2, .groups = 3, .in_h = 3, .in_w = 3};
static const ann_window pointwise = {.kernel_h = 1, .kernel_w = 1, .in_h = 2, .in_w = 3};
static const ann_window every = {.kernel_h = 3,
                                 .kernel_w = 2,
                                 .stride_h = 2,
                                 .stride_w = 1,
                                 .dilation_h = 1,
                                 .dilation_w = 2,
                                 .pad_top = 1,
                                 .pad_bottom = 1,
                                 .pad_left = 2,
                                 .pad_right = 1,
                                 .groups = 2,
                                 .in_h = 5,
                                 .in_w = 4};

/* Extents of x, w and y for each window. */
#define PLAIN_X EXTENTS(2, 5, 4, 3)
#define PLAIN_W EXTENTS(2, 3, 2, 3)
#define PLAIN_Y EXTENTS(2, 3, 3, 2)
#define STRIDE_X EXTENTS(2, 5, 6, 2)
#define STRIDE_W EXTENTS(3, 2, 2, 2)
#define STRIDE_Y EXTENTS(2, 2, 2, 3)
#define PADDED_X EXTENTS(1, 4, 4, 2)
#define PADDED_W EXTENTS(2, 3, 3, 2)
#define PADDED_Y EXTENTS(1, 5, 3, 2)
#define DILATED_X EXTENTS(1, 5, 6, 2)
#define DILATED_W EXTENTS(2, 2, 3, 2)
#define DILATED_Y EXTENTS(1, 2, 2, 2)
#define GROUPED_X EXTENTS(2, 3, 3, 4)
#define GROUPED_W EXTENTS(6, 2, 2, 2)
#define GROUPED_Y EXTENTS(2, 2, 2, 6)
#define DEPTHWISE_X EXTENTS(2, 3, 3, 3)
#define DEPTHWISE_W EXTENTS(3, 2, 2, 1)
#define DEPTHWISE_Y EXTENTS(2, 2, 2, 3)
#define POINTWISE_X EXTENTS(2, 2, 3, 3)
#define POINTWISE_W EXTENTS(4, 1, 1, 3)
#define POINTWISE_Y EXTENTS(2, 2, 3, 4)
#define EVERY_X EXTENTS(2, 5, 4, 4)
#define EVERY_W EXTENTS(2, 3, 2, 2)
#define EVERY_Y EXTENTS(2, 3, 5, 2)

static ann_node conv_plain(ann_graph *g, const ann_node *in) { return ann_conv2d(g, in[0], in[1], plain); }
static ann_node conv_stride(ann_graph *g, const ann_node *in) { return ann_conv2d(g, in[0], in[1], stride); }
static ann_node conv_padded(ann_graph *g, const ann_node *in) { return ann_conv2d(g, in[0], in[1], padded); }
static ann_node conv_dilated(ann_graph *g, const ann_node *in) {
    return ann_conv2d(g, in[0], in[1], dilated);
}
static ann_node conv_grouped(ann_graph *g, const ann_node *in) {
    return ann_conv2d(g, in[0], in[1], grouped);
}
static ann_node conv_depthwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d(g, in[0], in[1], depthwise);
}
static ann_node conv_pointwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d(g, in[0], in[1], pointwise);
}
static ann_node conv_every(ann_graph *g, const ann_node *in) { return ann_conv2d(g, in[0], in[1], every); }

static ann_node dx_plain(ann_graph *g, const ann_node *in) { return ann_conv2d_dx(g, in[0], in[1], plain); }
static ann_node dx_stride(ann_graph *g, const ann_node *in) { return ann_conv2d_dx(g, in[0], in[1], stride); }
static ann_node dx_padded(ann_graph *g, const ann_node *in) { return ann_conv2d_dx(g, in[0], in[1], padded); }
static ann_node dx_dilated(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dx(g, in[0], in[1], dilated);
}
static ann_node dx_grouped(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dx(g, in[0], in[1], grouped);
}
static ann_node dx_depthwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dx(g, in[0], in[1], depthwise);
}
static ann_node dx_pointwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dx(g, in[0], in[1], pointwise);
}
static ann_node dx_every(ann_graph *g, const ann_node *in) { return ann_conv2d_dx(g, in[0], in[1], every); }

static ann_node dw_plain(ann_graph *g, const ann_node *in) { return ann_conv2d_dw(g, in[0], in[1], plain); }
static ann_node dw_stride(ann_graph *g, const ann_node *in) { return ann_conv2d_dw(g, in[0], in[1], stride); }
static ann_node dw_padded(ann_graph *g, const ann_node *in) { return ann_conv2d_dw(g, in[0], in[1], padded); }
static ann_node dw_dilated(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dw(g, in[0], in[1], dilated);
}
static ann_node dw_grouped(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dw(g, in[0], in[1], grouped);
}
static ann_node dw_depthwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dw(g, in[0], in[1], depthwise);
}
static ann_node dw_pointwise(ann_graph *g, const ann_node *in) {
    return ann_conv2d_dw(g, in[0], in[1], pointwise);
}
static ann_node dw_every(ann_graph *g, const ann_node *in) { return ann_conv2d_dw(g, in[0], in[1], every); }

const op_example example_of_conv[] = {
    {"conv/plain", TWO(PLAIN_X, PLAIN_W), .build = conv_plain},
    {"conv/stride", TWO(STRIDE_X, STRIDE_W), .build = conv_stride},
    {"conv/padded", TWO(PADDED_X, PADDED_W), .build = conv_padded},
    {"conv/dilated", TWO(DILATED_X, DILATED_W), .build = conv_dilated},
    {"conv/grouped", TWO(GROUPED_X, GROUPED_W), .build = conv_grouped},
    {"conv/depthwise", TWO(DEPTHWISE_X, DEPTHWISE_W), .build = conv_depthwise},
    {"conv/pointwise", TWO(POINTWISE_X, POINTWISE_W), .build = conv_pointwise},
    {"conv/every", TWO(EVERY_X, EVERY_W), .build = conv_every},
    END};
const op_example example_of_conv_dx[] = {
    {"conv_dx/plain", TWO(PLAIN_Y, PLAIN_W), .build = dx_plain},
    {"conv_dx/stride", TWO(STRIDE_Y, STRIDE_W), .build = dx_stride},
    {"conv_dx/padded", TWO(PADDED_Y, PADDED_W), .build = dx_padded},
    {"conv_dx/dilated", TWO(DILATED_Y, DILATED_W), .build = dx_dilated},
    {"conv_dx/grouped", TWO(GROUPED_Y, GROUPED_W), .build = dx_grouped},
    {"conv_dx/depthwise", TWO(DEPTHWISE_Y, DEPTHWISE_W), .build = dx_depthwise},
    {"conv_dx/pointwise", TWO(POINTWISE_Y, POINTWISE_W), .build = dx_pointwise},
    {"conv_dx/every", TWO(EVERY_Y, EVERY_W), .build = dx_every},
    END};
const op_example example_of_conv_dw[] = {
    {"conv_dw/plain", TWO(PLAIN_X, PLAIN_Y), .build = dw_plain},
    {"conv_dw/stride", TWO(STRIDE_X, STRIDE_Y), .build = dw_stride},
    {"conv_dw/padded", TWO(PADDED_X, PADDED_Y), .build = dw_padded},
    {"conv_dw/dilated", TWO(DILATED_X, DILATED_Y), .build = dw_dilated},
    {"conv_dw/grouped", TWO(GROUPED_X, GROUPED_Y), .build = dw_grouped},
    {"conv_dw/depthwise", TWO(DEPTHWISE_X, DEPTHWISE_Y), .build = dw_depthwise},
    {"conv_dw/pointwise", TWO(POINTWISE_X, POINTWISE_Y), .build = dw_pointwise},
    {"conv_dw/every", TWO(EVERY_X, EVERY_Y), .build = dw_every},
    END};

/* ---- pooling ---- */

static const ann_window tiles = {
    .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2, .in_h = 5, .in_w = 4};
static const ann_window overlap = {.kernel_h = 3,
                                   .kernel_w = 2,
                                   .stride_h = 2,
                                   .stride_w = 1,
                                   .pad_top = 1,
                                   .pad_bottom = 1,
                                   .pad_right = 1,
                                   .in_h = 5,
                                   .in_w = 4};
static const ann_window sparse = {
    .kernel_h = 2, .kernel_w = 2, .dilation_h = 2, .dilation_w = 3, .in_h = 5, .in_w = 5};

#define TILES_Y EXTENTS(2, 2, 2, 3)
#define OVERLAP_Y EXTENTS(2, 3, 4, 2)
#define SPARSE_Y EXTENTS(1, 3, 2, 2)

static ann_node sum_tiles(ann_graph *g, ann_node x) { return ann_sum_pool2d(g, x, tiles); }
static ann_node sum_overlap(ann_graph *g, ann_node x) { return ann_sum_pool2d(g, x, overlap); }
static ann_node sum_sparse(ann_graph *g, ann_node x) { return ann_sum_pool2d(g, x, sparse); }
static ann_node sum_dx_tiles(ann_graph *g, ann_node x) { return ann_sum_pool2d_dx(g, x, tiles); }
static ann_node sum_dx_overlap(ann_graph *g, ann_node x) { return ann_sum_pool2d_dx(g, x, overlap); }
static ann_node sum_dx_sparse(ann_graph *g, ann_node x) { return ann_sum_pool2d_dx(g, x, sparse); }
static ann_node index_tiles(ann_graph *g, ann_node x) { return ann_max_pool_index(g, x, tiles); }
static ann_node index_overlap(ann_graph *g, ann_node x) { return ann_max_pool_index(g, x, overlap); }
static ann_node index_sparse(ann_graph *g, ann_node x) { return ann_max_pool_index(g, x, sparse); }
static ann_node max_tiles(ann_graph *g, ann_node x) { return ann_max_pool2d(g, x, tiles); }
static ann_node max_overlap(ann_graph *g, ann_node x) { return ann_max_pool2d(g, x, overlap); }
static ann_node max_sparse(ann_graph *g, ann_node x) { return ann_max_pool2d(g, x, sparse); }
static ann_node gather_tiles(ann_graph *g, const ann_node *in) {
    return ann_window_gather(g, in[0], in[1], tiles);
}
static ann_node gather_overlap(ann_graph *g, const ann_node *in) {
    return ann_window_gather(g, in[0], in[1], overlap);
}
static ann_node scatter_tiles(ann_graph *g, const ann_node *in) {
    return ann_window_scatter(g, in[0], in[1], tiles);
}
static ann_node scatter_overlap(ann_graph *g, const ann_node *in) {
    return ann_window_scatter(g, in[0], in[1], overlap);
}

const op_example example_of_sum_pool[] = {
    {"sum_pool/tiles", ONE(GEN_SIGNED, 2, 5, 4, 3), .unary = sum_tiles},
    {"sum_pool/overlap", ONE(GEN_SIGNED, 2, 5, 4, 2), .unary = sum_overlap},
    {"sum_pool/sparse", ONE(GEN_SIGNED, 1, 5, 5, 2), .unary = sum_sparse},
    END};
const op_example example_of_sum_pool_dx[] = {
    {"sum_pool_dx/tiles", 1, {{GEN_SIGNED, TILES_Y, 0}}, .unary = sum_dx_tiles},
    {"sum_pool_dx/overlap", 1, {{GEN_SIGNED, OVERLAP_Y, 0}}, .unary = sum_dx_overlap},
    {"sum_pool_dx/sparse", 1, {{GEN_SIGNED, SPARSE_Y, 0}}, .unary = sum_dx_sparse},
    END};
const op_example example_of_max_pool_index[] = {
    {"max_pool_index/tiles", ONE(GEN_DISTINCT, 2, 5, 4, 3), .unary = index_tiles},
    {"max_pool_index/overlap", ONE(GEN_DISTINCT, 2, 5, 4, 2), .unary = index_overlap},
    {"max_pool_index/sparse", ONE(GEN_DISTINCT, 1, 5, 5, 2), .unary = index_sparse},
    {"max_pool_index/ties", ONE(GEN_BINARY, 2, 5, 4, 2), .unary = index_overlap},
    END};
const op_example example_of_max_pool[] = {
    {"max_pool/tiles", ONE(GEN_DISTINCT, 2, 5, 4, 3), .unary = max_tiles},
    {"max_pool/overlap", ONE(GEN_DISTINCT, 2, 5, 4, 2), .unary = max_overlap},
    {"max_pool/sparse", ONE(GEN_DISTINCT, 1, 5, 5, 2), .unary = max_sparse},
    END};
const op_example example_of_window_gather[] = {
    {"window_gather/tiles",
     2,
     {{GEN_SIGNED, EXTENTS(2, 5, 4, 3), 0}, {GEN_INDEX, TILES_Y, 4}},
     .build = gather_tiles},
    {"window_gather/padding",
     2,
     {{GEN_SIGNED, EXTENTS(2, 5, 4, 2), 0}, {GEN_INDEX, OVERLAP_Y, 6}},
     .build = gather_overlap},
    END};
const op_example example_of_window_scatter[] = {
    {"window_scatter/tiles", 2, {{GEN_SIGNED, TILES_Y, 0}, {GEN_INDEX, TILES_Y, 4}}, .build = scatter_tiles},
    {"window_scatter/padding",
     2,
     {{GEN_SIGNED, OVERLAP_Y, 0}, {GEN_INDEX, OVERLAP_Y, 6}},
     .build = scatter_overlap},
    END};

/* ---- composites ---- */

static ann_node dropout(ann_graph *g, const ann_node *in) {
    return ann_dropout(g, in[0], in[1], 0.375, 42, 3);
}
static ann_node dropout_none(ann_graph *g, const ann_node *in) {
    return ann_dropout(g, in[0], in[1], 0, 42, 3);
}

const op_example example_of_softmax[] = {{"softmax", ONE(GEN_SIGNED, 3, 5), .unary = ann_softmax},
                                         {"softmax/rank3", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_softmax},
                                         END};
const op_example example_of_log_softmax[] = {
    {"log_softmax", ONE(GEN_SIGNED, 3, 5), .unary = ann_log_softmax},
    {"log_softmax/rank3", ONE(GEN_SIGNED, 2, 3, 4), .unary = ann_log_softmax},
    END};
const op_example example_of_cross_entropy[] = {{"cross_entropy",
                                                2,
                                                {{GEN_SIGNED, EXTENTS(4, 5), 0}, {GEN_LABEL, EXTENTS(4), 5}},
                                                .binary = ann_cross_entropy},
                                               {"cross_entropy/no_label",
                                                2,
                                                {{GEN_SIGNED, EXTENTS(4, 5), 0}, {GEN_LABEL, EXTENTS(4), 9}},
                                                .binary = ann_cross_entropy},
                                               END};
const op_example example_of_dropout[] = {
    {"dropout", 2, {{GEN_SIGNED, EXTENTS(3, 2, 4), 0}, {GEN_IDS, EXTENTS(3), 0}}, .build = dropout},
    {"dropout/none", 2, {{GEN_SIGNED, EXTENTS(3, 4), 0}, {GEN_IDS, EXTENTS(3), 0}}, .build = dropout_none},
    END};
