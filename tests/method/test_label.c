/* Pseudo-labels against numpy, and classes that are empty. */
#include "fails.h"

#include <float.h>
#include <math.h>
#include "label_values.h"
#include "method/weigh.h"
#include "table.h"

enum { N = 50, CLASSES = 4, WIDTH = 6 };
static float logits[N * CLASSES], features[N * WIDTH];
static int32_t label[N];

/* The samples of gen_weigh.py. */
static ann_label_samples samples(void) {
    for (int i = 0; i < N * CLASSES; i++) logits[i] = 4 * table_at(2000 + i);
    for (int i = 0; i < N * WIDTH; i++) features[i] = table_at(3000 + i) + 0.1f;
    return (ann_label_samples){logits, features, N, CLASSES, WIDTH};
}

static void test_values(void **state) {
    (void)state;
    const ann_label_samples of = samples();
    check_ok(ann_label_shot(label, &of));
    assert_memory_equal(label, label_shot, sizeof label);
    check_ok(ann_label_confident(label, &of, 0.6));
    assert_memory_equal(label, label_confident, sizeof label);
    check_ok(ann_label_balanced(label, &of, 0.3));
    assert_memory_equal(label, label_balanced, sizeof label);
}

static int32_t largest(const float *z) {
    int32_t best = 0;
    for (int32_t c = 1; c < CLASSES; c++)
        if (z[c] > z[best]) best = c;
    return best;
}

/* Without a threshold all samples get the largest class; with the whole share, some label, and each class has
   at least those that it is largest for and no other class claims more. */
static void test_all(void **state) {
    (void)state;
    const ann_label_samples of = samples();
    check_ok(ann_label_confident(label, &of, 0));
    for (int i = 0; i < N; i++) assert_int_equal(label[i], largest(logits + i * CLASSES));
    check_ok(ann_label_balanced(label, &of, 1));
    for (int i = 0; i < N; i++) assert_in_range(label[i], 0, CLASSES - 1);
}

/* A class that no prediction allows is never given. Float's ends overflow nowhere. */
static void test_empty_class(void **state) {
    (void)state;
    const ann_label_samples of = samples();
    for (int i = 0; i < N; i++) logits[i * CLASSES + 2] = -FLT_MAX;
    check_ok(ann_label_shot(label, &of));
    for (int i = 0; i < N; i++) assert_true(label[i] != 2 && label[i] >= 0);
    check_ok(ann_label_balanced(label, &of, 1));
    for (int i = 0; i < N; i++) assert_true(label[i] != 2 && label[i] >= 0);
    for (int i = 0; i < N * CLASSES; i++) logits[i] = i % CLASSES == 1 ? FLT_MAX : -FLT_MAX;
    for (int i = 0; i < N * WIDTH; i++) features[i] = (i % 2 ? 1 : -1) * FLT_MAX;
    check_ok(ann_label_shot(label, &of));
    for (int i = 0; i < N; i++) assert_int_equal(label[i], 1);
    check_ok(ann_label_confident(label, &of, 1));
    for (int i = 0; i < N; i++) assert_int_equal(label[i], 1);
}

/* Centroids move: a sample that the predictions mistake lies with the others of its direction. */
static void test_shot_corrects(void **state) {
    (void)state;
    const float z[] = {3, 0, 3, 0, 0, 1, 0, 3, 0, 3}, f[] = {5, 0.1f, 1, 0, 2, 0.1f, 0, 1, 0.2f, 4};
    check_ok(ann_label_shot(label, &(ann_label_samples){z, f, 5, 2, 2}));
    const int32_t want[] = {0, 0, 0, 1, 1};
    assert_memory_equal(label, want, sizeof want);
}

/* Half of four samples of a class are two. */
static void test_share(void **state) {
    (void)state;
    const float z[] = {0, 4, 0, 1, 0, 3, 0, 2};
    const int32_t want[] = {1, -1, 1, -1};
    check_ok(ann_label_balanced(label, &(ann_label_samples){.logits = z, .n = 4, .classes = 2}, 0.5));
    assert_memory_equal(label, want, sizeof want);
}

/* A sample of zeros, and a single one. */
static void test_small(void **state) {
    (void)state;
    const float z[] = {0, 1, 5}, f[] = {0, 0};
    const ann_label_samples one = {z, f, 1, 3, 2};
    check_ok(ann_label_shot(label, &one));
    assert_int_equal(label[0],
                     0); /* all cosines are 0 in the first round, and class 0 alone has samples then */
    check_ok(ann_label_balanced(label, &one, 0.001));
    assert_int_equal(label[0], 2);
    check_ok(ann_label_confident(label, &one, 1));
    assert_int_equal(label[0], -1);
}

static void test_errors(void **state) {
    (void)state;
    ann_label_samples of = samples();
    check_fails(ann_label_confident(label, &of, 1.5), ANN_ERR_ARG, "1.5 is not between 0 and 1");
    check_fails(ann_label_confident(label, &of, NAN), ANN_ERR_ARG, "is not between 0 and 1");
    check_fails(ann_label_balanced(label, &of, 0), ANN_ERR_ARG, "share of 0");
    features[0] = NAN;
    check_fails(ann_label_shot(label, &of), ANN_ERR_NUMERIC, "features: number 0 of row 0");
    of.features = NULL;
    check_fails(ann_label_shot(label, &of), ANN_ERR_ARG, "features: none");
    logits[CLASSES] = INFINITY;
    check_fails(ann_label_confident(label, &of, 0.5), ANN_ERR_NUMERIC, "logits: number 0 of row 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_all),
        cmocka_unit_test(test_empty_class), cmocka_unit_test(test_shot_corrects),
        cmocka_unit_test(test_share),       cmocka_unit_test(test_small),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
