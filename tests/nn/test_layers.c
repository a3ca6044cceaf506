/* Layers: shapes, names, initial values, sharing, noise, errors. */
#include "support/check.h"

#include <math.h>
#include <string.h>

#include "nn/nn.h"
#include "support/eval.h"

typedef struct bench {
    ann_store *store;
    ann_graph *graph;
    ann_nn nn;
} bench;

enum { BATCH = 64 };

static void bench_new(bench *b, bool training, ann_nn_init init) {
    check_ok(ann_store_new(&b->store, 3));
    check_ok(ann_graph_new(&b->graph, b->store));
    b->nn = (ann_nn){.graph = b->graph, .training = training, .dtype = ANN_F32, .init = init, .seed = 5};
    b->nn.ids = ann_input(b->graph, "ids", ANN_I64, ANN_SHAPE(BATCH));
}
static void bench_free(bench *b) {
    ann_graph_free(b->graph);
    ann_store_free(b->store);
}

static void check_shape(const bench *b, const char *name, ann_shape want) {
    const ann_tensor tensor = ann_store_find(b->store, name);
    if (tensor.id < 0) fail_msg("there is no %s", name);
    assert_true(ann_shape_equal(&ann_store_info(b->store, tensor)->shape, &want));
}

/* Uniform in [-bound, bound): the extremes are near, the variance is bound^2 / 3 (relative error about
   sqrt(0.8 / n); 6 of these are allowed). */
static void check_uniform(const bench *b, const char *name, double bound) {
    const ann_tensor tensor = ann_store_find(b->store, name);
    const ann_tensor_info *info = ann_store_info(b->store, tensor);
    const int64_t n = ann_shape_elems(&info->shape);
    const float *values = ann_store_data(b->store, tensor);
    double squares = 0;
    for (int64_t i = 0; i < n; i++) {
        assert_true(fabs((double)values[i]) <= bound * (1 + 0x1p-23));
        squares += (double)values[i] * (double)values[i];
    }
    assert_true(fabs(squares / (double)n / (bound * bound / 3) - 1) < 6 * sqrt(0.8 / (double)n));
}

static void test_dense(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 50));
    const ann_node y = ann_nn_dense(&b.nn, "net/fc", x, 30);
    check_ok(ann_graph_status(b.graph));
    assert_true(ann_shape_equal(ann_node_shape(b.graph, y), &ANN_SHAPE(BATCH, 30)));
    check_shape(&b, "net/fc/weight", ANN_SHAPE(50, 30));
    check_shape(&b, "net/fc/bias", ANN_SHAPE(30));
    check_ok(ann_store_commit(b.store));
    check_uniform(&b, "net/fc/weight", sqrt(6.0 / 50));
    bench_free(&b);
}

static void test_init_of_pytorch(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_PYTORCH);
    ann_nn_dense(&b.nn, "fc", ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 50)), 30);
    check_ok(ann_graph_status(b.graph));
    check_ok(ann_store_commit(b.store));
    check_uniform(&b, "fc/weight", sqrt(1.0 / 50));
    bench_free(&b);
}

static void test_conv2d(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_XAVIER);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 9, 9, 8));
    const ann_window window = {
        .kernel_h = 3, .kernel_w = 5, .groups = 2, .pad_top = 1, .pad_bottom = 1, .stride_w = 2};
    const ann_node y = ann_nn_conv2d(&b.nn, "net/conv", x, 12, window, false);
    check_ok(ann_graph_status(b.graph));
    assert_true(ann_shape_equal(ann_node_shape(b.graph, y), &ANN_SHAPE(BATCH, 9, 3, 12)));
    check_shape(&b, "net/conv/weight", ANN_SHAPE(12, 3, 5, 4));
    assert_true(ann_store_find(b.store, "net/conv/bias").id < 0);
    check_ok(ann_store_commit(b.store));
    check_uniform(&b, "net/conv/weight", sqrt(6.0 / (15 * 4 + 15 * 6)));
    bench_free(&b);
}

static void test_same_name_shares(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 8));
    ann_nn_dense(&b.nn, "fc", ann_nn_dense(&b.nn, "fc", x, 8), 8);
    check_ok(ann_graph_status(b.graph));
    assert_int_equal(ann_store_count(b.store), 2);
    ann_nn_dense(&b.nn, "fc", x, 9);
    assert_int_equal(ann_graph_status(b.graph), ANN_ERR_SHAPE);
    bench_free(&b);
}

