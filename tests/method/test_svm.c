/* The squared hinge loss against PyTorch. */
#include "support/check.h"

#include "bench.h"
#include "svm_values.h"

static void svm(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_SVM}, BENCH_VALUES(svm)});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(svm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
