/* Phases that run again because what goes into them has changed: in the end everything is as if it had been
   run so from the start, also after an interruption in the middle. */
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "train/lineage.h"
#include "train/run.h"

static bool stop(void) { return true; }

/* Whether line `a` was printed, and no line `b`. */
static void printed(const char *a, const char *b) {
    if (!strstr(run_printed(), a)) fail_msg("no '%s' in\n%s", a, run_printed());
    if (b && strstr(run_printed(), b)) fail_msg("'%s' in\n%s", b, run_printed());
}

static uint64_t content(const char *run, const char *phase) {
    char folder[SCRATCH_PATH_BYTES];
    ann_lineage_parent found;
    check_ok(ann_lineage_describe(NULL, &found, scratch_path(folder, "%s/%s/%s", run_dir, run, phase)));
    return found.content;
}

/* All curves and the last checkpoints. The order of the phases' lines may be another. */
static void same_ends(const char *a, const char *b) {
    static const char *const keys[] = {"loss", "test_loss"};
    for (int k = 0; k < 2; k++) {
        const int n = run_metric_count(a, keys[k]);
        assert_int_equal(n, run_metric_count(b, keys[k]));
        for (int i = 0; i < n; i++)
            if (run_metric(a, keys[k], i) != run_metric(b, keys[k], i)) fail_msg("%s %d differs", keys[k], i);
    }
    assert_true(content(a, "pre") == content(b, "pre"));
    assert_true(content(a, "fine") == content(b, "fine"));
}

static void second_phase_alone(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    const char *set = "phases.fine.batch=25";
    check_ok(run_train(&(run_options){.name = "a"}));
    const uint64_t before = content("a", "fine");
    check_ok(run_train(&(run_options){.name = "a", .resume = true, .sets = {set}}));
    printed("pre  finished before", "pre  runs again");
    printed("fine  runs again: the run file says \"phases.fine.batch = 25\", the checkpoint was made with "
            "\"phases.fine.batch = 30\"",
            "fine  finished before");
    check_ok(run_train(&(run_options){.name = "b", .sets = {set}}));
    same_ends("a", "b");
    assert_true(content("a.1", "fine") == before);
    assert_true(scratch_exists(scratch_path(path, "%s/a.1/fine/metrics.jsonl", run_dir)));
    assert_false(scratch_exists(scratch_path(path, "%s/a.1/pre", run_dir)));
    check_ok(run_train(&(run_options){.name = "a", .resume = true, .sets = {set}}));
    printed("fine  finished before", "runs again");
}

static void first_phase_and_what_depends_on_it(void **state) {
    (void)state;
    const char *set = "phases.pre.program[0].lr=0.004";
    check_ok(run_train(&(run_options){.name = "c"}));
    check_ok(run_train(&(run_options){.name = "c", .resume = true, .sets = {set}}));
    printed("pre  runs again: the run file says ", "finished before");
    printed("fine  runs again: its parent pre has other content: ", NULL);
    check_ok(run_train(&(run_options){.name = "d", .sets = {set}}));
    same_ends("c", "d");
    /* what was moved belongs together still */
    char of[SCRATCH_PATH_BYTES], path[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt;
    ann_lineage lineage;
    check_ok(ann_ckpt_resolve(path, scratch_path(of, "%s/c.1/fine", run_dir)));
    check_ok(ann_ckpt_peek(&ckpt, path));
    check_ok(ann_lineage_read(&lineage, ann_ckpt_meta(ckpt)));
    ann_ckpt_close(ckpt);
    assert_int_equal(lineage.parent_count, 1);
    assert_int_equal(ann_lineage_look(of, path, &lineage.parents[0]), ANN_PARENT_SAME);
    assert_non_null(strstr(of, "/c.1/pre/step-0000000013"));
}

/* Stopped at every chance while it runs again. */
static void interrupted_while_it_runs_again(void **state) {
    (void)state;
    const char *set = "phases.pre.program[0].lr=0.004";
    ann_status status;
    int stops = 0;
    check_ok(run_train(&(run_options){.name = "e"}));
    while ((status = run_train(&(run_options){.name = "e", .resume = true, .stop = stop, .sets = {set}})) ==
               ANN_ERR_STOP &&
           stops < 20)
        stops++;
    check_ok(status);
    assert_true(stops >= 2);
    same_ends("e", "d");
}

/* A half-finished second phase whose parent has changed begins anew; it is not refused. */
static void unfinished_phase_of_a_changed_parent(void **state) {
    (void)state;
    const char *set = "phases.pre.program[0].lr=0.004";
    int stops = 0;
    while (run_train(&(run_options){.name = "f", .resume = true, .stop = stop}) == ANN_ERR_STOP &&
           !strstr(run_printed(), "pre  finished before") && stops < 20)
        stops++;
    assert_non_null(strstr(run_printed(), "fine/"));
    check_ok(run_train(&(run_options){.name = "f", .resume = true, .sets = {set}}));
    printed("fine  runs again: its parent pre has other content: ", "fine  resumes");
    same_ends("f", "d");
}

/* Another key and the same values: what depends on them stays. */
static void same_content_is_no_change(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "g"}));
    check_ok(run_train(&(run_options){
        .name = "g", .resume = true, .sets = {"phases.pre.stop={wall_time: 10 h}", "log.every_steps=2"}}));
    printed("pre  runs again: ", "fine  runs again");
    printed("fine  finished before", NULL);
}

static void what_decides_nothing(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "h"}));
    check_ok(run_train(&(run_options){.name = "h",
                                      .resume = true,
                                      .sets = {"log.every_steps=2", "checkpoint={every: 3 steps, keep: 1}",
                                               "comm.bucket_bytes=2048", "name=other"}}));
    printed("pre  finished before", "runs again");
    printed("fine  finished before", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_phase_alone),
        cmocka_unit_test(first_phase_and_what_depends_on_it),
        cmocka_unit_test(interrupted_while_it_runs_again),
        cmocka_unit_test(unfinished_phase_of_a_changed_parent),
        cmocka_unit_test(same_content_is_no_change),
        cmocka_unit_test(what_decides_nothing),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
