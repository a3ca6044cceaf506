/* Shape rules: what each op refuses, as the graph's sticky error, with the scope, the op, the inputs' dtypes
   and shapes and the reason in its text; and what it accepts at the edges. */
#include <stdio.h>
#include <string.h>

#include "op_examples.h"
#include "support/check.h"

static ann_node f32(ann_graph *g, ann_shape shape) { return ann_input(g, "x", ANN_F32, shape); }
static ann_node of(ann_graph *g, ann_dtype dtype, ann_shape shape) { return ann_input(g, "y", dtype, shape); }

typedef struct refusal {
    const char *name;
    void (*build)(ann_graph *g);
    ann_status status;
    const char *text[3]; /* all of them stand in the error's text */
} refusal;

/* ---- leaves ---- */

static void fill_negative(ann_graph *g) { ann_fill(g, ANN_F32, ANN_SHAPE(2, -1), 0); }
static void load_missing(ann_graph *g) { ann_load(g, (ann_tensor){5}); }
static void load_none(ann_graph *g) { ann_load(g, ANN_TENSOR_NONE); }
static void block_missing(ann_graph *g) { ann_load_block(g, (ann_block){-1}); }
static void rand_ids_i32(ann_graph *g) {
    ann_rand(g, ANN_RAND_UNIFORM, ANN_F32, ANN_SHAPE(4, 2), of(g, ANN_I32, ANN_SHAPE(4)), 1, 1);
}
static void rand_rows(ann_graph *g) {
    ann_rand(g, ANN_RAND_UNIFORM, ANN_F32, ANN_SHAPE(5, 2), of(g, ANN_I64, ANN_SHAPE(4)), 1, 1);
}
static void rand_integer(ann_graph *g) {
    ann_rand(g, ANN_RAND_UNIFORM, ANN_I32, ANN_SHAPE(4), of(g, ANN_I64, ANN_SHAPE(4)), 1, 1);
}

/* ---- elementwise ---- */

static void add_shapes(ann_graph *g) { ann_add(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(2, 4))); }
static void add_ranks(ann_graph *g) { ann_add(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(2))); }
static void mul_dtypes(ann_graph *g) { ann_mul(g, f32(g, ANN_SHAPE(2)), of(g, ANN_F64, ANN_SHAPE(2))); }
static void select_dtypes(ann_graph *g) {
    ann_select(g, of(g, ANN_U8, ANN_SHAPE(2)), f32(g, ANN_SHAPE(2)), f32(g, ANN_SHAPE(2)));
}
static void select_shapes(ann_graph *g) {
    ann_select(g, f32(g, ANN_SHAPE(3)), f32(g, ANN_SHAPE(2)), f32(g, ANN_SHAPE(2)));
}
static void exp_integer(ann_graph *g) { ann_exp(g, of(g, ANN_I32, ANN_SHAPE(2))); }
static void div_integer(ann_graph *g) {
    ann_div(g, of(g, ANN_I32, ANN_SHAPE(2)), of(g, ANN_I32, ANN_SHAPE(2)));
}

/* ---- shape ---- */

