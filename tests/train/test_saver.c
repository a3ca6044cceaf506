/* Checkpoints beside training: on request, by time, the best and every n-th; and training that does not mind
 * them. */
#include "train/run.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "ckpt/ckpt.h"

enum { LINES = 28 }; /* of a whole run */

static int polls;
static bool at_first_poll(void) { return polls++ == 0; }
static bool never(void) { return false; }

static void same_curves(const char *name) {
    assert_int_equal(run_metric_count(name, "loss"), LINES);
    for (int i = 0; i < LINES; i++)
        if (run_metric("whole", "loss", i) != run_metric(name, "loss", i))
            fail_msg("%s differs at line %d", name, i);
}

/* What there is of phase "pre". */
static char *names_of(const char *name) {
    char path[SCRATCH_PATH_BYTES];
    return scratch_list(scratch_path(path, "%s/%s/pre", run_dir, name));
}

static void expect_names(const char *name, const char *expected) {
    char *names = names_of(name);
    assert_string_equal(names, expected);
    free(names);
}

static void the_plain_run(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "whole"}));
    expect_names("whole", "latest latest.h5 metrics.jsonl step-0000000013 ");
}

static void a_request_by_signal(void **state) {
    (void)state;
    polls = 0;
    check_ok(run_train(&(run_options){.name = "asked", .stop = never, .save = at_first_poll}));
    expect_names("asked", "latest latest.h5 metrics.jsonl step-0000000008 step-0000000013 ");
    same_curves("asked");
}

static const char *file;
static bool touch_at_first_poll(void) {
    char path[SCRATCH_PATH_BYTES];
    if (polls++ == 0) scratch_write(scratch_path(path, "%s/touched/%s", run_dir, file), "", 0);
    return false;
}

static void a_request_by_file(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    polls = 0;
    file = "checkpoint.now";
    check_ok(run_train(&(run_options){.name = "touched", .stop = touch_at_first_poll}));
    expect_names("touched", "latest latest.h5 metrics.jsonl step-0000000008 step-0000000013 ");
    assert_false(scratch_exists(scratch_path(path, "%s/touched/checkpoint.now", run_dir)));
    scratch_remove(scratch_path(path, "%s/touched", run_dir));
    polls = 0;
    file = "stop.now";
    assert_int_equal(run_train(&(run_options){.name = "touched", .stop = touch_at_first_poll}), ANN_ERR_STOP);
    assert_false(scratch_exists(scratch_path(path, "%s/touched/stop.now", run_dir)));
    /* One that was left behind by an earlier job does not stop the next one. */
    scratch_write(scratch_path(path, "%s/touched/stop.now", run_dir), "", 0);
    check_ok(run_train(&(run_options){.name = "touched", .resume = true}));
    same_curves("touched");
}

static void every_so_often(void **state) {
    (void)state;
    check_ok(run_train(
        &(run_options){.name = "steps", .sets = {"checkpoint={every: 4 steps, when_busy: wait, keep: 2}"}}));
    expect_names("steps", "latest latest.h5 metrics.jsonl step-0000000012 step-0000000013 ");
    same_curves("steps");
    check_ok(run_train(
        &(run_options){.name = "epochs", .sets = {"checkpoint={every: 1 epoch, when_busy: wait, keep: 0}"}}));
    expect_names("epochs",
                 "latest latest.h5 metrics.jsonl step-0000000007 step-0000000013 "); /* 250 / 40 = 6.25 */
    check_ok(run_train(&(run_options){.name = "time",
                                      .sets = {"checkpoint={every: 0.000001 s, when_busy: wait, keep: 0}"}}));
    expect_names("time", "latest latest.h5 metrics.jsonl step-0000000008 step-0000000013 ");
    check_ok(run_train(&(run_options){.name = "busy", .sets = {"checkpoint={every: 1 step, keep: 0}"}}));
    same_curves("busy"); /* some are skipped, the disk decides which */
}

static void kept_for_good(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){
        .name = "good", .sets = {"checkpoint={every: 2 steps, when_busy: wait, keep: 1, keep_every: 3}"}}));
    expect_names(
        "good",
        "latest latest.h5 metrics.jsonl step-0000000006 step-0000000012 step-0000000013 "); /* 3rd, 6th, last
                                                                                             */
}

static double number_in(const char *dir, const char *name, const char *key) {
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    double value;
    check_ok(ann_ckpt_open(&ckpt, scratch_path(path, "%s/%s", dir, name)));
    check_ok(ann_meta_get_f64(ann_ckpt_meta(ckpt), key, &value));
    ann_ckpt_close(ckpt);
    return value;
}

/* The test set is evaluated for each checkpoint; the best of all stays beside the last one. */
static void the_best_one(const char *name, const char *set, const char *key, int sign) {
    char dir[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    check_ok(run_train(&(run_options){.name = name, .sets = {set, "phases[1].program[1].lr=0.3"}}));
    scratch_path(dir, "%s/%s/fine", run_dir, name);
    char *best = scratch_read(NULL, scratch_path(path, "%s/best", dir));
    best[strcspn(best, "\n")] = '\0';
    const double found = number_in(dir, best, key);
    free(best);
    double want = NAN;
    const int count = run_metric_count(name, key),
              first = 14; /* the first phase's: one per checkpoint, and the end */
    assert_true(count > first + 8);
    for (int i = first; i < count; i++) {
        const double value = run_metric(name, key, i);
        if (isnan(want) || sign * value >= sign * want) want = value;
    }
    assert_true(fabs(found / want - 1) < 1e-8); /* metrics have 9 digits */
    char *names = scratch_list(dir);
    int kept = 0;
    for (const char *p = names; (p = strstr(p, "step-")); p++) kept++;
    assert_true(kept == 1 || kept == 2);
    free(names);
}

static void the_best(void **state) {
    (void)state;
    the_best_one("best", "checkpoint={every: 1 step, when_busy: wait, keep: 1, best: test_accuracy}",
                 "test_accuracy", 1);
    the_best_one("least", "checkpoint={every: 1 step, when_busy: wait, keep: 1, best: test_loss}",
                 "test_loss", -1);
}

/* No file may be longer than this: metrics fit, checkpoints do not. Training goes on to the end of the phase,
   whose own checkpoint is an error. */
static void training_goes_on_without(void **state) {
    (void)state;
    struct rlimit before, low;
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = 12000;
    setrlimit(RLIMIT_FSIZE, &low);
    const ann_status status = run_train(&(run_options){.name = "full", .sets = {"checkpoint.every=2 steps"}});
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, ANN_ERR_NOSPACE);
    assert_non_null(strstr(ann_error_text(), "/pre/step-0000000013.part/"));
    assert_int_equal(run_metric_count("full", "loss"), 13);
    check_ok(run_train(&(run_options){.name = "full", .resume = true}));
    same_curves("full");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_run),
        cmocka_unit_test(a_request_by_signal),
        cmocka_unit_test(a_request_by_file),
        cmocka_unit_test(every_so_often),
        cmocka_unit_test(kept_for_good),
        cmocka_unit_test(the_best),
        cmocka_unit_test(training_goes_on_without),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
