/* Philox against the published vectors (Random123 1.14, kat_vectors), and the distributions made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/philox.h"

static void test_known_answers(void **state) {
    (void)state;
    static const struct {
        uint64_t key, lo, hi;
        uint32_t want[4];
    } vectors[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         0x85a308d3243f6a88,
         0x0370734413198a2e,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        const ann_philox4 got = ann_philox(vectors[i].key, vectors[i].lo, vectors[i].hi);
        for (int k = 0; k < 4; k++) assert_int_equal(got.v[k], vectors[i].want[k]);
    }
}

/* Means of n draws lie within 5 standard errors: a false alarm has probability 6e-7, and the draws are fixed.
 */
static void test_uniform_and_normal(void **state) {
    (void)state;
    enum { N = 200000 };
    double sum = 0, square = 0, normal_sum = 0, normal_square = 0, normal_fourth = 0;
    for (uint64_t i = 0; i < N; i++) {
        const double u = ann_random_uniform(42, 3, i / 784, i % 784);
        assert_true(u >= 0.0 && u < 1.0);
        assert_true((double)(float)u == u);
        sum += u;
        square += u * u;
        const double z = ann_random_normal(42, 4, i / 784, i % 784);
        normal_sum += z;
        normal_square += z * z;
        normal_fourth += z * z * z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(square / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(normal_sum / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(normal_square / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(normal_fourth / N - 3) < 5 * sqrt(96.0 / N));
}

static void test_permutation_is_a_bijection(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 100, 1000, 4096, 60000, 65537};
    unsigned char *seen = malloc(65537);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const uint64_t n = sizes[s];
        for (uint64_t i = 0; i < n; i++) seen[i] = 0;
        for (uint64_t i = 0; i < n; i++) {
            const uint64_t image = ann_permute_index(7, 1, 2, n, i);
            assert_true(image < n);
            assert_int_equal(seen[image], 0);
            seen[image] = 1;
        }
    }
    free(seen);
    const uint64_t huge = (uint64_t)1 << 62;
    assert_true(ann_permute_index(7, 1, 2, huge, huge - 1) < huge);
}

/* Over many epochs each index goes to each place equally often: chi squared over n^2 cells, (n-1)^2 degrees
   of freedom, within 5 standard deviations of its mean. */
static void test_permutation_is_uniform(void **state) {
    (void)state;
    for (uint64_t n = 2; n <= 20; n++) {
        enum { EPOCHS = 4000 };
        uint32_t count[20][20] = {{0}};
        for (uint64_t epoch = 0; epoch < EPOCHS; epoch++)
            for (uint64_t i = 0; i < n; i++) count[i][ann_permute_index(1, 0, epoch, n, i)]++;
        const double want = (double)EPOCHS / (double)n, freedom = (double)((n - 1) * (n - 1));
        double chi2 = 0;
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t k = 0; k < n; k++) chi2 += (count[i][k] - want) * (count[i][k] - want) / want;
        assert_true(chi2 < freedom + 5 * sqrt(2 * freedom) + 10);
    }
}

static void test_permutation_depends_on_every_key(void **state) {
    (void)state;
    int same[4] = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        const uint64_t image = ann_permute_index(1, 2, 3, 1000, i);
        same[0] += image == ann_permute_index(9, 2, 3, 1000, i);
        same[1] += image == ann_permute_index(1, 9, 3, 1000, i);
        same[2] += image == ann_permute_index(1, 2, 9, 1000, i);
        same[3] += image == i;
    }
    for (int k = 0; k < 4; k++) assert_true(same[k] < 10); /* 1 is expected */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_uniform_and_normal),
        cmocka_unit_test(test_permutation_is_a_bijection),
        cmocka_unit_test(test_permutation_is_uniform),
        cmocka_unit_test(test_permutation_depends_on_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
