/* Sinkhorn's iterations in the log domain against those on factors, and where factors would overflow. */
#include "fails.h"

#include <float.h>
#include <math.h>
#include "method/weigh.h"
#include "table.h"
#include "transport_values.h"

enum { ROWS = 6, COLUMNS = 5 };
static const double epsilon = 0.1;
static float cost[ROWS * COLUMNS];
static double plan[ROWS * COLUMNS];

/* The costs of gen_weigh.py. */
static void fill(void) {
    for (int i = 0; i < ROWS * COLUMNS; i++) cost[i] = table_at(4000 + i) + 0.5f;
}

/* Exponents are up to 1 / epsilon, so that a number has so many roundings relative to itself; an iteration
   takes those of the last over. */
static double rounding(int iterations) { return 8 * DBL_EPSILON * (1 / epsilon) * iterations; }

static void test_iterations(void **state) {
    (void)state;
    ann_transport_report report;
    fill();
    check_ok(ann_transport_sinkhorn(plan, &report, cost, ROWS, COLUMNS,
                                    &(ann_transport_options){.epsilon = epsilon, .iterations = 3}));
    assert_int_equal(report.iterations, 3);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        if (!(fabs(plan[i] / transport_early[i] - 1) <= rounding(3)))
            fail_msg("plan %d: %.17g, not %.17g", i, plan[i], transport_early[i]);
    assert_true(fabs(report.error - transport_early_error) <= rounding(3));
    for (int j = 0; j < COLUMNS; j++) {
        double sum = 0;
        for (int i = 0; i < ROWS; i++) sum += plan[i * COLUMNS + j];
        assert_true(fabs(sum - 1.0 / COLUMNS) <= rounding(1));
    }
}

static void test_converged(void **state) {
    (void)state;
    ann_transport_report report;
    fill();
    const ann_transport_options options = {.epsilon = epsilon, .iterations = 10000, .tolerance = 1e-13};
    check_ok(ann_transport_sinkhorn(plan, &report, cost, ROWS, COLUMNS, &options));
    assert_in_range(report.iterations, 10, 3000);
    assert_true(report.error <= 1e-13);
    /* what is left shrinks by a factor each time, here by no less than 0.9: ten times the last error */
    for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(fabs(plan[i] - transport_late[i]) <= 1e-12);
    assert_true(fabs(report.cost - transport_late_cost) <= 1e-12);
}

/* A small epsilon: the best assignment, here i + j = 2. exp(-cost / epsilon) would be 0. A
   row's 50 i does not matter. */
static void test_assignment(void **state) {
    (void)state;
    const ann_transport_options options = {.epsilon = 0.02, .iterations = 100, .tolerance = 1e-9};
    ann_transport_report report;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) cost[3 * i + j] = (float)(1000 + 50 * i + (i + j == 2 ? 0 : 1 + i * j));
    check_ok(ann_transport_sinkhorn(plan, &report, cost, 3, 3, &options));
    assert_true(report.error <= 1e-9 && fabs(report.cost - 1050) < 1e-6);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) assert_true(fabs(plan[3 * i + j] - (i + j == 2) / 3.0) < 1e-9);
}

/* Huge costs that are all equal, and a single pair. */
static void test_extremes(void **state) {
    (void)state;
    ann_transport_report report;
    for (int i = 0; i < ROWS * COLUMNS; i++) cost[i] = 1e30f;
    const ann_transport_options options = {.epsilon = 1, .iterations = 5};
    check_ok(ann_transport_sinkhorn(plan, &report, cost, 1, 1, &options));
    assert_true(plan[0] == 1 && report.cost == (double)1e30f && report.error == 0);
    fill();
    check_ok(ann_transport_sinkhorn(plan, NULL, cost, ROWS, 1, &options));
    for (int i = 0; i < ROWS; i++) assert_true(fabs(plan[i] - 1.0 / ROWS) <= 1e-15);
}

static void test_errors(void **state) {
    (void)state;
    fill();
    check_fails(
        ann_transport_sinkhorn(plan, NULL, cost, ROWS, COLUMNS, &(ann_transport_options){.iterations = 1}),
        ANN_ERR_ARG, "epsilon 0");
    check_fails(
        ann_transport_sinkhorn(plan, NULL, cost, ROWS, COLUMNS, &(ann_transport_options){.epsilon = 1}),
        ANN_ERR_ARG, "0 iterations");
    const ann_transport_options options = {.epsilon = 1e-300, .iterations = 2};
    for (int j = 0; j < COLUMNS; j++) cost[j] = FLT_MAX;
    check_fails(ann_transport_sinkhorn(plan, NULL, cost, ROWS, COLUMNS, &options), ANN_ERR_NUMERIC,
                "costs over it are not finite");
    check_fails(ann_transport_sinkhorn(plan, NULL, cost, 0, COLUMNS, &options), ANN_ERR_ARG,
                "costs of transport");
    cost[2] = NAN;
    check_fails(ann_transport_sinkhorn(plan, NULL, cost, ROWS, COLUMNS, &options), ANN_ERR_NUMERIC,
                "number 2 of row 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations), cmocka_unit_test(test_converged),
        cmocka_unit_test(test_assignment), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
