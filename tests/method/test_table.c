/* Methods with pseudo-labels or weights of samples against PyTorch. */
#include "support/check.h"

#include "bench.h"
#include "table_values.h"

/* Pseudo-labels, or weights. */
static const float numbers[BENCH_BATCH] = {-1, 2, -1, 0, 1, -1, 2, 1};
/* SHOT has one for each sample. */
static const float labels[BENCH_BATCH] = {0, 2, 0, 0, 1, 0, 2, 1};

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
    const struct CMUnitTest tests[] = {cmocka_unit_test(self_training), cmocka_unit_test(shot),
                                       cmocka_unit_test(reweight)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
