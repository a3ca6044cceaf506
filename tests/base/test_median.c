/* The median of unsorted values. */
#include "base/median.h"
#include "support/check.h"

static void medians(void **state) {
    (void)state;
    double values[] = {3, 1, 2, 10};
    assert_true(ann_median(values, 4) == 2.5);
    assert_true(values[0] == 1 && values[3] == 10); /* sorted now */
    assert_true(ann_median(values, 3) == 2);
    assert_true(ann_median(values, 1) == 1);
    assert_true(ann_median(values, 0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(medians)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
