/* The linear probe against Newton's method in float64. */
#include "fails.h"

#include <math.h>
#include <string.h>
#include "grouped.h"
#include "kernel/kernel.h"
#include "probe_values.h"

static float a[GROUPED_TRAIN * GROUPED_D], b[GROUPED_TEST * GROUPED_D];
static int32_t a_label[GROUPED_TRAIN], b_label[GROUPED_TEST], predicted[GROUPED_TEST];
enum { WEIGHTS = (GROUPED_D + 1) * GROUPED_CLASSES };

/* The objective curves by l2 at least (the bias, by more), so the gradient's length over l2 bounds the
 * distance. */
static void test_values(void **state) {
    (void)state;
    const ann_features train = grouped_samples(a, a_label, GROUPED_TRAIN, 0);
    const ann_features test = grouped_samples(b, b_label, GROUPED_TEST, 5000);
    const double tolerance = 1e-7;
    const ann_probe_options options = {.l2 = 0.01, .tolerance = tolerance, .threads = 2};
    ann_probe probe, again;
    check_ok(ann_probe_fit(&probe, &train, GROUPED_CLASSES, &options));
    assert_true(probe.converged && probe.gradient <= tolerance);
    assert_in_range(probe.iterations, 5, 100);
    for (int i = 0; i < WEIGHTS; i++)
        if (!(fabs(probe.weight[i] - probe_weight[i]) <= sqrt(WEIGHTS) * tolerance / options.l2))
            fail_msg("weight %d: %.17g, not %.17g", i, probe.weight[i], probe_weight[i]);
    assert_true(fabs(probe.loss - probe_loss) <= WEIGHTS * tolerance * tolerance / (2 * options.l2));
    check_ok(ann_probe_predict(predicted, &probe, &test, 1));
    for (int i = 0; i < GROUPED_TEST; i++) assert_int_equal(predicted[i], probe_predicted[i]);
    check_ok(ann_probe_fit(&again, &train, GROUPED_CLASSES, &options));
    assert_memory_equal(probe.weight, again.weight, sizeof(double[WEIGHTS]));
    ann_probe_free(&probe);
    ann_probe_free(&again);
}

/* Classes that a plane parts have no best weights without l2: the steps end, and each sample is right. */
static void test_separable(void **state) {
    (void)state;
    const ann_features f = {
        .x = (const float[]){1, 2, 3, 4}, .label = (const int32_t[]){0, 0, 1, 1}, .n = 4, .d = 1};
    ann_probe probe;
    check_ok(ann_probe_fit(&probe, &f, 2, &(ann_probe_options){.iterations = 20, .tolerance = 1e-12}));
    assert_false(probe.converged);
    assert_int_equal(probe.iterations, 20);
    check_ok(ann_probe_predict(predicted, &probe, &f, 1));
    for (int i = 0; i < 4; i++) assert_int_equal(predicted[i], f.label[i]);
    ann_probe_free(&probe);
}

/* A tolerance that rounding errors do not allow: it ends where no step is of use. */
static void test_last_digits(void **state) {
    (void)state;
    const ann_features train = grouped_samples(a, a_label, GROUPED_TRAIN, 0);
    ann_probe probe;
    check_ok(
        ann_probe_fit(&probe, &train, GROUPED_CLASSES, &(ann_probe_options){.l2 = 1, .tolerance = 1e-300}));
    assert_true(!probe.converged && probe.gradient < 1e-7 && probe.iterations < 1000);
    ann_probe_free(&probe);
}

static void test_refusals(void **state) {
    (void)state;
    float x[4] = {1, 2, 3, 4};
    ann_features f = {.x = x, .label = (const int32_t[]){0, 1}, .n = 2, .d = 2};
    ann_probe probe, unmade;
    check_fails(ann_probe_fit(&unmade, &f, 1, &(ann_probe_options){0}), ANN_ERR_ARG, "of 1 classes");
    check_fails(ann_probe_fit(&unmade, &f, 2, &(ann_probe_options){.l2 = -1}), ANN_ERR_ARG, "l2 -1");
    check_ok(ann_probe_fit(&probe, &f, 2, &(ann_probe_options){0}));
    f.d = 1;
    check_fails(ann_probe_predict(predicted, &probe, &f, 1), ANN_ERR_SHAPE,
                "a probe of 2 features, samples of 1");
    f.d = 2;
    ann_probe_free(&probe);
    x[1] = NAN;
    check_fails(ann_probe_fit(&unmade, &f, 2, &(ann_probe_options){0}), ANN_ERR_NUMERIC,
                "feature 1 of sample 0");
    x[1] = 2;
    f.label = NULL;
    check_fails(ann_probe_fit(&unmade, &f, 2, &(ann_probe_options){0}), ANN_ERR_ARG, "no labels");
    f.n = 0;
    check_fails(ann_probe_fit(&unmade, &f, 2, &(ann_probe_options){0}), ANN_ERR_SHAPE, "0 samples");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_separable),
        cmocka_unit_test(test_last_digits),
        cmocka_unit_test(test_refusals),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
