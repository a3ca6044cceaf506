/* A whole run on one rank: phases, stages, transfer, freezing, metrics, the closing table. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/ckpt.h"

/* 2 epochs of 250 in batches of 40; 5 steps of 30; 3 epochs of 100 in batches of 30. */
enum { PRE_STEPS = 13, HEAD_STEPS = 5, ALL_STEPS = 10 };

static ann_ckpt *open_last(const char *run, const char *phase) {
    char dir[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_comm *comm;
    ann_ckpt *ckpt;
    check_ok(ann_comm_self(&comm));
    check_ok(ann_ckpt_latest(comm, scratch_path(dir, "%s/%s/%s", run_dir, run, phase), path, sizeof path));
    check_ok(ann_ckpt_open(&ckpt, path));
    ann_comm_free(comm);
    return ckpt;
}

/* A tensor of the last checkpoint of a phase, as floats; the caller frees it. */
static float *read_tensor(const char *run, const char *phase, const char *name, int64_t *elems) {
    ann_ckpt *ckpt = open_last(run, phase);
    float *values = NULL;
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) {
        const ann_tensor_info *info = ann_ckpt_tensor(ckpt, i);
        if (strcmp(info->name, name) != 0) continue;
        *elems = ann_shape_elems(&info->shape);
        values = malloc((size_t)*elems * sizeof *values);
        check_ok(ann_ckpt_read(ckpt, name, values));
    }
    ann_ckpt_close(ckpt);
    if (!values) fail_msg("%s has no %s", phase, name);
    return values;
}

static bool equal_tensors(const char *a_run, const char *a_phase, const char *b_run, const char *b_phase,
                          const char *name) {
    int64_t n, m;
    float *a = read_tensor(a_run, a_phase, name, &n), *b = read_tensor(b_run, b_phase, name, &m);
    assert_int_equal(n, m);
    const bool equal = memcmp(a, b, (size_t)n * sizeof *a) == 0;
    free(a);
    free(b);
    return equal;
}

static void trains_all_phases(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "all"}));
    assert_int_equal(run_metric_count("all", "loss"), PRE_STEPS + HEAD_STEPS + ALL_STEPS);
    assert_int_equal(run_metric_count("all", "test_loss"), 3);
    assert_int_equal(run_metric_count("all", "data_wait_s"), PRE_STEPS + HEAD_STEPS + ALL_STEPS);
    assert_true(run_metric("all", "data_wait_s", PRE_STEPS - 1) >= 0);
    assert_true(run_metric("all", "loss", PRE_STEPS - 1) < run_metric("all", "loss", 0));
    assert_true(run_metric("all", "test_accuracy", 2) > 0.25); /* chance */
    const char *out = run_printed();
    assert_non_null(strstr(out, "fine: loaded 6 tensors from pre (encoder/*), initialised 2: "));
    assert_non_null(strstr(out, "pre  ledger ok: 250 samples x 2 epochs each used exactly once"));
    assert_non_null(strstr(out, "pre  waited for data "));
    assert_non_null(
        strstr(out, "fine  ledger ok: 100 samples x 4 epochs and 50 of the next each used exactly once"));
    assert_non_null(strstr(out, "phase                   test loss  test accuracy       time"));
}

static void checkpoints_say_where_they_are(void **state) {
    (void)state;
    ann_ckpt *ckpt = open_last("all", "fine");
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    const struct {
        const char *key;
        int64_t value;
    } want[] = {{"phase_index", 1},
                {"stage", 1},
                {"step", HEAD_STEPS + ALL_STEPS},
                {"stage_step", ALL_STEPS},
                {"position", 450},
                {"epoch", 4},
                {"seed", 3},
                {"finished", 1},
                {"ranks", 1}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        int64_t value;
        check_ok(ann_meta_get_i64(meta, want[i].key, &value));
        if (value != want[i].value) fail_msg("%s is %lld", want[i].key, (long long)value);
    }
    const char *text;
    check_ok(ann_meta_get_str(meta, "config", &text));
    assert_non_null(strstr(text, "every_steps: 1"));
    check_ok(ann_meta_get_str(meta, "revision", &text));
    ann_ckpt_close(ckpt);
}