/* The same layers on copies of their tensors, which training leaves alone. */
static void test_shadow(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 8));
    ann_nn shadow = b.nn;
    shadow.shadow = "copy";
    ann_nn_batch_norm(&b.nn, "bn", ann_nn_dense(&b.nn, "fc", x, 5), 0.1, 1e-5);
    const int count = ann_store_count(b.store), moved = ann_graph_effect_count(b.graph);
    ann_nn_batch_norm(&shadow, "bn", ann_nn_dense(&shadow, "fc", x, 5), 0.1, 1e-5);
    check_ok(ann_graph_status(b.graph));
    assert_int_equal(ann_store_count(b.store), 2 * count);
    assert_int_equal(ann_graph_effect_count(b.graph), moved);
    check_shape(&b, "copy/fc/weight", ANN_SHAPE(8, 5));
    check_shape(&b, "copy/bn/mean", ANN_SHAPE(5));
    for (int32_t i = count; i < 2 * count; i++)
        assert_int_equal(ann_store_info(b.store, (ann_tensor){i})->role, ANN_ROLE_STATE);
    bench_free(&b);
}

/* The first node that loads the tensor. */
static ann_node load_of(const bench *b, ann_tensor tensor) {
    for (int32_t id = 0; id < ann_graph_count(b->graph); id++) {
        const ann_node node = {id};
        if (ann_node_op(b->graph, node) != ANN_OP_STORE) continue;
        if (ann_node_attrs(b->graph, node)->store.tensor.id == tensor.id) return node;
    }
    fail_msg("tensor %d is not loaded", (int)tensor.id);
    return ANN_NODE_NONE;
}

/* Gradients pass a frozen layer, and do not reach its parameters. */
static void test_frozen(void **state) {
    (void)state;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    b.nn.frozen = true;
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 8));
    const ann_node y = ann_sum_all(b.graph, ann_nn_dense(&b.nn, "fc", x, 1));
    const ann_node weight = load_of(&b, ann_store_find(b.store, "fc/weight"));
    ann_node grads[2];
    ann_grad(b.graph, y, (ann_node[]){x, weight}, 2, grads);
    check_ok(ann_graph_status(b.graph));
    check_ok(ann_store_commit(b.store));
    eval *e = eval_new(b.graph, ANN_KERNEL_REFERENCE);
    float *ones = eval_input(e, "x");
    for (int i = 0; i < BATCH * 8; i++) ones[i] = 1;
    eval_run(e, ANN_NODE_NONE);
    for (int i = 0; i < 8; i++) {
        assert_true(eval_elem(e, grads[0], i) == eval_elem(e, weight, i) && eval_elem(e, weight, i) != 0);
        assert_true(eval_elem(e, grads[1], i) == 0);
    }
    eval_free(e);
    bench_free(&b);
}

static void test_wrong_shapes(void **state) {
    (void)state;
    bench b;
    for (int i = 0; i < 3; i++) {
        bench_new(&b, true, ANN_NN_HE);
        const ann_node image = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, 4, 4, 3));
        const ann_node flat = ann_input(b.graph, "f", ANN_F32, ANN_SHAPE(BATCH));
        const ann_window window = {.kernel_h = 1, .kernel_w = 1, .groups = 2};
        if (i == 0) ann_nn_dense(&b.nn, "fc", image, 4);
        if (i == 1) ann_nn_conv2d(&b.nn, "conv", image, 4, window, true);
        if (i == 2) ann_nn_batch_norm(&b.nn, "bn", flat, 0.1, 1e-5);
        assert_int_equal(ann_graph_status(b.graph), ANN_ERR_SHAPE);
        bench_free(&b);
    }
}

enum { WIDTH = 256 };

/* Of the graph: the input is ones, and samples are numbered from `first` on. */
static eval *run_over_ones(const bench *b, int64_t first) {
    eval *e = eval_new(b->graph, ANN_KERNEL_FAST);
    float *x = eval_input(e, "x");
    int64_t *ids = eval_input(e, "ids");
    for (int i = 0; i < BATCH * WIDTH; i++) x[i] = 1;
    for (int i = 0; i < BATCH; i++) ids[i] = first + i;
    eval_run(e, ANN_NODE_NONE);
    return e;
}

/* Runs one noise layer over ones; ids differ by `first`. Returns the share of zeros; every other value is
 * `kept`. */
static double share_of_zeros(bench *b, ann_node y, int64_t first, float kept, float *copy) {
    eval *e = run_over_ones(b, first);
    int zeros = 0;
    const float *out = eval_value(e, y);
    for (int i = 0; i < BATCH * WIDTH; i++) {
        zeros += out[i] == 0;
        if (out[i] != 0 && out[i] != kept) fail_msg("%g instead of 0 or %g", (double)out[i], (double)kept);
    }
    if (copy) memcpy(copy, out, sizeof(float) * BATCH * WIDTH);
    eval_free(e);
    return (double)zeros / (BATCH * WIDTH);
}

