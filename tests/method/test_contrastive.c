/* SimCLR, BYOL and MoCo against PyTorch: losses, gradients, and teachers and queues after the step. */
#include "support/check.h"

#include "bench.h"
#include "contrastive_values.h"
#include "support/eval.h"

static const char *const model[] = {"encoder"};

#define CASE(name, ...)                                                                                      \
    {                                                                                                        \
        .config = {__VA_ARGS__}, .model = model, .model_count = 1, .loss = name##_loss,                      \
        .gradients = name##_gradients,                                                                       \
        .gradient_count = sizeof name##_gradients / sizeof name##_gradients[0]                               \
    }

static void simclr(void **state) {
    (void)state;
    const bench_case c =
        CASE(simclr, .kind = ANN_METHOD_SIMCLR, .projector = "projector", .temperature = 0.3);
    bench_check(&c);
}

static void byol(void **state) {
    (void)state;
    bench_case c = CASE(byol, .kind = ANN_METHOD_BYOL, .projector = "projector", .predictor = "predictor",
                        .momentum = 0.9);
    c.progress = 0.3;
    bench_check(&c);
}

/* Longer than a batch, and shorter. */
static void moco(void **state) {
    (void)state;
    const bench_values queues[] = {{"moco/queue", 11 * 3, given_long}, {"moco/queue", 5 * 3, given_short}};
    bench_case c = CASE(moco, .kind = ANN_METHOD_MOCO, .projector = "projector", .temperature = 0.2,
                        .momentum = 0.99, .queue = 11);
    c.given = &queues[0];
    c.given_count = 1;
    bench_check(&c);
    bench_case d = CASE(short_queue, .kind = ANN_METHOD_MOCO, .projector = "projector", .temperature = 0.2,
                        .momentum = 0.99, .queue = 5);
    d.given = &queues[1];
    d.given_count = 1;
    bench_check(&d);
}

static ann_node drop(const void *of, ann_nn *nn, const char *block, ann_node x) {
    (void)of;
    return ann_nn_dropout(nn, block, x, 0.5);
}

/* Both views are the same here; the first one draws what it would draw alone. */
static void dropout_differs_between_views(void **state) {
    (void)state;
    enum { B = 4, D = 32 };
    ann_graph *g;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_fill(g, ANN_F64, ANN_SHAPE(B, D), 1);
    const ann_method_blocks blocks = {.apply = drop};
    ann_nn nn = {
        .graph = g, .training = true, .dtype = ANN_F64, .ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(B))};
    const ann_method m = {.blocks = &blocks, .nn = &nn, .x = x, .x2 = x};
    ann_node both;
    ann_nn of_both = ann_method_both_views(&m, &both);
    const ann_node alone = ann_method_block(&m, &nn, "drop", x);
    both = ann_method_block(&m, &of_both, "drop", both);
    check_ok(ann_graph_status(g));
    eval *e = eval_new(g, ANN_KERNEL_REFERENCE);
    for (int b = 0; b < B; b++) ((int64_t *)eval_input(e, "ids"))[b] = b;
    eval_run(e, ANN_NODE_NONE);
    const double *of_one = eval_value(e, alone), *of_two = eval_value(e, both);
    assert_memory_equal(of_one, of_two, B * D * sizeof *of_one);
    assert_memory_not_equal(of_two, of_two + B * D, B * D * sizeof *of_two);
    eval_free(e);
    ann_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(simclr), cmocka_unit_test(byol),
                                       cmocka_unit_test(moco),
                                       cmocka_unit_test(dropout_differs_between_views)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
