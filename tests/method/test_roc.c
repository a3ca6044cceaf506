/* The ROC curve against all pairs in numpy, and by hand. */
#include "fails.h"

#include <math.h>
#include "method/judge.h"
#include "roc_values.h"
#include "table.h"

static void test_values(void **state) {
    (void)state;
    enum { N = 60, POINTS = sizeof roc_points / sizeof *roc_points / 3 };
    float score[N];
    bool positive[N];
    for (int i = 0; i < N; i++) {
        positive[i] = i % 3 == 0;
        score[i] = floorf(8 * (table_at(i) + (positive[i] ? 0.25f : 0)));
    }
    ann_roc roc;
    check_ok(ann_roc_make(&roc, score, positive, N));
    assert_true(fabs(roc.area - roc_area) <= 0x1p-52);
    assert_int_equal(roc.points, POINTS + 1);
    assert_true(roc.false_rate[0] == 0 && roc.true_rate[0] == 0 && isinf(roc.threshold[0]));
    for (int i = 0; i < POINTS; i++) {
        assert_true(fabs(roc.false_rate[i + 1] - roc_points[3 * i]) <= 0x1p-52);
        assert_true(fabs(roc.true_rate[i + 1] - roc_points[3 * i + 1]) <= 0x1p-52);
        assert_true(roc.threshold[i + 1] == roc_points[3 * i + 2]);
    }
    ann_roc_free(&roc);
}

static void test_extremes(void **state) {
    (void)state;
    ann_roc roc;
    const bool positive[4] = {false, true, false, true};
    const struct {
        float score[4];
        double area;
        int points;
    } cases[] = {
        {{1, 3, 2, 4}, 1, 5}, {{4, 1, 3, 2}, 0, 5}, {{7, 7, 7, 7}, 0.5, 2}, {{1, 1, 0, 2}, 0.875, 4}};
    for (int i = 0; i < 4; i++) {
        check_ok(ann_roc_make(&roc, cases[i].score, positive, 4));
        assert_true(roc.area == cases[i].area);
        assert_int_equal(roc.points, cases[i].points);
        ann_roc_free(&roc);
    }
}

static void test_refusals(void **state) {
    (void)state;
    ann_roc roc;
    const float score[2] = {1, NAN};
    check_fails(ann_roc_make(&roc, score, (const bool[]){true, true}, 2), ANN_ERR_ARG,
                "2 positive and 0 negative");
    check_fails(ann_roc_make(&roc, score, (const bool[]){false, true}, 1), ANN_ERR_ARG,
                "0 positive and 1 negative");
    check_fails(ann_roc_make(&roc, NULL, NULL, 0), ANN_ERR_ARG, "0 positive and 0 negative");
    check_fails(ann_roc_make(&roc, score, (const bool[]){false, true}, 2), ANN_ERR_NUMERIC,
                "sample 1 is not finite");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
