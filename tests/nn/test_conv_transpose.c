/* Transposed convolution against PyTorch (float64): output and gradients of the half sum of its squares. */
#include "support/check.h"

#include <math.h>

#include "conv_transpose_values.h"
#include "nn/nn.h"
#include "support/eval.h"

typedef struct expected {
    int64_t h, w;
    const double *y, *dx, *dw, *db;
} expected;

/* Sums of at most 64 products of about 1. */
static void compare(const eval *e, ann_node node, const double *want, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(eval_elem(e, node, i) - want[i]) <= 64 * 64 * 0x1p-53 * (1 + fabs(want[i]))))
            fail_msg("%s[%d]: %.17g instead of %.17g", what, (int)i, eval_elem(e, node, i), want[i]);
}

static void fill(double *to, int64_t n, double step, double first) {
    for (int64_t i = 0; i < n; i++) to[i] = sin(step * (double)i + first);
}

static void check(ann_shape shape, int64_t channels, ann_window window, const int64_t more[2],
                  const expected *want) {
    ann_store *store;
    ann_graph *g;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    ann_nn nn = {.graph = g, .dtype = ANN_F64};
    const ann_node x = ann_input(g, "x", ANN_F64, shape);
    const ann_node y = ann_nn_conv_transpose2d(&nn, "up", x, channels, window, more, true);
    check_ok(ann_graph_status(g));
    const ann_tensor weight = ann_store_find(store, "up/weight"), bias = ann_store_find(store, "up/bias");
    assert_true(ann_shape_equal(ann_node_shape(g, y), &ANN_SHAPE(shape.dim[0], want->h, want->w, channels)));
    ann_node wrt[3] = {x, ANN_NODE_NONE, ANN_NODE_NONE}, grads[3];
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        if (ann_node_op(g, (ann_node){id}) != ANN_OP_STORE) continue;
        wrt[ann_node_attrs(g, (ann_node){id})->store.tensor.id == weight.id ? 1 : 2] = (ann_node){id};
    }
    ann_grad(g, ann_mul_const(g, ann_sum_all(g, ann_square(g, y)), 0.5), wrt, 3, grads);
    check_ok(ann_store_commit(store));
    const int64_t weights = ann_shape_elems(&ann_store_info(store, weight)->shape);
    fill(ann_store_data(store, weight), weights, 1.3, 1);
    fill(ann_store_data(store, bias), channels, 1.9, 2);
    eval *e = eval_new(g, ANN_KERNEL_REFERENCE);
    fill(eval_input(e, "x"), ann_shape_elems(&shape), 0.7, 0);
    eval_run(e, ANN_NODE_NONE);
    compare(e, y, want->y, shape.dim[0] * want->h * want->w * channels, "y");
    compare(e, grads[0], want->dx, ann_shape_elems(&shape), "dx");
    compare(e, grads[1], want->dw, weights, "dw");
    compare(e, grads[2], want->db, channels, "db");
    eval_free(e);
    ann_graph_free(g);
    ann_store_free(store);
}

static void plain(void **state) {
    (void)state;
    const ann_window window = {
        .kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    check(ANN_SHAPE(2, 3, 2, 2), 3, window, (int64_t[]){0, 0},
          &(expected){PLAIN_H, PLAIN_W, plain_y, plain_dx, plain_dw, plain_db});
}

static void strided_padded_dilated_and_grouped(void **state) {
    (void)state;
    const ann_window window = {.kernel_h = 3,
                               .kernel_w = 4,
                               .stride_h = 2,
                               .stride_w = 3,
                               .dilation_h = 2,
                               .dilation_w = 1,
                               .pad_top = 1,
                               .pad_bottom = 1,
                               .pad_left = 1,
                               .pad_right = 1,
                               .groups = 2};
    check(ANN_SHAPE(2, 3, 4, 4), 6, window, (int64_t[]){1, 2},
          &(expected){STRIDED_H, STRIDED_W, strided_y, strided_dx, strided_dw, strided_db});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain),
                                       cmocka_unit_test(strided_padded_dilated_and_grouped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