/* With one stage that trains the head alone, the encoder ends as it was loaded, running statistics too. */
static void frozen_means_frozen(void **state) {
    (void)state;
    static const char *const frozen[] = {"encoder/fc1/weight", "encoder/bn/gamma", "encoder/bn/mean",
                                         "encoder/bn/var"};
    check_ok(run_train(&(run_options){.name = "frozen", .sets = {"phases[1].program[1].train=head/*"}}));
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++)
        assert_true(equal_tensors("frozen", "pre", "frozen", "fine", frozen[i]));
    assert_true(equal_tensors("all", "pre", "frozen", "pre", "encoder/fc1/weight"));
    assert_false(equal_tensors("all", "pre", "all", "fine", "encoder/fc1/weight"));
    assert_false(equal_tensors("all", "pre", "all", "fine", "encoder/bn/mean"));
    assert_false(equal_tensors("frozen", "fine", "all", "fine", "head/out/weight"));
}

static void seed_decides(void **state) {
    (void)state;
    check_ok(run_train(&(run_options){.name = "again"}));
    check_ok(run_train(&(run_options){.name = "other", .sets = {"seed=4"}}));
    for (int i = 0; i < PRE_STEPS + HEAD_STEPS + ALL_STEPS; i++)
        assert_true(run_metric("again", "loss", i) == run_metric("all", "loss", i));
    assert_true(run_metric("other", "loss", 0) != run_metric("all", "loss", 0));
}

/* A fresh start does not touch what an earlier run left. */
static void fresh_start_moves_output_aside(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    check_ok(run_train(&(run_options){.name = "again"}));
    assert_non_null(strstr(run_printed(), "was there already: moved to "));
    assert_true(scratch_exists(scratch_path(path, "%s/again.1/fine/latest", run_dir)));
    assert_int_equal(run_metric_count("again", "test_loss"), 3);
}

/* ---- what is refused ---- */

static void refused(const char *set, ann_status want, const char *words) {
    char path[SCRATCH_PATH_BYTES];
    const ann_status status = run_train(&(run_options){.name = "refused", .sets = {set}});
    if (status != want || !strstr(ann_error_text(), words) || strchr(ann_error_text(), '\n'))
        fail_msg("%s: %s: %s", set, ann_status_name(status), ann_error_text());
    assert_false(scratch_exists(scratch_path(path, "%s/refused", run_dir)));
}

static void mistakes_are_found_before_work_starts(void **state) {
    (void)state;
    refused("phases[1].program[1].train=nothing/*", ANN_ERR_CONFIG, "'nothing/*' matches no parameter");
    refused("models.head[1].dense.units=5", ANN_ERR_CONFIG, "phase fine: the model ends in [1,5]");
    refused("models.decoder[0].dense.units=63", ANN_ERR_CONFIG, "phase pre: the model ends in [1,63]");
    refused("data.path=/nowhere/x.h5", ANN_ERR_CONFIG, "/nowhere/x.h5");
    refused("phases[1].load.tensors=head/*", ANN_ERR_CONFIG, "'head/*' matches no tensor");
    refused("phases[0].sampling={balance: weight}", ANN_ERR_CONFIG,
            "balance: the training data have no field 'weight' of one number a sample");
    refused("phases[1].sampling={balance: class, shares: [1, 2]}", ANN_ERR_CONFIG,
            "shares: 2 shares for 4 classes");
    refused("phases[1].labels=100000", ANN_ERR_CONFIG, "phase fine: labels: ");
}

/* A rate so large that the loss overflows: the step is named, and no checkpoint holds what came of it. */
static void divergence_is_an_error(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES];
    const ann_status status = run_train(&(run_options){
        .name = "diverges",
        .sets = {"phases[0].program[0].lr=1e6", "phases[0].loss=mse", "phases[0].optimizer.kind=sgd"}});
    assert_int_equal(status, ANN_ERR_NUMERIC);
    if (!strstr(ann_error_text(), "phase pre, step ")) fail_msg("%s", ann_error_text());
    assert_false(scratch_exists(scratch_path(path, "%s/diverges/pre/latest", run_dir)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_all_phases),
        cmocka_unit_test(checkpoints_say_where_they_are),
        cmocka_unit_test(frozen_means_frozen),
        cmocka_unit_test(seed_decides),
        cmocka_unit_test(fresh_start_moves_output_aside),
        cmocka_unit_test(mistakes_are_found_before_work_starts),
        cmocka_unit_test(divergence_is_an_error),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
