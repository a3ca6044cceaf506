/* Layers of a run file: each is what the functions of nn and graph make of it. */
#include <stdio.h>
#include "kernel/kernel.h"
#include "support/check.h"
#include "support/eval.h"
#include "train/internal.h"

enum { BATCH = 5, SIDE = 3, DEPTH = 2, ELEMS = BATCH * SIDE * SIDE * DEPTH };

typedef struct layer_case {
    const char *text;
    ann_node (*make)(ann_nn *nn, ann_node x); /* a layer called net/l */
} layer_case;

static ann_node conv_sigmoid(ann_nn *nn, ann_node x) {
    const ann_window window = {.kernel_h = 2, .kernel_w = 2};
    return ann_sigmoid(nn->graph, ann_nn_conv2d(nn, "net/l", x, 3, window, true));
}
static ann_node conv_softplus(ann_nn *nn, ann_node x) {
    const ann_window window = {.kernel_h = 2, .kernel_w = 2};
    return ann_softplus(nn->graph, ann_nn_conv2d(nn, "net/l", x, 3, window, true));
}
static ann_node softplus(ann_nn *nn, ann_node x) { return ann_softplus(nn->graph, x); }
static ann_node layer_norm(ann_nn *nn, ann_node x) { return ann_nn_layer_norm(nn, "net/l", x, 0.25); }
static ann_node mask(ann_nn *nn, ann_node x) { return ann_nn_mask_noise(nn, "net/l", x, 0.5); }
static ann_node gaussian(ann_nn *nn, ann_node x) { return ann_nn_gaussian_noise(nn, "net/l", x, 2); }
static ann_node salt_pepper(ann_nn *nn, ann_node x) { return ann_nn_salt_pepper(nn, "net/l", x, 0.5); }

static const layer_case cases[] = {
    {"conv2d: {name: l, channels: 3, kernel: 2, activation: sigmoid}", conv_sigmoid},
    {"conv2d: {name: l, channels: 3, kernel: 2, activation: softplus}", conv_softplus},
    {"activation: {kind: softplus}", softplus},
    {"layer_norm: {name: l, eps: 0.25}", layer_norm},
    {"noise: {name: l, kind: mask, amount: 0.5}", mask},
    {"noise: {name: l, kind: gaussian, amount: 2}", gaussian},
    {"noise: {name: l, kind: salt_pepper, amount: 0.5}", salt_pepper},
};

static ann_run_config *parse(const char *layer) {
    char text[1024];
    ann_run_config *config;
    snprintf(text, sizeof text,
             "name: run\noutput: out\ndata: {path: /proc/self/exe}\n"
             "models: {net: [%s], head: [dense: {name: out, units: 4}]}\n"
             "phases: [{name: p, kind: pretrain, model: [net, head], loss: mse, batch: 4,\n"
             "          program: [{epochs: 1, lr: 1}]}]\n",
             layer);
    check_ok(ann_run_config_parse(&config, "run.yaml", text, NULL, 0));
    return config;
}

static void compare(const ann_graph *g, ann_node got, ann_node want, const char *what) {
    eval *e = eval_new(g, ANN_KERNEL_REFERENCE);
    float *x = eval_input(e, "x");
    int64_t *ids = eval_input(e, "ids");
    for (int i = 0; i < ELEMS; i++) x[i] = (float)(i % 17) * 0.25f - 2;
    for (int i = 0; i < BATCH; i++) ids[i] = 100 + i;
    eval_run(e, ANN_NODE_NONE);
    for (int64_t i = 0; i < ann_shape_elems(ann_node_shape(g, want)); i++)
        if (eval_elem(e, got, i) != eval_elem(e, want, i))
            fail_msg("%s: element %d is %g instead of %g", what, (int)i, eval_elem(e, got, i),
                     eval_elem(e, want, i));
    eval_free(e);
}

static void check_case(const layer_case *of) {
    ann_run_config *config = parse(of->text);
    ann_store *store;
    ann_graph *g;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    ann_nn nn = {.graph = g, .training = true, .dtype = ANN_F32, .seed = 5};
    nn.ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(BATCH));
    const ann_node x = ann_input(g, "x", ANN_F32, ANN_SHAPE(BATCH, SIDE, SIDE, DEPTH));
    const ann_node got = anni_model_block(&nn, &config->blocks[0], x), want = of->make(&nn, x);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(store));
    assert_true(ann_shape_equal(ann_node_shape(g, got), ann_node_shape(g, want)));
    compare(g, got, want, of->text);
    ann_graph_free(g);
    ann_store_free(store);
    ann_run_config_free(config);
}

static void test_layers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_case(&cases[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layers)};
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
