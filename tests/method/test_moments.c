/* MMD, JAN, CORAL, DeepJDOT, entropy minimisation and MCC against PyTorch (DeepJDOT's plan: numpy), and on
   batches that lack a domain. */
#include "support/check.h"

#include "bench.h"
#include "moments_values.h"

static const int32_t uneven[BENCH_BATCH] = {0, 1, 0, 0, 1, 0, 0, 1};

static void mmd(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5}, BENCH_VALUES(mmd)});
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 4, .logits = true, .ramp = true},
        .domain = uneven,
        .progress = 0.3,
        BENCH_VALUES(mmd_uneven)});
}

static void linear_mmd(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5, .estimate = ANN_METHOD_LINEAR},
        BENCH_VALUES(mmd_linear)});
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MMD,
                                         .weight = 0.7,
                                         .kernels = 2,
                                         .logits = true,
                                         .estimate = ANN_METHOD_LINEAR},
                              .domain = uneven,
                              BENCH_VALUES(mmd_linear_uneven)});
}

static void jan(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_JAN, .weight = 0.7, .kernels = 3, .ramp = true},
                              .domain = uneven,
                              .progress = 0.3,
                              BENCH_VALUES(jan)});
}

static void coral(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_CORAL, .weight = 0.7}, .domain = uneven, BENCH_VALUES(coral)});
}

static void deepjdot(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config =
            {.kind = ANN_METHOD_DEEPJDOT, .alpha = 0.3, .lambda = 0.6, .epsilon = 0.2, .iterations = 10},
        .domain = uneven,
        BENCH_VALUES(deepjdot)});
}

static void entropy(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_ENTROPY, .weight = 0.7, .ramp = true},
                              .progress = 0.3,
                              BENCH_VALUES(entropy)});
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_ENTROPY, .weight = 0.7, .diversity = 0.8, .ramp = true},
                      .domain = uneven,
                      .progress = 0.3,
                      BENCH_VALUES(entropy_diverse)});
}

static void mcc(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MCC, .weight = 0.7, .temperature = 2.5},
                              .domain = uneven,
                              BENCH_VALUES(mcc)});
}

static const ann_method_config all[] = {
    {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5, .logits = true},
    {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5, .estimate = ANN_METHOD_LINEAR},
    {.kind = ANN_METHOD_JAN, .weight = 0.7, .kernels = 5},
    {.kind = ANN_METHOD_CORAL, .weight = 0.7},
    {.kind = ANN_METHOD_DEEPJDOT, .alpha = 0.3, .lambda = 0.6, .epsilon = 0.2, .iterations = 10},
    {.kind = ANN_METHOD_ENTROPY, .weight = 0.7, .diversity = 0.8},
    {.kind = ANN_METHOD_MCC, .weight = 0.7, .temperature = 2.5}};
enum { METHODS = sizeof all / sizeof all[0] };

/* What is left is the cross-entropy. */
static void without_target(void **state) {
    (void)state;
    static const int32_t domain[BENCH_BATCH] = {0};
    for (int i = 0; i < METHODS; i++)
        bench_check(&(bench_case){.config = all[i], .domain = domain, BENCH_VALUES(source_alone)});
}

/* What needs two samples of each domain. */
static void with_one_of_the_target(void **state) {
    (void)state;
    static const int32_t domain[BENCH_BATCH] = {[BENCH_BATCH - 1] = 1};
    const int needs_two[] = {1, 3};
    for (int i = 0; i < 2; i++)
        bench_check(
            &(bench_case){.config = all[needs_two[i]], .domain = domain, BENCH_VALUES(source_and_one)});
}

/* Without a source nothing is left but of entropy and MCC, which are of the target alone. */
static void without_source(void **state) {
    (void)state;
    static const int32_t domain[BENCH_BATCH] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const double none[BENCH_INPUTS * BENCH_FEATURES] = {0};
    static const bench_values zero = {"encoder/fc/weight", BENCH_INPUTS * BENCH_FEATURES, none};
    for (int i = 0; i < METHODS; i++)
        if (all[i].kind != ANN_METHOD_ENTROPY && all[i].kind != ANN_METHOD_MCC)
            bench_check(
                &(bench_case){.config = all[i], .domain = domain, .gradients = &zero, .gradient_count = 1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mmd),
        cmocka_unit_test(linear_mmd),
        cmocka_unit_test(jan),
        cmocka_unit_test(coral),
        cmocka_unit_test(deepjdot),
        cmocka_unit_test(entropy),
        cmocka_unit_test(mcc),
        cmocka_unit_test(without_target),
        cmocka_unit_test(with_one_of_the_target),
        cmocka_unit_test(without_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
