/* Stopping and going on: the curve of the interrupted run is the uninterrupted one's, to the bit. */
#include "train/run.h"

#include <stdio.h>
#include <string.h>

static int polls_left;
static bool stop(void) { return --polls_left < 0; }

enum { LINES = 28 };

static void same_curves(const char *name) {
    assert_int_equal(run_metric_count("whole", "loss"), LINES);
    assert_int_equal(run_metric_count(name, "loss"), LINES);
    for (int i = 0; i < LINES; i++) {
        const double want = run_metric("whole", "loss", i), got = run_metric(name, "loss", i);
        if (want != got) fail_msg("%s, line %d: %.9g instead of %.9g", name, i, got, want);
    }
    for (int i = 0; i < 3; i++)
        assert_true(run_metric(name, "test_loss", i) == run_metric("whole", "test_loss", i));
}

/* Stopped at every chance in turn: every 8 steps of a stage. */
static void stops_and_goes_on(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "whole"}));
    for (int stops = 0;; stops++) {
        polls_left = 0;
        const ann_status status = run_train(&(run_options){.name = "stopped", .resume = true, .stop = stop});
        if (status == ANN_OK) {
            assert_true(stops >= 2);
            break;
        }
        assert_int_equal(status, ANN_ERR_STOP);
        assert_non_null(strstr(ann_error_text(), "stopped on request in phase "));
        assert_true(stops < 10);
    }
    same_curves("stopped");
}

/* Metrics behind the checkpoint belong to steps that are done again. */
static void metrics_are_cut_at_the_checkpoint(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], from[SCRATCH_PATH_BYTES];
    polls_left = 0;
    assert_int_equal(run_train(&(run_options){.name = "cut", .stop = stop}), ANN_ERR_STOP);
    FILE *metrics = fopen(scratch_path(path, "%s/cut/pre/metrics.jsonl", run_dir), "a");
    assert_non_null(metrics);
    for (int i = 0; i < 5000; i++) fputs("{\"phase\":\"pre\",\"loss\":77}\n", metrics);
    fclose(metrics);
    scratch_copy(scratch_path(from, "%s/cut", run_dir), scratch_path(path, "%s/edited", run_dir));
    check_ok(run_train(&(run_options){.name = "cut", .resume = true}));
    assert_non_null(strstr(run_printed(), "pre  resumes at step 8 from "));
    same_curves("cut");
}

static void finished_phases_are_skipped(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "whole", .resume = true}));
    assert_non_null(strstr(run_printed(), "pre  finished before"));
    assert_non_null(strstr(run_printed(), "fine  finished before"));
    assert_null(strstr(run_printed(), "samples/s"));
    assert_non_null(strstr(run_printed(), "test accuracy       time"));
    same_curves("whole");
}

/* What decides the results may not change between a run and its resume; the rest may. */
static void another_configuration_is_refused(void **state) {
    (void)state;
    const ann_status status =
        run_train(&(run_options){.name = "edited", .resume = true, .sets = {"phases[0].program[0].lr=0.25"}});
    assert_int_equal(status, ANN_ERR_CONFIG);
    if (!strstr(ann_error_text(), "cannot resume from ") || !strstr(ann_error_text(), "lr 0.25"))
        fail_msg("%s", ann_error_text());
    check_ok(run_train(
        &(run_options){.name = "edited",
                       .resume = true,
                       .sets = {"checkpoint.every=3 steps", "log.every_steps=2", "comm.bucket_bytes=2048"}}));
}

/* Without a checkpoint, --resume starts from the beginning. */
static void resume_without_checkpoint(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "nothing", .resume = true}));
    same_curves("nothing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_and_goes_on),           cmocka_unit_test(metrics_are_cut_at_the_checkpoint),
        cmocka_unit_test(finished_phases_are_skipped), cmocka_unit_test(another_configuration_is_refused),
        cmocka_unit_test(resume_without_checkpoint),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
