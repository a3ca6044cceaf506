/* Mixup: partners are a permutation of each lane's part of the batch, lambda is Beta(alpha, alpha), and the
   blend is the weighted mean. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data/augment.h"
#include "support/check.h"

static ann_augment *make(double p, double alpha, ann_dtype dtype, ann_shape shape, uint64_t seed) {
    const ann_augment_op op = {.kind = ANN_AUGMENT_MIXUP, .p = p, .alpha = alpha};
    const ann_augment_options o = {.seed = seed, .dtype = dtype, .shape = shape, .ops = &op, .op_count = 1};
    ann_augment *augment;
    check_ok(ann_augment_new(&augment, &o));
    return augment;
}

static void partners_are_a_permutation(void **state) {
    (void)state;
    static const struct {
        int64_t first, count;
        int lanes;
    } batches[] = {{0, 1, 1},  {0, 64, 1},  {640, 64, 4}, {1000000007, 100, 1},
                   {35, 7, 1}, {90, 10, 3}, {12, 3, 5}};
    ann_augment *augment = make(1, 0.4, ANN_U8, ANN_SHAPE(2, 2, 1), 9);
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        const int64_t first = batches[b].first, n = batches[b].count;
        const int lanes = batches[b].lanes;
        int seen[100] = {0};
        for (int lane = 0; lane < lanes; lane++)
            for (int64_t i = lane * n / lanes; i < (lane + 1) * n / lanes; i++) {
                float lambda, again;
                const int64_t q = ann_mixup_partner(augment, &lambda, first, n, lanes, first + i) - first;
                assert_true(q >= lane * n / lanes && q < (lane + 1) * n / lanes);
                assert_true(lambda >= 0 && lambda <= 1);
                assert_int_equal(seen[q]++, 0);
                assert_int_equal(ann_mixup_partner(augment, &again, first, n, lanes, first + i) - first, q);
                assert_true(again == lambda);
            }
    }
    ann_augment_free(augment);
}

/* Unrelated permutations of 1000 agree in about one place; 20 would have probability below 1e-18. */
static void batches_are_paired_differently(void **state) {
    (void)state;
    enum { N = 1000 };
    ann_augment *augment = make(1, 0.4, ANN_U8, ANN_SHAPE(2, 2, 1), 9);
    ann_augment *other = make(1, 0.4, ANN_U8, ANN_SHAPE(2, 2, 1), 10);
    int same_batch = 0, same_seed = 0, same_lambda = 0, itself = 0;
    for (int64_t i = 0; i < N; i++) {
        float lambda, next, seeded;
        const int64_t q = ann_mixup_partner(augment, &lambda, 0, N, 1, i);
        same_batch += ann_mixup_partner(augment, &next, N, N, 1, N + i) == N + q;
        same_seed += ann_mixup_partner(other, &seeded, 0, N, 1, i) == q;
        same_lambda += lambda == next || lambda == seeded;
        itself += q == i;
    }
    assert_true(same_batch < 20 && same_seed < 20 && itself < 20 && same_lambda < 20);
    ann_augment_free(augment);
    ann_augment_free(other);
}

/* ---- the distribution of lambda ---- */

/* Regularised incomplete beta function by its continued fraction, evaluated from its end (Abramowitz and
 * Stegun 26.5.8); for x below (a + 1) / (a + b + 2), which 1/2 is where a = b. */
