/* Nearest neighbours against numpy's sort of all pairs; ties and refusals by hand. */
#include "fails.h"

#include <math.h>
#include "grouped.h"
#include "kernel/kernel.h"
#include "knn_values.h"

static void check_labels(const ann_knn_options *options, const int *want) {
    static float a[GROUPED_TRAIN * GROUPED_D], b[GROUPED_TEST * GROUPED_D];
    static int32_t a_label[GROUPED_TRAIN], b_label[GROUPED_TEST], predicted[GROUPED_TEST];
    const ann_features train = grouped_samples(a, a_label, GROUPED_TRAIN, 0);
    const ann_features test = grouped_samples(b, b_label, GROUPED_TEST, 5000);
    check_ok(ann_knn_predict(predicted, &train, GROUPED_CLASSES, &test, options));
    for (int i = 0; i < GROUPED_TEST; i++)
        if (predicted[i] != want[i]) fail_msg("sample %d: %d, not %d", i, predicted[i], want[i]);
}

static void test_values(void **state) {
    (void)state;
    check_labels(&(ann_knn_options){.k = 7, .metric = ANN_KNN_COSINE}, knn_cosine_7);
    check_labels(&(ann_knn_options){.k = 1, .metric = ANN_KNN_EUCLIDEAN}, knn_euclidean_1);
    check_labels(&(ann_knn_options){.k = 20, .metric = ANN_KNN_EUCLIDEAN, .threads = 2}, knn_euclidean_20);
    check_labels(&(ann_knn_options){.k = 50, .metric = ANN_KNN_COSINE, .temperature = 0.07}, knn_weighted_50);
}

/* Of equal neighbours the first, of equal votes the smallest class; a vector of zeros is like any other. */
static void test_ties(void **state) {
    (void)state;
    const ann_features train = {
        .x = (const float[]){1, 1, 2, 2, -1, -1}, .label = (const int32_t[]){2, 1, 0}, .n = 3, .d = 2};
    const ann_features test = {.x = (const float[]){3, 3, 0, 0, -5, -5}, .n = 3, .d = 2};
    int32_t predicted[3];
    check_ok(ann_knn_predict(predicted, &train, 3, &test, &(ann_knn_options){.k = 1}));
    assert_int_equal(predicted[0], 2);
    assert_int_equal(predicted[1], 2);
    assert_int_equal(predicted[2], 0);
    check_ok(ann_knn_predict(predicted, &train, 3, &test, &(ann_knn_options){.k = 2}));
    assert_int_equal(predicted[0], 1);
    check_ok(ann_knn_predict(predicted, &train, 3, &test, &(ann_knn_options){.k = 2, .temperature = 1e-3}));
    assert_int_equal(predicted[2], 0); /* a cosine 2 higher counts e^2000 times */
    const ann_features late = {
        .x = (const float[]){1, 0, 1, 0, 1, 1}, .label = (const int32_t[]){0, 1, 2}, .n = 3, .d = 2};
    check_ok(ann_knn_predict(predicted, &late, 3, &test, &(ann_knn_options){.k = 2}));
    assert_int_equal(predicted[0], 0); /* the last sample puts out the second */
}

static void test_refusals(void **state) {
    (void)state;
    float x[4] = {1, 2, 3, 4};
    int32_t label[2] = {0, 1}, predicted[2];
    ann_features train = {.x = x, .label = label, .n = 2, .d = 2}, test = {.x = x, .n = 2, .d = 2};
    ann_knn_options options = {.k = 3};
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_ARG,
                "3 neighbours among 2 samples");
    options.k = 0;
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_ARG, "0 neighbours");
    options = (ann_knn_options){.k = 1, .metric = ANN_KNN_EUCLIDEAN, .temperature = 0.1};
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_ARG, "temperature 0.1");
    options = (ann_knn_options){.k = 1};
    check_fails(ann_knn_predict(predicted, &train, 1, &test, &options), ANN_ERR_ARG, "sample 1 has label 1");
    label[0] = -1;
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_ARG, "sample 0 has label -1");
    train.label = NULL;
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_ARG, "no labels");
    train.label = (const int32_t[]){0, 1};
    test.d = 1;
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_SHAPE,
                "2 features for samples of 1");
    test.n = 0;
    check_fails(ann_knn_predict(predicted, &train, 2, &test, &options), ANN_ERR_SHAPE, "0 samples");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_refusals),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