static void check_noise(bool dropout, double p, float kept) {
    static float low[BATCH * WIDTH], high[BATCH * WIDTH];
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, WIDTH));
    const ann_node y =
        dropout ? ann_nn_dropout(&b.nn, "noise", x, p) : ann_nn_mask_noise(&b.nn, "noise", x, p);
    check_ok(ann_graph_status(b.graph));
    check_ok(ann_store_commit(b.store));
    const double deviation = sqrt(p * (1 - p) / (BATCH * WIDTH));
    assert_true(fabs(share_of_zeros(&b, y, 0, kept, low) - p) < 6 * deviation);
    assert_true(fabs(share_of_zeros(&b, y, BATCH / 2, kept, high) - p) < 6 * deviation);
    /* A draw belongs to the sample, not to its row. */
    assert_memory_equal(low + BATCH / 2 * WIDTH, high, sizeof(float) * BATCH / 2 * WIDTH);
    assert_memory_not_equal(low, high, sizeof(float) * WIDTH);
    bench_free(&b);
}

static void test_dropout(void **state) {
    (void)state;
    check_noise(true, 0.25, 1 / 0.75f);
}
static void test_mask_noise(void **state) {
    (void)state;
    check_noise(false, 0.4, 1);
}

/* Half of what is hit becomes 0, half 1; the input is 0.5. */
static void test_salt_pepper(void **state) {
    (void)state;
    const double p = 0.3;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, WIDTH));
    const ann_node y = ann_nn_salt_pepper(&b.nn, "noise", ann_mul_const(b.graph, x, 0.5), p);
    check_ok(ann_graph_status(b.graph));
    check_ok(ann_store_commit(b.store));
    eval *e = run_over_ones(&b, 0);
    double count[3] = {0};
    for (int i = 0; i < BATCH * WIDTH; i++) {
        const double v = eval_elem(e, y, i);
        assert_true(v == 0 || v == 0.5 || v == 1);
        count[(int)(2 * v)] += 1.0 / (BATCH * WIDTH);
    }
    const double deviation = sqrt(p / 2 * (1 - p / 2) / (BATCH * WIDTH));
    assert_true(fabs(count[0] - p / 2) < 6 * deviation && fabs(count[2] - p / 2) < 6 * deviation);
    eval_free(e);
    bench_free(&b);
}

/* Mean and variance of the difference; that of a squared normal number is 2. */
static void test_gaussian_noise(void **state) {
    (void)state;
    const double sigma = 0.2, n = BATCH * WIDTH;
    bench b;
    bench_new(&b, true, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, WIDTH));
    const ann_node y = ann_nn_gaussian_noise(&b.nn, "noise", x, sigma);
    check_ok(ann_graph_status(b.graph));
    check_ok(ann_store_commit(b.store));
    eval *e = run_over_ones(&b, 0);
    double sum = 0, squares = 0;
    for (int i = 0; i < BATCH * WIDTH; i++) {
        const double noise = eval_elem(e, y, i) - 1;
        sum += noise / n;
        squares += noise * noise / n;
    }
    assert_true(fabs(sum) < 6 * sigma / sqrt(n));
    assert_true(fabs(squares / (sigma * sigma) - 1) < 6 * sqrt(2 / n));
    eval_free(e);
    bench_free(&b);
}

static void test_no_noise_outside_training(void **state) {
    (void)state;
    bench b;
    bench_new(&b, false, ANN_NN_HE);
    const ann_node x = ann_input(b.graph, "x", ANN_F32, ANN_SHAPE(BATCH, WIDTH));
    assert_int_equal(ann_nn_dropout(&b.nn, "a", x, 0.5).id, x.id);
    assert_int_equal(ann_nn_mask_noise(&b.nn, "b", x, 0.5).id, x.id);
    assert_int_equal(ann_nn_salt_pepper(&b.nn, "c", x, 0.5).id, x.id);
    assert_int_equal(ann_nn_gaussian_noise(&b.nn, "d", x, 0.5).id, x.id);
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),          cmocka_unit_test(test_init_of_pytorch),
        cmocka_unit_test(test_conv2d),         cmocka_unit_test(test_same_name_shares),
        cmocka_unit_test(test_shadow),         cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_wrong_shapes),   cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_mask_noise),     cmocka_unit_test(test_salt_pepper),
        cmocka_unit_test(test_gaussian_noise), cmocka_unit_test(test_no_noise_outside_training),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
