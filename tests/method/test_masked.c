/* Masked autoencoding against PyTorch. */
#include "support/check.h"

#include "base/philox.h"
#include "bench.h"
#include "masked_values.h"
#include "support/eval.h"

static const char *const model[] = {"encoder", "decoder"};

static bench_case case_of(double loss, const bench_values *gradients, int count) {
    return (bench_case){.config = {.kind = ANN_METHOD_MASKED, .patch = {3, 4}, .ratio = 0.65},
                        .model = model,
                        .model_count = 2,
                        .loss = loss,
                        .gradients = gradients,
                        .gradient_count = count};
}
#define CASE(name)                                                                                           \
    case_of(name##_loss, name##_gradients, sizeof name##_gradients / sizeof name##_gradients[0])

static void loss_and_gradients(void **state) {
    (void)state;
    bench_case c = CASE(masked);
    c.likeness = ANN_METHOD_BCE;
    bench_check(&c);
    c = CASE(squared);
    bench_check(&c);
}

/* The same patches of every sample. */
static void evaluation(void **state) {
    (void)state;
    bench_case c = CASE(evaluated);
    c.evaluates = true;
    bench_check(&c);
}

static ann_node seen;
static ann_node look(const void *of, ann_nn *nn, const char *block, ann_node x) {
    (void)of, (void)nn, (void)block;
    return seen = x;
}

/* Rows and columns of patches, all channels of a pixel alike, whatever else has been drawn. */
static void patches_of_an_image(void **state) {
    (void)state;
    enum { B = 3, H = 5, W = 7, C = 2, PH = 2, PW = 3, COLUMNS = 3, FIRST = 10 };
    const ann_method_config config = {.kind = ANN_METHOD_MASKED, .patch = {PH, PW}, .ratio = 0.5};
    const ann_method_blocks blocks = {.apply = look, .model = model, .model_count = 1};
    ann_graph *g;
    check_ok(ann_graph_new(&g, NULL));
    ann_nn nn = {.graph = g, .training = true, .dtype = ANN_F64, .seed = 5};
    nn.ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(B));
    ann_method m = {.config = &config, .blocks = &blocks, .nn = &nn, .local = B, .global = B};
    m.x = m.clean = ann_fill(g, ANN_F64, ANN_SHAPE(B, H, W, C), 1);
    m.scale = ann_scalar(g, ANN_F64, 1.0 / B);
    (void)ann_method_build(&m);
    check_ok(ann_graph_status(g));
    eval *e = eval_new(g, ANN_KERNEL_REFERENCE);
    for (int b = 0; b < B; b++) ((int64_t *)eval_input(e, "ids"))[b] = FIRST + b;
    eval_run(e, ANN_NODE_NONE);
    for (int i = 0; i < B * H * W * C; i++) {
        const int b = i / (H * W * C), row = i / (W * C) % H, column = i / C % W;
        const int64_t patch = (int64_t)row / PH * COLUMNS + column / PW;
        const uint64_t sample = (uint64_t)b + FIRST;
        const double u = ann_random_uniform(5, ann_nn_stream("masked/patches"), sample, (uint64_t)patch);
        assert_true(eval_elem(e, seen, i) == (u < 0.5 ? 0 : 1));
    }
    eval_free(e);
    ann_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(loss_and_gradients), cmocka_unit_test(evaluation),
                                       cmocka_unit_test(patches_of_an_image)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
