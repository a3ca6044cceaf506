/* Counts and rates by hand. */
#include "fails.h"

#include <math.h>
#include "method/judge.h"

static void test_counts(void **state) {
    (void)state;
    const int32_t truth[8] = {0, 0, 0, 1, 1, 2, 2, 2}, predicted[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    const int64_t want[16] = {2, 1, 0, 0, 1, 1, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0};
    int64_t count[16];
    double recall[4], precision[4];
    check_ok(ann_confusion_count(count, 4, truth, predicted, 8));
    assert_memory_equal(count, want, sizeof want);
    assert_true(ann_confusion_accuracy(count, 4) == 3.0 / 8);
    ann_confusion_rates(recall, precision, count, 4);
    assert_true(recall[0] == 2.0 / 3 && recall[1] == 0.5 && recall[2] == 0 && isnan(recall[3]));
    assert_true(precision[0] == 0.5 && precision[1] == 0.25 && isnan(precision[2]) && isnan(precision[3]));
}

static void test_refusals(void **state) {
    (void)state;
    int64_t count[4];
    check_fails(ann_confusion_count(count, 2, (const int32_t[]){0, 2}, (const int32_t[]){0, 1}, 2),
                ANN_ERR_ARG, "sample 1 of class 2, predicted as 1: there are 2 classes");
    check_fails(ann_confusion_count(count, 2, (const int32_t[]){0}, (const int32_t[]){-1}, 1), ANN_ERR_ARG,
                "predicted as -1");
    check_ok(ann_confusion_count(count, 2, NULL, NULL, 0));
    assert_true(isnan(ann_confusion_accuracy(count, 2)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
