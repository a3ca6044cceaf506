/* Methods of transfer, and the steps of adversarial ones, against PyTorch: losses, gradients, and teachers
 * after the step. */
#include "support/check.h"

#include "bench.h"
#include "transfer_values.h"

static void svm(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_SVM}, .progress = 0.3, .step = 0, BENCH_VALUES(svm)});
}

static void l2sp(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_L2SP, .weight = 0.3, .beta = 0.2},
                              .progress = 0.3,
                              .step = 0,
                              BENCH_VALUES(l2sp)});
}

static void distill(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_DISTILL, .teacher = "whole", .temperature = 3, .weight = 0.6},
        .progress = 0.3,
        .step = 0,
        BENCH_VALUES(distill)});
}

static void mean_teacher(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MEAN_TEACHER, .momentum = 0.9, .weight = 2},
                              .progress = 0.3,
                              .step = 0,
                              BENCH_VALUES(mean_teacher)});
}

static void mean_teacher_sure(void **state) {
    (void)state;
    bench_check(&(bench_case){
        .config = {.kind = ANN_METHOD_MEAN_TEACHER, .momentum = 0.9, .weight = 2, .threshold = 0.4},
        .progress = 0.3,
        .step = 0,
        BENCH_VALUES(mean_teacher_sure)});
}

static void tent(void **state) {
    (void)state;
    bench_check(
        &(bench_case){.config = {.kind = ANN_METHOD_TENT}, .progress = 0.3, .step = 0, BENCH_VALUES(tent)});
}

static void adda_discriminate(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_ADDA, .discriminator = "discriminator"},
                              .progress = 0.3,
                              .step = 0,
                              BENCH_VALUES(adda_discriminate)});
}

static void adda_deceive(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_ADDA, .discriminator = "discriminator"},
                              .progress = 0.3,
                              .step = 1,
                              BENCH_VALUES(adda_deceive)});
}

static void mcd_classify(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MCD, .second = "second"},
                              .progress = 0.3,
                              .step = 0,
                              BENCH_VALUES(mcd_classify)});
}

static void mcd_diverge(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MCD, .second = "second"},
                              .progress = 0.3,
                              .step = 1,
                              BENCH_VALUES(mcd_diverge)});
}

static void mcd_agree(void **state) {
    (void)state;
    bench_check(&(bench_case){.config = {.kind = ANN_METHOD_MCD, .second = "second"},
                              .progress = 0.3,
                              .step = 2,
                              BENCH_VALUES(mcd_agree)});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(svm),
                                       cmocka_unit_test(l2sp),
                                       cmocka_unit_test(distill),
                                       cmocka_unit_test(mean_teacher),
                                       cmocka_unit_test(mean_teacher_sure),
                                       cmocka_unit_test(tent),
                                       cmocka_unit_test(adda_discriminate),
                                       cmocka_unit_test(adda_deceive),
                                       cmocka_unit_test(mcd_classify),
                                       cmocka_unit_test(mcd_diverge),
                                       cmocka_unit_test(mcd_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