static void reshape_elems(ann_graph *g) { ann_reshape(g, f32(g, ANN_SHAPE(2, 3)), ANN_SHAPE(4)); }
static void reshape_indivisible(ann_graph *g) { ann_reshape(g, f32(g, ANN_SHAPE(2, 3)), ANN_SHAPE(4, -1)); }
static void reshape_two_open(ann_graph *g) { ann_reshape(g, f32(g, ANN_SHAPE(2, 3)), ANN_SHAPE(-1, -1)); }
static void permute_twice(ann_graph *g) { ann_permute(g, f32(g, ANN_SHAPE(2, 3)), (int32_t[]){1, 1}); }
static void permute_range(ann_graph *g) { ann_permute(g, f32(g, ANN_SHAPE(2, 3)), (int32_t[]){0, 2}); }
static void transpose_vector(ann_graph *g) { ann_transpose(g, f32(g, ANN_SHAPE(2))); }
static void flatten_scalar(ann_graph *g) { ann_flatten(g, f32(g, ANN_SCALAR)); }
static void bcast_shrinks(ann_graph *g) { ann_bcast(g, f32(g, ANN_SHAPE(2, 3)), ANN_SHAPE(2, 1)); }
static void bcast_rank(ann_graph *g) { ann_bcast(g, f32(g, ANN_SHAPE(2, 3)), ANN_SHAPE(3)); }
static void slice_beyond(ann_graph *g) { ann_slice(g, f32(g, ANN_SHAPE(4)), (int64_t[]){1}, (int64_t[]){5}); }
static void slice_backwards(ann_graph *g) {
    ann_slice(g, f32(g, ANN_SHAPE(4)), (int64_t[]){3}, (int64_t[]){2});
}
static void slice_negative(ann_graph *g) {
    ann_slice(g, f32(g, ANN_SHAPE(4)), (int64_t[]){-1}, (int64_t[]){2});
}
static void pad_negative(ann_graph *g) { ann_pad(g, f32(g, ANN_SHAPE(4)), (int64_t[]){-1}, (int64_t[]){2}); }
static void concat2(ann_graph *g, ann_node a, ann_node b, int axis) {
    ann_concat(g, (ann_node[]){a, b}, 2, axis);
}
static void concat_extents(ann_graph *g) { concat2(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(2, 4)), 0); }
static void concat_ranks(ann_graph *g) { concat2(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(2)), 0); }
static void concat_dtypes(ann_graph *g) { concat2(g, f32(g, ANN_SHAPE(2)), of(g, ANN_F64, ANN_SHAPE(2)), 0); }
static void concat_axis(ann_graph *g) { concat2(g, f32(g, ANN_SHAPE(2)), f32(g, ANN_SHAPE(2)), 1); }
static void concat_nothing(ann_graph *g) { ann_concat(g, NULL, 0, 0); }

/* ---- reductions ---- */

static void reduce_axis(ann_graph *g) { ann_reduce_sum(g, f32(g, ANN_SHAPE(2, 3)), 1u << 2); }
static void reduce_integer(ann_graph *g) { ann_reduce_max(g, of(g, ANN_I32, ANN_SHAPE(2, 3)), 1u); }
static void argmax_scalar(ann_graph *g) { ann_argmax(g, f32(g, ANN_SCALAR)); }
static void argmax_empty(ann_graph *g) { ann_argmax(g, f32(g, ANN_SHAPE(3, 0))); }
static void one_hot_float(ann_graph *g) { ann_one_hot(g, f32(g, ANN_SHAPE(3)), 4, ANN_F32); }
static void one_hot_classes(ann_graph *g) { ann_one_hot(g, of(g, ANN_I32, ANN_SHAPE(3)), 0, ANN_F32); }

/* ---- contractions ---- */

