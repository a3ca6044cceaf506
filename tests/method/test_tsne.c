/* t-SNE's affinities against numpy, its gradient and divergence against PyTorch's autograd, and what it is
   for: groups stay together and apart. */
#include "fails.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/kernel.h"
#include "method/tsne.h"
#include "table.h"
#include "tsne_values.h"

enum { N = 14, D = 5 };

static void find_affinities(double *p) {
    double row[N];
    for (int i = 0; i < N * N; i++) {
        p[i] = 0;
        for (int k = 0; k < D; k++) {
            const double difference = (double)table_at(i / N * D + k) - (double)table_at(i % N * D + k);
            p[i] += difference * difference;
        }
    }
    anni_tsne_affinities(p, row, N, 4);
}

/* The entropy is right to 1e-10; d log p / d entropy is at most some ten here. */
static void test_affinities(void **state) {
    (void)state;
    double p[N * N], sum = 0;
    find_affinities(p);
    for (int i = 0; i < N * N; i++) {
        sum += p[i];
        if (!(fabs(p[i] - tsne_p[i]) <= 1e-9 * tsne_p[i]))
            fail_msg("p %d: %.17g, not %.17g", i, p[i], tsne_p[i]);
    }
    assert_true(fabs(sum - 1) < 1e-14);
}

static void test_gradient(void **state) {
    (void)state;
    double y[2 * N], gradient[2 * N], scratch[2 * N];
    for (int i = 0; i < 2 * N; i++) y[i % 2 * N + i / 2] = 4 * (double)table_at(1000 + i);
    anni_tsne_gradient(gradient, scratch, tsne_p, 1, y, N);
    for (int i = 0; i < 2 * N; i++)
        if (!(fabs(gradient[i] - tsne_gradient[i]) <= 32 * 0x1p-53 * sqrt(N)))
            fail_msg("gradient %d: %.17g, not %.17g", i, gradient[i], tsne_gradient[i]);
    assert_true(fabs(anni_tsne_divergence(tsne_p, y, N) - tsne_divergence) <= 32 * 0x1p-53 * N);
}

/* Exaggeration multiplies what attracts. */
static void test_exaggeration(void **state) {
    (void)state;
    double y[2 * N], scratch[2 * N], at[3][2 * N];
    for (int i = 0; i < 2 * N; i++) y[i] = (double)table_at(i);
    for (int e = 0; e < 3; e++) anni_tsne_gradient(at[e], scratch, tsne_p, e, y, N);
    for (int i = 0; i < 2 * N; i++)
        assert_true(fabs(at[2][i] - 2 * at[1][i] + at[0][i]) <= 32 * 0x1p-53 * sqrt(N));
    assert_true(fabs(at[1][0] - at[0][0]) > 1e-3);
}

enum { GROUPS = 3, EACH = 30, SAMPLES = GROUPS * EACH };

static void grouped(float *x) {
    for (int i = 0; i < SAMPLES * D; i++) x[i] = table_at(i) + (float)(i / D % GROUPS == i % D ? 3 : 0);
}

/* The nearest half of a group's size are of the same group, for every sample; and it is the same each time.
 */
static void test_groups(void **state) {
    (void)state;
    float x[SAMPLES * D], y[2 * SAMPLES], again[2 * SAMPLES];
    double kl;
    grouped(x);
    const ann_features f = {.x = x, .n = SAMPLES, .d = D};
    const ann_tsne_options options = {.perplexity = 10, .iterations = 500};
    check_ok(ann_tsne_embed(y, &kl, &f, &options));
    for (int i = 0; i < SAMPLES; i++) {
        float inside = 0, outside = INFINITY;
        for (int j = 0; j < SAMPLES; j++) {
            const float distance = hypotf(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            if (j % GROUPS == i % GROUPS) inside = fmaxf(inside, distance);
            else outside = fminf(outside, distance);
        }
        if (!(inside < outside))
            fail_msg("sample %d: %g inside its group, %g outside", i, (double)inside, (double)outside);
    }
    assert_true(kl > 0 && kl < 0.5);
    check_ok(ann_tsne_embed(again, NULL, &f, &options));
    assert_memory_equal(y, again, sizeof y);
}

/* Equal samples, one feature, the default perplexity of few samples: numbers all the same. */
static void test_degenerate(void **state) {
    (void)state;
    float x[40] = {0}, y[80];
    const ann_features f = {.x = x, .n = 40, .d = 1};
    check_ok(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){.iterations = 300}));
    for (int i = 0; i < 80; i++) assert_true(isfinite(y[i]));
    const ann_features few = {.x = (const float[]){1, 2, 3, 50}, .n = 4, .d = 1};
    check_ok(ann_tsne_embed(y, NULL, &few, &(ann_tsne_options){0}));
    for (int i = 0; i < 8; i++) assert_true(isfinite(y[i]));
}

static void test_refusals(void **state) {
    (void)state;
    float x[8] = {0}, y[16];
    ann_features f = {.x = x, .n = 3, .d = 1};
    check_fails(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){0}), ANN_ERR_ARG, "t-SNE of 3 samples");
    f.n = 8;
    check_fails(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){.perplexity = 8}), ANN_ERR_ARG,
                "perplexity 8");
    check_fails(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){.perplexity = -1}), ANN_ERR_ARG,
                "perplexity -1");
    x[7] = INFINITY;
    check_fails(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){0}), ANN_ERR_NUMERIC,
                "sample 7 is not finite");
    f.n = 0;
    check_fails(ann_tsne_embed(y, NULL, &f, &(ann_tsne_options){0}), ANN_ERR_SHAPE, "0 samples");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affinities),   cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_exaggeration), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_degenerate),   cmocka_unit_test(test_refusals),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
