/* DANN, CDAN and DRCN against PyTorch. */
#include "support/check.h"

#include "bench.h"
#include "dann_values.h"

static void dann(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_DANN, .discriminator = "discriminator", .weight = 0.7},
                      .progress = 0.3,
                      BENCH_VALUES(dann)});
}

static void cdan(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_CDAN, .discriminator = "cdan", .weight = 0.7, .entropy = true},
        .progress = 0.3,
        BENCH_VALUES(cdan)});
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_CDAN, .discriminator = "cdan", .weight = 0.7},
                              .progress = 0.3,
                              BENCH_VALUES(cdan_plain)});
}

static void drcn(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_DRCN, .decoder = "decoder", .weight = 0.3},
                              BENCH_VALUES(drcn)});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(dann), cmocka_unit_test(cdan),
                                       cmocka_unit_test(drcn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