static void matmul_inner(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(4, 5)), false, false);
}
static void matmul_inner_t(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(3, 5)), true, false);
}
static void matmul_ranks(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(1, 3, 5)), false, false);
}
static void matmul_vectors(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(3)), f32(g, ANN_SHAPE(3)), false, false);
}
static void matmul_batches(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(2, 2, 3)), f32(g, ANN_SHAPE(3, 3, 5)), false, false);
}
static void matmul_dtypes(ann_graph *g) {
    ann_matmul(g, f32(g, ANN_SHAPE(2, 3)), of(g, ANN_F64, ANN_SHAPE(3, 5)), false, false);
}
static void conv(ann_graph *g, ann_shape x, ann_shape w, ann_window window) {
    window.kernel_h = (int32_t)w.dim[1];
    window.kernel_w = (int32_t)w.dim[2];
    ann_conv2d(g, f32(g, x), f32(g, w), window);
}
static void conv_channels(ann_graph *g) {
    conv(g, ANN_SHAPE(1, 5, 5, 3), ANN_SHAPE(4, 3, 3, 2), (ann_window){0});
}
static void conv_groups(ann_graph *g) {
    conv(g, ANN_SHAPE(1, 5, 5, 4), ANN_SHAPE(3, 3, 3, 2), (ann_window){.groups = 2});
}
static void conv_rank(ann_graph *g) { conv(g, ANN_SHAPE(5, 5, 3), ANN_SHAPE(4, 3, 3, 3), (ann_window){0}); }
static void conv_too_large(ann_graph *g) {
    conv(g, ANN_SHAPE(1, 4, 4, 3), ANN_SHAPE(4, 5, 5, 3), (ann_window){0});
}
static void conv_stride(ann_graph *g) {
    conv(g, ANN_SHAPE(1, 5, 5, 3), ANN_SHAPE(4, 3, 3, 3), (ann_window){.stride_h = -1});
}
static void conv_padding(ann_graph *g) {
    conv(g, ANN_SHAPE(1, 5, 5, 3), ANN_SHAPE(4, 3, 3, 3), (ann_window){.pad_left = -1});
}
static void conv_dx_extent(ann_graph *g) {
    const ann_window w = {.kernel_h = 3, .kernel_w = 3, .in_h = 5, .in_w = 5};
    ann_conv2d_dx(g, f32(g, ANN_SHAPE(1, 4, 3, 2)), f32(g, ANN_SHAPE(2, 3, 3, 4)), w);
}
static void conv_dw_batch(ann_graph *g) {
    const ann_window w = {.kernel_h = 3, .kernel_w = 3};
    ann_conv2d_dw(g, f32(g, ANN_SHAPE(2, 5, 5, 4)), f32(g, ANN_SHAPE(3, 3, 3, 2)), w);
}
static void conv_dtypes(ann_graph *g) {
    ann_conv2d(g, f32(g, ANN_SHAPE(1, 5, 5, 3)), of(g, ANN_F64, ANN_SHAPE(4, 3, 3, 3)), (ann_window){0});
}

/* ---- windows ---- */

static const ann_window two = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

static void pool_rank(ann_graph *g) { ann_sum_pool2d(g, f32(g, ANN_SHAPE(4, 4)), two); }
static void pool_too_large(ann_graph *g) { ann_max_pool2d(g, f32(g, ANN_SHAPE(1, 1, 4, 1)), two); }
static void pool_all_padding(ann_graph *g) {
    ann_max_pool2d(g, f32(g, ANN_SHAPE(1, 4, 4, 1)),
                   (ann_window){.kernel_h = 2, .kernel_w = 2, .pad_top = 2});
}
static void pool_too_many(ann_graph *g) {
    ann_max_pool2d(g, f32(g, ANN_SHAPE(1, 16, 16, 1)), (ann_window){.kernel_h = 16, .kernel_w = 16});
}
static void gather_index_dtype(ann_graph *g) {
    ann_window_gather(g, f32(g, ANN_SHAPE(1, 4, 4, 1)), of(g, ANN_I32, ANN_SHAPE(1, 2, 2, 1)), two);
}
static void gather_index_shape(ann_graph *g) {
    ann_window_gather(g, f32(g, ANN_SHAPE(1, 4, 4, 1)), of(g, ANN_U8, ANN_SHAPE(1, 2, 2, 2)), two);
}
static void global_pool_rank(ann_graph *g) { ann_global_avg_pool(g, f32(g, ANN_SHAPE(4, 4))); }

/* ---- the others ---- */

