/* Weights of source samples against interior-point and Newton's methods, and of a known ratio. */
#include "fails.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/kernel.h"
#include "method/weigh.h"
#include "table.h"
#include "weigh_values.h"

enum { NS = 40, MANY = 200, NT = 30, D = 2, GAUSS = 1500 };
static float source[MANY * D], target[NT * D];
static double w[GAUSS];

/* The samples of gen_weigh.py. */
static ann_weigh_domains domains(void) {
    for (int i = 0; i < MANY * D; i++) source[i] = 3 * table_at(i);
    for (int i = 0; i < NT * D; i++) target[i] = 2 * table_at(500 + i) + 0.25f;
    return (ann_weigh_domains){source, target, NS, NT, D, 2};
}

static void check_weights(const double *want, double tolerance) {
    for (int i = 0; i < NS; i++)
        if (!(fabs(w[i] - want[i]) <= tolerance))
            fail_msg("weight %d: %.17g, not %.17g to %g", i, w[i], want[i], tolerance);
}

static void check_mean(int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        assert_true(isfinite(w[i]) && w[i] >= 0);
        sum += w[i];
    }
    assert_true(fabs(sum / (double)n - 1) <= 4 * DBL_EPSILON * (double)n);
}

/* ---- values ---- */

/* Coefficients within the gap are as near as the objective's curvature says; a weight is their product with
   kernels. */
static void test_kliep_values(void **state) {
    (void)state;
    const ann_weigh_domains of = domains();
    const ann_weigh_kliep_options options = {.width = 0.4, .centres = 6, .tolerance = 1e-10};
    ann_weigh_report report;
    check_ok(ann_weigh_kliep(w, &report, &of, &options));
    assert_true(report.gap <= 1e-10 && report.width == 0.4);
    check_weights(kliep_weight, 1.5 * kliep_basis * sqrt(2 * 1e-10 / kliep_curvature));
    check_mean(NS);
}

/* The width with the greatest likelihood in cross-validation is not at an end of those that are tried. */
static void test_kliep_width(void **state) {
    (void)state;
    ann_weigh_domains of = domains();
    ann_weigh_report report;
    of.ns = MANY;
    check_ok(ann_weigh_kliep(w, &report, &of, &(ann_weigh_kliep_options){0}));
    assert_true(fabs(report.width / kliep_width - 1) < 1e-12 && report.gap <= 1e-4);
    check_mean(MANY);
}

/* K's least eigenvalue bounds the distance from the optimum. Both bounds and the sum are tight there. */
static void test_kmm_values(void **state) {
    (void)state;
    const ann_weigh_domains of = domains();
    const double tolerance = 1e-14, gap = tolerance * NS * NS / 2;
    const ann_weigh_kmm_options options = {.width = 0.3, .bound = 3, .slack = 0.05, .tolerance = tolerance};
    ann_weigh_report report;
    check_ok(ann_weigh_kmm(w, &report, &of, &options));
    assert_true(report.gap <= tolerance);
    check_weights(kmm_weight, 2 * sqrt(2 * gap / kmm_curvature) * NS / kmm_sum);
    check_mean(NS);
}

static double kernel(const float *a, const float *b, double width) {
    double square = 0;
    for (int k = 0; k < D; k++) square += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return exp(-square / (2 * width * width));
}

/* With a slack that leaves the sum free: the gradient is 0 where b > 0, and not negative where b = 0. */
static void test_kmm_conditions(void **state) {
    (void)state;
    const ann_weigh_domains of = domains();
    const double tolerance = 1e-12;
    const ann_weigh_kmm_options options = {.width = 0.3, .slack = 0.9, .tolerance = tolerance};
    double gradient[NS], w_slope = 0, w_curvature = 0;
    check_ok(ann_weigh_kmm(w, NULL, &of, &options));
    for (int i = 0; i < NS; i++) {
        double q = 0;
        gradient[i] = 0;
        for (int j = 0; j < NT; j++) q += kernel(source + i * D, target + j * D, 0.3) * NS / NT;
        for (int j = 0; j < NS; j++) gradient[i] += kernel(source + i * D, source + j * D, 0.3) * w[j];
        w_curvature += gradient[i] * w[i];
        w_slope += q * w[i];
    }
    const double factor = w_slope / w_curvature; /* b = factor w: the best length in this direction */
    assert_true(factor > 0.1 && factor < 1.9);
    for (int i = 0; i < NS; i++) {
        double left = gradient[i] * factor;
        for (int j = 0; j < NT; j++) left -= kernel(source + i * D, target + j * D, 0.3) * NS / NT;
        /* the violation that the tolerance allows, twice for the error of the factor */
        const double most = 2 * tolerance * NS / (2 * 1.9) + 1e-9;
        assert_true(left >= -most && (w[i] == 0 || left <= most));
    }
}

static void test_ratio_values(void **state) {
    (void)state;
    const ann_weigh_domains of = domains();
    check_ok(ann_weigh_ratio(w, &of, 0.1));
    const double error =
        2.2 * ratio_per_gradient * 1e-6 * sqrt(D + 1); /* twice: of the weight, of the mean */
    for (int i = 0; i < NS; i++)
        if (!(fabs(log(w[i] / ratio_weight[i])) <= error))
            fail_msg("weight %d: %.17g, not %.17g", i, w[i], ratio_weight[i]);
    check_mean(NS);
}