static double beta_cdf(double a, double x) {
    enum { TERMS = 200 };
    if (x > 0.5) return 1 - beta_cdf(a, 1 - x);
    if (x <= 0) return 0;
    double tail = 1;
    for (int m = TERMS; m >= 1; m--) {
        const double odd = -(a + m - 1) * (2 * a + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1));
        const double even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        tail = 1 + odd / (1 + even / tail);
    }
    return exp(a * log(x) + a * log1p(-x) - 2 * lgamma(a) + lgamma(2 * a)) / a / tail;
}

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov's statistic stays below 2.23 / sqrt(n) with probability 0.9999. */
static void lambda_is_beta(void **state) {
    (void)state;
    enum { N = 40000 };
    static const double alphas[] = {0.05, 0.2, 1, 2.5, 30};
    float *lambda = malloc(N * sizeof *lambda);
    assert_non_null(lambda);
    assert_true(fabs(beta_cdf(1, 0.3) - 0.3) < 1e-12); /* of the uniform distribution, and of x^2 (3 - 2 x) */
    assert_true(fabs(beta_cdf(2, 0.3) - 0.216) < 1e-12);
    for (size_t k = 0; k < sizeof alphas / sizeof alphas[0]; k++) {
        ann_augment *augment = make(1, alphas[k], ANN_U8, ANN_SHAPE(2, 2, 1), 3);
        double worst = 0;
        for (int64_t i = 0; i < N; i++) ann_mixup_partner(augment, &lambda[i], i / 64 * 64, 64, 1, i);
        qsort(lambda, N, sizeof *lambda, ascending);
        for (int i = 0; i < N; i++) {
            const double x = (double)lambda[i], cdf = beta_cdf(alphas[k], x);
            /* What rounds to 0 or to 1 is a step of the distribution as floats have it. */
            if (x < (double)FLT_MIN || x >= 1) continue;
            worst = fmax(worst, fmax(fabs(cdf - (double)i / N), fabs(cdf - (i + 1.0) / N)));
        }
        if (worst > 2.23 / sqrt(N)) fail_msg("alpha %g: %g", alphas[k], worst);
        ann_augment_free(augment);
    }
    free(lambda);
}

/* Within 5 deviations of a binomial number's mean. */
static void mixed_with_probability_p(void **state) {
    (void)state;
    enum { N = 20000 };
    ann_augment *augment = make(0.3, 1, ANN_U8, ANN_SHAPE(2, 2, 1), 3);
    int mixed = 0;
    for (int64_t i = 0; i < N; i++) {
        float lambda;
        const int64_t q = ann_mixup_partner(augment, &lambda, i / 50 * 50, 50, 1, i);
        assert_true(lambda != 1 || q == i);
        mixed += lambda != 1;
    }
    assert_true(fabs(mixed - 0.3 * N) <= 5 * sqrt(N * 0.3 * 0.7));
    ann_augment_free(augment);
}

static void blend_is_the_weighted_mean(void **state) {
    (void)state;
    ann_augment *bytes = make(1, 1, ANN_U8, ANN_SHAPE(16, 16, 1), 1),
                *floats = make(1, 1, ANN_F32, ANN_SHAPE(256), 1);
    static const float lambdas[] = {0, 0.25f, 0.7f, 1};
    for (int k = 0; k < 4; k++) {
        const float l = lambdas[k];
        uint8_t a[256], b[256];
        float x[256], y[256];
        for (int i = 0; i < 256; i++) {
            a[i] = (uint8_t)i;
            b[i] = (uint8_t)(i * 37);
            x[i] = (float)i / 7 - 9;
            y[i] = (float)b[i];
        }
        ann_mixup_blend(bytes, a, b, l);
        ann_mixup_blend(floats, x, y, l);
        for (int i = 0; i < 256; i++) {
            const double byte = (double)l * i + (1 - (double)l) * b[i];
            const double real = (double)l * (double)((float)i / 7 - 9) + (1 - (double)l) * b[i];
            assert_true(fabs(a[i] - byte) <= 0.5 + 4 * 255 * (double)FLT_EPSILON);
            assert_true(fabs((double)x[i] - real) <= 4 * 255 * (double)FLT_EPSILON);
            if (l == 1) assert_true(a[i] == i && x[i] == (float)i / 7 - 9);
        }
    }
    ann_augment_free(bytes);
    ann_augment_free(floats);
}

static void without_mixup(void **state) {
    (void)state;
    const ann_augment_options o = {.dtype = ANN_U8, .shape = ANN_SHAPE(4)};
    ann_augment *augment;
    float lambda;
    check_ok(ann_augment_new(&augment, &o));
    assert_false(ann_augment_has_mixup(augment));
    assert_false(ann_augment_has_mixup(NULL));
    assert_int_equal(ann_mixup_partner(augment, &lambda, 0, 8, 1, 5), 5);
    assert_true(lambda == 1);
    ann_augment_free(augment);
    ann_augment_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partners_are_a_permutation),
        cmocka_unit_test(batches_are_paired_differently),
        cmocka_unit_test(lambda_is_beta),
        cmocka_unit_test(mixed_with_probability_p),
        cmocka_unit_test(blend_is_the_weighted_mean),
        cmocka_unit_test(without_mixup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