static void allreduce_integer(ann_graph *g) { ann_allreduce(g, of(g, ANN_I32, ANN_SHAPE(2)), 0); }
static void assign_to_value(ann_graph *g) { ann_assign(g, f32(g, ANN_SHAPE(2, 3)), f32(g, ANN_SHAPE(2, 3))); }
static void assign_shape(ann_graph *g) {
    ann_assign(g, ann_load(g, (ann_tensor){0}), f32(g, ANN_SHAPE(3, 2)));
}
static void assign_dtype(ann_graph *g) {
    ann_assign(g, ann_load(g, (ann_tensor){0}), of(g, ANN_F64, ANN_SHAPE(2, 3)));
}
static void softmax_scalar(ann_graph *g) { ann_softmax(g, f32(g, ANN_SCALAR)); }
static void cross_entropy_rows(ann_graph *g) {
    ann_cross_entropy(g, f32(g, ANN_SHAPE(4, 3)), of(g, ANN_I32, ANN_SHAPE(5)));
}
static void cross_entropy_labels(ann_graph *g) {
    ann_cross_entropy(g, f32(g, ANN_SHAPE(4, 3)), of(g, ANN_U8, ANN_SHAPE(4)));
}
static void dropout_p(ann_graph *g) {
    ann_dropout(g, f32(g, ANN_SHAPE(4, 3)), of(g, ANN_I64, ANN_SHAPE(4)), 1.0, 1, 1);
}
static void dropout_ids(ann_graph *g) {
    ann_dropout(g, f32(g, ANN_SHAPE(4, 3)), of(g, ANN_I64, ANN_SHAPE(3)), 0.5, 1, 1);
}
static void pack_overlap(ann_graph *g) {
    ann_pack(g, (ann_node[]){f32(g, ANN_SHAPE(4)), f32(g, ANN_SHAPE(4))}, 2, (int64_t[]){0, 3}, 16);
}
static void pack_beyond(ann_graph *g) {
    ann_pack(g, (ann_node[]){f32(g, ANN_SHAPE(4))}, 1, (int64_t[]){13}, 16);
}
static void grad_of_vector(ann_graph *g) {
    ann_node grad, x = f32(g, ANN_SHAPE(2));
    ann_grad(g, ann_exp(g, x), &x, 1, &grad);
}
static void grad_of_lowered(ann_graph *g) {
    ann_node grad, x = f32(g, ANN_SHAPE(4));
    ann_grad(g, ann_sum_all(g, ann_pack(g, &x, 1, (int64_t[]){0}, 16)), &x, 1, &grad);
}
static void output_of_nothing(ann_graph *g) { ann_output(g, "loss", ANN_NODE_NONE); }