static void test_flatten(void **state) {
    (void)state;
    memcpy(w, (double[]){0, 1, 4}, 3 * sizeof *w);
    ann_weigh_flatten(w, 3, 0.5);
    assert_true(w[0] == 0 && w[1] == 1 && w[2] == 2);
    ann_weigh_flatten(w, 3, 1);
    assert_true(w[0] == 0 && w[1] == 1 && w[2] == 2);
    ann_weigh_flatten(w, 3, 0);
    assert_true(w[0] == 1 && w[1] == 1 && w[2] == 1);
}

/* ---- a known ratio ---- */

/* Box and Muller. */
static float gauss_at(int64_t index) {
    const double u = 0.5 - (double)table_at(2 * index), v = (double)table_at(2 * index + 1);
    return (float)(sqrt(-2 * log(u)) * cos(2 * acos(-1) * v));
}

static float standard[GAUSS], shifted[GAUSS];

/* N(0, 1) and N(0.7, 1): the ratio is exp(0.7 x - 0.7^2 / 2). */
static ann_weigh_domains gaussians(void) {
    for (int i = 0; i < GAUSS; i++) {
        standard[i] = gauss_at((uint64_t)i);
        shifted[i] = gauss_at(GAUSS + i) + 0.7f;
    }
    return (ann_weigh_domains){standard, shifted, GAUSS, GAUSS, 1, 1};
}

/* The mean magnitude of the error, of weights with mean 1. */
static double error_of_ratio(void) {
    double error = 0;
    for (int i = 0; i < GAUSS; i++) error += fabs(w[i] - exp(0.7 * (double)standard[i] - 0.245)) / GAUSS;
    return error;
}

/* The logistic regression has two parameters with deviations of about sqrt(2 / n) each: 5 of them. KLIEP's
   100 coefficients are a coarser estimate. */
static void test_gaussians(void **state) {
    (void)state;
    const ann_weigh_domains of = gaussians();
    double mean = 0, target_mean = 0;
    check_ok(ann_weigh_ratio(w, &of, 0));
    assert_true(error_of_ratio() < 5 * sqrt(2.0 / GAUSS));
    check_ok(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){0}));
    assert_true(error_of_ratio() < 0.25);
    /* Kernel mean matching weighs so that means agree, not each weight. */
    check_ok(ann_weigh_kmm(w, NULL, &of, &(ann_weigh_kmm_options){.bound = 10}));
    check_mean(GAUSS);
    for (int i = 0; i < GAUSS; i++) {
        mean += w[i] * (double)standard[i] / GAUSS;
        target_mean += (double)shifted[i] / GAUSS;
    }
    assert_true(fabs(mean - target_mean) < 0.05 && target_mean > 0.6);
}

/* ---- edges ---- */

/* Samples that are all equal, and a single one: all weights are 1. */
static void test_constant(void **state) {
    (void)state;
    for (int n = 1; n <= NS; n += NS - 1) {
        ann_weigh_domains of = domains();
        for (int i = 0; i < NS * D; i++) source[i] = 0.1f;
        for (int i = 0; i < NT * D; i++) target[i] = 0.1f;
        of.ns = n;
        of.nt = n < NT ? n : NT;
        for (int method = 0; method < 3; method++) {
            check_ok(method == 0   ? ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){0})
                     : method == 1 ? ann_weigh_kmm(w, NULL, &of, &(ann_weigh_kmm_options){0})
                                   : ann_weigh_ratio(w, &of, 0));
            check_mean(n);
            for (int i = 0; i < n; i++) assert_true(fabs(w[i] - 1) < 1e-9);
        }
    }
}

/* Domains that are far apart: weights are finite, or KLIEP says that there are none. */
static void test_apart(void **state) {
    (void)state;
    const ann_weigh_domains of = domains();
    for (int i = 0; i < NT * D; i++) target[i] += 1e4f;
    check_ok(ann_weigh_kmm(w, NULL, &of, &(ann_weigh_kmm_options){0}));
    check_mean(NS);
    check_ok(ann_weigh_ratio(w, &of, 1e-9));
    check_mean(NS);
    check_ok(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){0}));
    check_mean(NS);
    check_fails(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){.width = 1}), ANN_ERR_NUMERIC,
                "too far for kernels of width 1");
}

static void test_errors(void **state) {
    (void)state;
    ann_weigh_domains of = domains();
    check_fails(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){.width = -1}), ANN_ERR_ARG,
                "KLIEP with");
    check_fails(ann_weigh_kmm(w, NULL, &of, &(ann_weigh_kmm_options){.bound = 0.5}), ANN_ERR_ARG,
                "bound 0.5");
    check_fails(ann_weigh_ratio(w, &of, -1), ANN_ERR_ARG, "l2 -1");
    target[3] = NAN;
    check_fails(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){0}), ANN_ERR_NUMERIC,
                "features of the target: number 1 of row 1");
    check_fails(ann_weigh_kmm(w, NULL, &of, &(ann_weigh_kmm_options){0}), ANN_ERR_NUMERIC,
                "features of the target");
    check_fails(ann_weigh_ratio(w, &of, 0), ANN_ERR_NUMERIC, "features of the target");
    of.ns = 0;
    check_fails(ann_weigh_kliep(w, NULL, &of, &(ann_weigh_kliep_options){0}), ANN_ERR_ARG,
                "features of the source");
}

int main(void) {
    ann_kernel_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kliep_values), cmocka_unit_test(test_kliep_width),
        cmocka_unit_test(test_kmm_values),   cmocka_unit_test(test_kmm_conditions),
        cmocka_unit_test(test_ratio_values), cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_gaussians),    cmocka_unit_test(test_constant),
        cmocka_unit_test(test_apart),        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
