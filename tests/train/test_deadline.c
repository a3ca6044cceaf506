/* A job that knows when it will be ended stops early enough for its last checkpoint, and not much earlier. */
#include "train/deadline.h"
#include "base/clock.h"
#include "train/run.h"

#include <string.h>

static void what_a_checkpoint_needs(void **state) {
    (void)state;
    const anni_deadline_cost none = {.measured_s = -1, .bytes = 0},
                             big = {.measured_s = -1, .bytes = 2000000000},
                             fast = {.measured_s = 0, .bytes = 2000000000}, slow = {.measured_s = 40};
    assert_true(anni_deadline_need_s(&none) == 10);
    assert_true(anni_deadline_need_s(&big) == 310); /* at 20 MB/s */
    assert_true(anni_deadline_need_s(&fast) == 10); /* what was measured counts */
    assert_true(anni_deadline_need_s(&slow) == 130);
}

/* Polls every poll_s seconds, as training does: the stop must come in time, and at the last poll that is. */
static void the_last_poll_in_time(void **state) {
    (void)state;
    static const double polls[] = {0.01, 0.3, 1, 7, 60, 600}, costs[] = {0, 0.2, 5, 100};
    for (size_t i = 0; i < sizeof polls / sizeof polls[0]; i++)
        for (size_t j = 0; j < sizeof costs / sizeof costs[0]; j++) {
            const anni_deadline_cost cost = {.measured_s = costs[j]};
            double left = 3600;
            while (!anni_deadline_is_near(left, polls[i], &cost)) left -= polls[i];
            assert_true(left >= anni_deadline_need_s(&cost));
            assert_true(left - polls[i] < anni_deadline_need_s(&cost));
        }
}

static void too_late_already(void **state) {
    (void)state;
    const anni_deadline_cost cost = {.measured_s = 1};
    assert_true(anni_deadline_is_near(5, 0, &cost));
    assert_true(anni_deadline_is_near(-100, 0, &cost));
}

static bool no_more(const char *name) {
    for (int i = 0; i < run_metric_count(name, "loss"); i++)
        if (run_metric("whole", "loss", i) != run_metric(name, "loss", i)) return false;
    return run_metric_count("whole", "loss") == run_metric_count(name, "loss");
}

/* The deadline is near at every poll, so that each job gets as far as its first one; none is lost. */
static void jobs_before_a_deadline(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "whole"}));
    int jobs = 0;
    ann_status status;
    do {
        status = run_train(&(run_options){
            .name = "pieces", .resume = true, .deadline_ns = ann_clock_ns() + (int64_t)9000000000});
        if (status != ANN_OK) {
            assert_int_equal(status, ANN_ERR_STOP);
            assert_non_null(strstr(ann_error_text(), "stopped because the job ends soon, in phase "));
        }
    } while (status != ANN_OK && ++jobs < 10);
    assert_true(jobs >= 2 && jobs < 10);
    assert_true(no_more("pieces"));
    /* One that is far off changes nothing. */
    check_ok(
        run_train(&(run_options){.name = "far", .deadline_ns = ann_clock_ns() + (int64_t)3600 * 1000000000}));
    assert_true(no_more("far"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_checkpoint_needs),
        cmocka_unit_test(the_last_poll_in_time),
        cmocka_unit_test(too_late_already),
        cmocka_unit_test(jobs_before_a_deadline),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