static const refusal refusals[] = {
    {"fill", fill_negative, ANN_ERR_SHAPE, {"fill", "negative"}},
    {"store", load_missing, ANN_ERR_ARG, {"store", "no such tensor"}},
    {"store none", load_none, ANN_ERR_ARG, {"store", "no such tensor"}},
    {"block", block_missing, ANN_ERR_ARG, {"no such block"}},
    {"rand ids", rand_ids_i32, ANN_ERR_DTYPE, {"rand", "i32[4]", "i64"}},
    {"rand rows", rand_rows, ANN_ERR_SHAPE, {"rand", "i64[4]"}},
    {"rand integer", rand_integer, ANN_ERR_DTYPE, {"rand"}},
    {"add shapes", add_shapes, ANN_ERR_SHAPE, {"add", "[2,3]", "[2,4]"}},
    {"add ranks", add_ranks, ANN_ERR_SHAPE, {"add", "[2,3]", "[2]"}},
    {"mul dtypes", mul_dtypes, ANN_ERR_DTYPE, {"mul", "f32[2]", "f64[2]"}},
    {"select dtypes", select_dtypes, ANN_ERR_DTYPE, {"select", "u8[2]", "f32[2]"}},
    {"select shapes", select_shapes, ANN_ERR_SHAPE, {"select", "[3]", "[2]"}},
    {"exp", exp_integer, ANN_ERR_DTYPE, {"exp", "i32[2]"}},
    {"div", div_integer, ANN_ERR_DTYPE, {"div", "i32[2]"}},
    {"reshape", reshape_elems, ANN_ERR_SHAPE, {"reshape", "f32[2,3]", "[4]"}},
    {"reshape open", reshape_indivisible, ANN_ERR_SHAPE, {"reshape", "f32[2,3]"}},
    {"reshape two open", reshape_two_open, ANN_ERR_SHAPE, {"reshape", "one"}},
    {"permute twice", permute_twice, ANN_ERR_ARG, {"permute", "f32[2,3]"}},
    {"permute range", permute_range, ANN_ERR_ARG, {"permute", "f32[2,3]"}},
    {"transpose", transpose_vector, ANN_ERR_SHAPE, {"transpose"}},
    {"flatten", flatten_scalar, ANN_ERR_SHAPE, {"flatten"}},
    {"bcast shrinks", bcast_shrinks, ANN_ERR_SHAPE, {"bcast", "[2,3]", "[2,1]"}},
    {"bcast rank", bcast_rank, ANN_ERR_SHAPE, {"bcast", "[2,3]", "[3]"}},
    {"slice beyond", slice_beyond, ANN_ERR_SHAPE, {"slice", "f32[4]", "[1,5)"}},
    {"slice backwards", slice_backwards, ANN_ERR_SHAPE, {"slice", "[3,2)"}},
    {"slice negative", slice_negative, ANN_ERR_SHAPE, {"slice", "[-1,2)"}},
    {"pad", pad_negative, ANN_ERR_SHAPE, {"pad", "f32[4]", "negative"}},
    {"concat extents", concat_extents, ANN_ERR_SHAPE, {"concat", "f32[2,3], f32[2,4]", "axis 1"}},
    {"concat ranks", concat_ranks, ANN_ERR_SHAPE, {"concat", "rank"}},
    {"concat dtypes", concat_dtypes, ANN_ERR_DTYPE, {"concat", "f32[2], f64[2]"}},
    {"concat axis", concat_axis, ANN_ERR_ARG, {"concat", "axis 1"}},
    {"concat nothing", concat_nothing, ANN_ERR_ARG, {"concat"}},
    {"reduce axis", reduce_axis, ANN_ERR_ARG, {"reduce_sum", "f32[2,3]"}},
    {"reduce integer", reduce_integer, ANN_ERR_DTYPE, {"reduce_max", "i32[2,3]"}},
    {"argmax scalar", argmax_scalar, ANN_ERR_SHAPE, {"argmax"}},
    {"argmax empty", argmax_empty, ANN_ERR_SHAPE, {"argmax", "[3,0]"}},
    {"one_hot float", one_hot_float, ANN_ERR_DTYPE, {"one_hot", "f32[3]", "i32"}},
    {"one_hot classes", one_hot_classes, ANN_ERR_SHAPE, {"one_hot"}},
    {"matmul inner", matmul_inner, ANN_ERR_SHAPE, {"matmul", "f32[2,3], f32[4,5]", "3 and 4"}},
    {"matmul inner t", matmul_inner_t, ANN_ERR_SHAPE, {"matmul", "2 and 3"}},
    {"matmul ranks", matmul_ranks, ANN_ERR_SHAPE, {"matmul", "rank"}},
    {"matmul vectors", matmul_vectors, ANN_ERR_SHAPE, {"matmul", "rank"}},
    {"matmul batches", matmul_batches, ANN_ERR_SHAPE, {"matmul", "batch"}},
    {"matmul dtypes", matmul_dtypes, ANN_ERR_DTYPE, {"matmul", "f32[2,3], f64[3,5]"}},
    {"conv channels", conv_channels, ANN_ERR_SHAPE, {"conv", "f32[1,5,5,3], f32[4,3,3,2]", "channels"}},
    {"conv groups", conv_groups, ANN_ERR_SHAPE, {"conv", "groups"}},
    {"conv rank", conv_rank, ANN_ERR_SHAPE, {"conv", "rank 4"}},
    {"conv too large", conv_too_large, ANN_ERR_SHAPE, {"conv", "larger"}},
    {"conv stride", conv_stride, ANN_ERR_ARG, {"conv", "stride"}},
    {"conv padding", conv_padding, ANN_ERR_ARG, {"conv", "padding"}},
    {"conv_dx", conv_dx_extent, ANN_ERR_SHAPE, {"conv_dx", "[N,3,3,2]"}},
    {"conv_dw", conv_dw_batch, ANN_ERR_SHAPE, {"conv_dw", "[2,3,3,O]"}},
    {"conv dtypes", conv_dtypes, ANN_ERR_DTYPE, {"conv", "f64[4,3,3,3]"}},
    {"pool rank", pool_rank, ANN_ERR_SHAPE, {"sum_pool", "f32[4,4]"}},
    {"pool too large", pool_too_large, ANN_ERR_SHAPE, {"max_pool", "larger"}},
    {"pool of padding", pool_all_padding, ANN_ERR_ARG, {"max_pool", "padding"}},
    {"pool of 256", pool_too_many, ANN_ERR_ARG, {"max_pool", "255"}},
    {"gather dtype", gather_index_dtype, ANN_ERR_DTYPE, {"window_gather", "i32[1,2,2,1]", "u8"}},
    {"gather shape", gather_index_shape, ANN_ERR_SHAPE, {"window_gather", "u8[1,2,2,2]"}},
    {"global pool", global_pool_rank, ANN_ERR_SHAPE, {"global_avg_pool"}},
    {"allreduce", allreduce_integer, ANN_ERR_DTYPE, {"allreduce", "i32[2]"}},
    {"assign to a value", assign_to_value, ANN_ERR_ARG, {"assign", "store"}},
    {"assign shape", assign_shape, ANN_ERR_SHAPE, {"assign", "f32[2,3], f32[3,2]"}},
    {"assign dtype", assign_dtype, ANN_ERR_DTYPE, {"assign", "f32[2,3], f64[2,3]"}},
    {"softmax", softmax_scalar, ANN_ERR_SHAPE, {"softmax"}},
    {"cross_entropy rows", cross_entropy_rows, ANN_ERR_SHAPE, {"cross_entropy", "f32[4,3], i32[5]"}},
    {"cross_entropy labels", cross_entropy_labels, ANN_ERR_DTYPE, {"cross_entropy", "u8[4]"}},
    {"dropout p", dropout_p, ANN_ERR_ARG, {"dropout", "p = 1"}},
    {"dropout ids", dropout_ids, ANN_ERR_SHAPE, {"dropout", "i64[3]"}},
    {"pack overlap", pack_overlap, ANN_ERR_ARG, {"pack", "overlaps"}},
    {"pack beyond", pack_beyond, ANN_ERR_SHAPE, {"pack", "fit"}},
    {"gradient of a vector", grad_of_vector, ANN_ERR_SHAPE, {"scalar"}},
    {"gradient of a lowered op", grad_of_lowered, ANN_ERR_UNSUPPORTED, {"pack", "gradient"}},
    {"output", output_of_nothing, ANN_ERR_ARG, {"loss"}},
};

