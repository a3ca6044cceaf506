/* Gradual unfreezing with discriminative rates (Howard and Ruder 2018): each stage trains more of the model,
   and its lower layers more slowly. Stopped within each stage, it ends in the uninterrupted run's bits. */
#include "train/run.h"

#include <stdio.h>
#include <string.h>
#include "support/ckpt_same.h"

/* Stages of 10, 10 and 12 steps: stops are heeded every 8 steps of a stage. */
#define STAGES                                                                                               \
    "phases[1].program=["                                                                                    \
    "{name: head, train: 'head/*', steps: 10, lr: 0.01}, "                                                   \
    "{name: upper, train: 'head/*, encoder/bn/*', steps: 10, lr: 0.01, "                                     \
    "groups: [{match: 'encoder/*', lr: 0.3}, {match: '*'}]}, "                                               \
    "{name: all, steps: 12, lr: 0.005, schedule: {kind: cosine}, "                                           \
    "groups: [{match: 'encoder/fc1/*', lr: %s}, {match: 'encoder/*', lr: 0.3}, {match: '%s'}]}]"

static ann_status run_stages(const char *name, const char *lowest, const char *rest, bool (*stop)(void)) {
    char stages[1024];
    snprintf(stages, sizeof stages, STAGES, lowest, rest);
    return run_train(&(run_options){.name = name, .resume = true, .sets = {stages}, .stop = stop});
}

static ann_ckpt *final_of(const char *name) {
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt;
    check_ok(ann_ckpt_open(&ckpt, scratch_path(path, "%s/%s/fine/step-0000000032", run_dir, name)));
    return ckpt;
}

static bool same_ends(const char *one, const char *other) {
    ann_ckpt *a = final_of(one), *b = final_of(other);
    const bool same = ckpt_same_bits(a, b);
    ann_ckpt_close(a);
    ann_ckpt_close(b);
    return same;
}

static bool stop(void) { return true; } /* at the first chance: step 8 of a stage */

static void stopped_in_every_stage(void **state) {
    (void)state;
    int stops = 0;
    check_ok(run_stages("whole", "0.1", "*", NULL));
    for (; run_stages("stopped", "0.1", "*", stop) != ANN_OK; stops++) {
        assert_non_null(strstr(ann_error_text(), "stopped on request in phase "));
        assert_true(stops < 10);
    }
    assert_int_equal(stops, 4); /* once in the phase before, once in each stage */
    assert_true(same_ends("whole", "stopped"));
}

/* Every group has its block of parameters and of moments in the checkpoint. */
static void groups_are_kept(void **state) {
    (void)state;
    static const struct {
        const char *tensor, *block;
    } want[] = {{"encoder/fc1/weight", "params.group1"},
                {"encoder/bn/gamma", "params.group2"},
                {"head/out/bias", "params.group3"},
                {"m/encoder/fc1/bias", "m/params.group1"},
                {"v/head/out/weight", "v/params.group3"}};
    ann_ckpt *ckpt = final_of("whole");
    size_t found = 0;
    for (int t = 0; t < ann_ckpt_tensor_count(ckpt); t++)
        for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
            const ann_tensor_info *info = ann_ckpt_tensor(ckpt, t);
            if (strcmp(info->name, want[i].tensor) != 0) continue;
            assert_string_equal(ann_ckpt_block_name(ckpt, info->block), want[i].block);
            found++;
        }
    assert_int_equal(found, sizeof want / sizeof want[0]);
    ann_ckpt_close(ckpt);
}

static void rates_matter(void **state) {
    (void)state;
    check_ok(run_stages("other", "0.2", "*", NULL));
    assert_false(same_ends("whole", "other"));
}

/* A stopped run goes on with the groups that it began with. */
static void other_groups_are_refused(void **state) {
    (void)state;
    assert_int_equal(run_stages("changed", "0.1", "*", stop), ANN_ERR_STOP);
    assert_int_equal(run_stages("changed", "0.1", "*", stop), ANN_ERR_STOP); /* in the first stage */
    assert_int_equal(run_stages("changed", "0.2", "*", NULL), ANN_ERR_CONFIG);
    if (!strstr(ann_error_text(), "cannot resume from ") || !strstr(ann_error_text(), "encoder/fc1/* lr 0.2"))
        fail_msg("%s", ann_error_text());
}

static void a_parameter_without_a_group_is_refused(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(run_stages("refused", "0.1", "head/out/weight", NULL), ANN_ERR_CONFIG);
    if (!strstr(ann_error_text(), "phase fine: ") ||
        !strstr(ann_error_text(), "head/out/bias is in no group of parameters"))
        fail_msg("%s", ann_error_text());
    assert_false(scratch_exists(scratch_path(path, "%s/refused", run_dir)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_in_every_stage),
        cmocka_unit_test(groups_are_kept),
        cmocka_unit_test(rates_matter),
        cmocka_unit_test(other_groups_are_refused),
        cmocka_unit_test(a_parameter_without_a_group_is_refused),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
