/* Discrepancies between domains, and methods by entropy, pseudo-labels and weights, against PyTorch. */
#include "support/check.h"

#include "bench.h"
#include "moments_values.h"

/* Pseudo-labels, or weights. */
static const float numbers[BENCH_BATCH] = {-1, 2, -1, 0, 1, -1, 2, 1};
/* SHOT has one for each sample. */
static const float labels[BENCH_BATCH] = {0, 2, 0, 0, 1, 0, 2, 1};

static void mmd(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5}, BENCH_VALUES(mmd)});
}

static void mmd_linear(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MMD, .weight = 0.7, .kernels = 5, .linear = true},
                              BENCH_VALUES(mmd_linear)});
}

static void jan(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_JAN, .weight = 0.7, .kernels = 5}, BENCH_VALUES(jan)});
}

static void coral(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_CORAL, .weight = 20}, BENCH_VALUES(coral)});
}

static void deepjdot(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_DEEPJDOT, .alpha = 0.4, .weight = 0.3, .epsilon = 0.2, .repeats = 7},
        BENCH_VALUES(deepjdot)});
}

static void entropy(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_ENTROPY, .weight = 0.6}, BENCH_VALUES(entropy)});
}

static void entropy_diverse(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_ENTROPY, .weight = 0.6, .diversity = 0.8},
                              BENCH_VALUES(entropy_diverse)});
}

static void self_training(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_SELF_TRAINING, .weight = 0.6},
                              .table = numbers,
                              BENCH_VALUES(self_training)});
}

static void shot(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_SHOT, .weight = 0.6}, .table = labels, BENCH_VALUES(shot)});
}

static void reweight(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_REWEIGHT}, .table = numbers, BENCH_VALUES(reweight)});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mmd),
                                       cmocka_unit_test(mmd_linear),
                                       cmocka_unit_test(jan),
                                       cmocka_unit_test(coral),
                                       cmocka_unit_test(deepjdot),
                                       cmocka_unit_test(entropy),
                                       cmocka_unit_test(entropy_diverse),
                                       cmocka_unit_test(self_training),
                                       cmocka_unit_test(shot),
                                       cmocka_unit_test(reweight)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