static void test_refusals(void **state) {
    (void)state;
    ann_store *store = NULL;
    check_ok(example_store(&store, ANN_F32));
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        ann_graph *g = NULL;
        check_ok(ann_graph_new(&g, store));
        ann_scope_push(g, "encoder");
        ann_scope_push(g, "layer1");
        r->build(g);
        const ann_status status = ann_graph_status(g);
        const char *text = ann_error_text();
        if (status != r->status)
            fail_msg("%s: %s (%s), should be %s", r->name, ann_status_name(status), text,
                     ann_status_name(r->status));
        if (strstr(text, "encoder/layer1") == NULL) fail_msg("%s: no scope in \"%s\"", r->name, text);
        for (int k = 0; k < 3 && r->text[k]; k++)
            if (strstr(text, r->text[k]) == NULL)
                fail_msg("%s: no \"%s\" in \"%s\"", r->name, r->text[k], text);
        ann_graph_free(g);
    }
    ann_store_free(store);
}

/* The first error stays; everything after it returns none and adds no node. */
static void the_first_error_sticks(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = f32(g, ANN_SHAPE(2, 3));
    const ann_node bad = ann_matmul(g, x, x, false, false);
    assert_false(ann_node_is(bad));
    const int32_t count = ann_graph_count(g);
    ann_node grad, y = ann_sum_all(g, ann_relu(g, ann_add(g, bad, x)));
    assert_false(ann_node_is(y));
    ann_grad(g, y, &x, 1, &grad);
    assert_false(ann_node_is(grad));
    assert_false(ann_node_is(ann_add(g, x, x)));
    ann_conv2d(g, bad, bad, (ann_window){0});
    ann_concat(g, (ann_node[]){bad, x}, 2, 0);
    ann_slice(g, bad, (int64_t[]){0}, (int64_t[]){1});
    ann_softmax(g, bad);
    ann_flatten(g, bad);
    ann_global_avg_pool(g, bad);
    ann_output(g, "y", y);
    assert_int_equal(ann_graph_count(g), count);
    assert_int_equal(ann_graph_output_count(g), 0);
    assert_int_equal(ann_graph_status(g), ANN_ERR_SHAPE);
    assert_non_null(strstr(ann_error_text(), "matmul"));
    ann_graph_free(g);
}

