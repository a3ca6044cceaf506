/* Principal components against numpy's eigh, and where there is nothing to find. */
#include "fails.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/kernel.h"
#include "method/judge.h"
#include "pca_values.h"
#include "table.h"

/* Numbers differ by rounding, each of which is at most 2^-53 of the largest value that goes in, some sqrt(n
   d) times. A vector may also be off by its residual (judge.h) over the gap to the next variance. */
static double tolerance(const double *value, int i, int n, int d) {
    const double gap = fmin(value[i] - value[i + 1], i > 0 ? value[i - 1] - value[i] : INFINITY);
    return 4 * (0x1p-53 * sqrt(n * d) + 1e-10) * value[0] / gap;
}

static float *samples(int n, int d) {
    float *x = malloc((size_t)(n * d) * sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) x[i * d + j] = table_at(i * d + j) * (float)ldexp(1, -(j % 4)) + (float)j;
    return x;
}

static void check_close(double got, double want, double within, const char *what, int i) {
    if (!(fabs(got - want) <= within)) fail_msg("%s %d: %.17g, not %.17g to %g", what, i, got, want, within);
}

/* Every component of a small covariance: one round is exact. */
static void test_all(void **state) {
    (void)state;
    enum { N = 20, D = 6 };
    float *x = samples(N, D), z[N * D];
    const ann_features f = {.x = x, .n = N, .d = D};
    ann_pca pca;
    check_ok(ann_pca_fit(&pca, &f, D, 1));
    for (int i = 0; i < D; i++)
        check_close(pca.variance[i], pca_small_value[i], 64 * 0x1p-53 * sqrt(N), "variance", i);
    for (int i = 0; i < D * D; i++) check_close(pca.component[i], pca_small_vector[i], 1e-13, "component", i);
    check_ok(ann_pca_project(z, &pca, &f, 1));
    for (int i = 0; i < N * D; i++)
        check_close((double)z[i], pca_small_z[i], 0x1p-24 * fabs(pca_small_z[i]) + 1e-12, "z", i);
    ann_pca_free(&pca);
    free(x);
}

/* More features than the basis has vectors, more samples than are converted at a time, two threads. */
static void test_leading(void **state) {
    (void)state;
    enum { N = 400, D = 150, K = 4 };
    float *x = samples(N, D), *z = malloc(sizeof(float[N * K]));
    const ann_features f = {.x = x, .n = N, .d = D};
    ann_pca pca, again;
    check_ok(ann_pca_fit(&pca, &f, K, 2));
    check_close(pca.total, pca_large_total, 64 * 0x1p-53 * pca_large_total * sqrt(N), "total", 0);
    for (int i = 0; i < K; i++) {
        const double within = tolerance(pca_large_value, i, N, D);
        check_close(pca.variance[i], pca_large_value[i], 64 * 0x1p-53 * sqrt(N * D), "variance", i);
        for (int j = 0; j < D; j++)
            check_close(pca.component[i * D + j], pca_large_vector[i * D + j], within, "component", i);
    }
    assert_non_null(z);
    check_ok(ann_pca_project(z, &pca, &f, 2));
    for (int i = 0; i < N / 40 * K; i++) {
        const double want = pca_large_z[i], within = 10 * tolerance(pca_large_value, i % K, N, D);
        check_close((double)z[i / K * 40 * K + i % K], want, 0x1p-24 * fabs(want) + within, "z", i);
    }
    check_ok(ann_pca_fit(&again, &f, K, 2));
    assert_memory_equal(pca.component, again.component, sizeof(double[K * D]));
    ann_pca_free(&pca);
    ann_pca_free(&again);
    free(z);
    free(x);
}

/* Three samples span two directions; of the others, any that are orthonormal will do. */
static void test_few_samples(void **state) {
    (void)state;
    enum { N = 3, D = 200, K = 5 };
    float *x = samples(N, D);
    const ann_features f = {.x = x, .n = N, .d = D};
    ann_pca pca;
    check_ok(ann_pca_fit(&pca, &f, K, 1));
    check_close(pca.variance[0] + pca.variance[1], pca.total, 1e-12 * pca.total, "sum", 0);
    for (int i = 0; i < K * K; i++) {
        double product = 0;
        for (int j = 0; j < D; j++) product += pca.component[i / K * D + j] * pca.component[i % K * D + j];
        check_close(product, i % (K + 1) == 0, 1e-13, "product", i);
    }
    for (int i = 2; i < K; i++) check_close(pca.variance[i], 0, 1e-13 * pca.total, "variance", i);
    ann_pca_free(&pca);
    memset(x, 0, sizeof(float[N * D]));
    check_ok(ann_pca_fit(&pca, &f, K, 1));
    for (int i = 0; i < K; i++) assert_true(pca.variance[i] == 0);
    ann_pca_free(&pca);
    free(x);
}

static void test_refusals(void **state) {
    (void)state;
    float x[6] = {1, 2, 3, 4, 5, 6}, z[4];
    ann_features f = {.x = x, .n = 2, .d = 3};
    ann_pca pca, unmade;
    check_fails(ann_pca_fit(&unmade, &f, 4, 1), ANN_ERR_ARG, "4 principal components of 2 samples of 3");
    check_fails(ann_pca_fit(&unmade, &f, 0, 1), ANN_ERR_ARG, "0 principal components");
    f.n = 1;
    check_fails(ann_pca_fit(&unmade, &f, 1, 1), ANN_ERR_ARG, "of 1 samples");
    f.n = 0;
    check_fails(ann_pca_fit(&unmade, &f, 1, 1), ANN_ERR_SHAPE, "0 samples of 3 features");
    f.n = 2;
    check_ok(ann_pca_fit(&pca, &f, 2, 0));
    f.d = 2;
    check_fails(ann_pca_project(z, &pca, &f, 1), ANN_ERR_SHAPE, "components of 3 features, samples of 2");
    f.d = 3;
    x[4] = NAN;
    check_fails(ann_pca_fit(&unmade, &f, 1, 1), ANN_ERR_NUMERIC, "feature 1 of sample 1 is not finite");
    check_fails(ann_pca_project(z, &pca, &f, 1), ANN_ERR_NUMERIC, "not finite");
    ann_pca_free(&pca);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_leading),
        cmocka_unit_test(test_few_samples),
        cmocka_unit_test(test_refusals),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