/* ---- what is accepted ---- */

static void check_shape(const ann_graph *g, ann_node node, ann_dtype dtype, ann_shape shape) {
    check_ok(ann_graph_status(g));
    char a[128], b[128];
    if (!ann_shape_equal(ann_node_shape(g, node), &shape) || ann_node_dtype(g, node) != dtype)
        fail_msg("%s%s, should be %s%s", ann_dtype_name(ann_node_dtype(g, node)),
                 ann_shape_str(a, sizeof a, ann_node_shape(g, node)), ann_dtype_name(dtype),
                 ann_shape_str(b, sizeof b, &shape));
}

static void edges_are_accepted(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node empty = f32(g, ANN_SHAPE(0, 3)), scalar = f32(g, ANN_SCALAR),
                   x = f32(g, ANN_SHAPE(2, 1, 3));
    check_shape(g, ann_add(g, empty, f32(g, ANN_SHAPE(3))), ANN_F32, ANN_SHAPE(0, 3));
    check_shape(g, ann_add(g, scalar, scalar), ANN_F32, ANN_SCALAR);
    check_shape(g, ann_add(g, x, f32(g, ANN_SHAPE(4, 1))), ANN_F32, ANN_SHAPE(2, 4, 3));
    check_shape(g, ann_reshape(g, empty, ANN_SHAPE(3, 0)), ANN_F32, ANN_SHAPE(3, 0));
    check_shape(g, ann_reshape(g, x, ANN_SHAPE(-1, 2)), ANN_F32, ANN_SHAPE(3, 2));
    check_shape(g, ann_bcast(g, scalar, ANN_SHAPE(2, 2)), ANN_F32, ANN_SHAPE(2, 2));
    check_shape(g, ann_reduce_sum(g, x, 5u), ANN_F32, ANN_SHAPE(1, 1, 1));
    check_shape(g, ann_reduce_sum(g, x, 0u), ANN_F32, ANN_SHAPE(2, 1, 3));
    check_shape(g, ann_sum_all(g, x), ANN_F32, ANN_SCALAR);
    check_shape(g, ann_argmax(g, x), ANN_I32, ANN_SHAPE(2, 1));
    check_shape(g, ann_matmul(g, empty, f32(g, ANN_SHAPE(3, 4)), false, false), ANN_F32, ANN_SHAPE(0, 4));
    check_shape(g, ann_one_hot(g, of(g, ANN_I32, ANN_SHAPE(2)), 1, ANN_F64), ANN_F64, ANN_SHAPE(2, 1));
    check_shape(
        g, ann_max_pool2d(g, f32(g, ANN_SHAPE(1, 15, 17, 1)), (ann_window){.kernel_h = 15, .kernel_w = 17}),
        ANN_F32, ANN_SHAPE(1, 1, 1, 1));
    check_shape(g, ann_max_pool_index(g, f32(g, ANN_SHAPE(1, 4, 4, 2)), two), ANN_U8, ANN_SHAPE(1, 2, 2, 2));
    check_shape(g,
                ann_conv2d(g, f32(g, ANN_SHAPE(0, 5, 5, 2)), f32(g, ANN_SHAPE(4, 5, 5, 2)), (ann_window){0}),
                ANN_F32, ANN_SHAPE(0, 1, 1, 4));
    check_shape(g, ann_cast(g, of(g, ANN_U8, ANN_SHAPE(2)), ANN_F32), ANN_F32, ANN_SHAPE(2));
    ann_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(the_first_error_sticks),
                                       cmocka_unit_test(edges_are_accepted)};
    return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
