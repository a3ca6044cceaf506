/* A phase that starts from somebody's tensors: transposed, renamed, of another dtype and shape, and refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "train/run.h"

enum { TENSORS = 4 };
static const struct {
    const char *name;
    ann_dtype dtype;
    ann_shape shape;
} theirs[TENSORS] = {
    {"net.c2.weight", ANN_F64, {4, {3, 2, 2, 5}}}, /* ours is [3,2,5,2] */
    {"net.c2.bias", ANN_F32, {2, {1, 3}}},
    {"net.fc1.weight", ANN_F32, {2, {20, 60}}},
    {"net.fc1.bias", ANN_I32, {1, {20}}},
};

/* Element i of their tensor t: other numbers everywhere, exact in float. */
static double value(int t, int64_t i) { return (double)(t + 1) + (double)i / 4096; }

static const char *write_theirs(char *folder) {
    ann_comm *comm;
    ann_store *store;
    check_ok(ann_comm_self(&comm));
    check_ok(ann_store_new(&store, 1));
    for (int t = 0; t < TENSORS; t++) {
        ann_tensor made;
        check_ok(ann_store_declare(&made, store, theirs[t].name, theirs[t].dtype, &theirs[t].shape,
                                   ANN_ROLE_PARAM, (ann_init){.kind = ANN_INIT_ZERO}));
    }
    check_ok(ann_store_commit(store));
    for (int t = 0; t < TENSORS; t++)
        for (int64_t i = 0; i < ann_shape_elems(&theirs[t].shape); i++)
            ann_elem_set(ann_store_data(store, (ann_tensor){t}), theirs[t].dtype, i, value(t, i));
    scratch_path(folder, "%s/theirs", run_dir);
    scratch_remove(folder);
    check_ok(ann_ckpt_write(comm, folder, 1, store, NULL, 0));
    ann_store_free(store);
    ann_comm_free(comm);
    return folder;
}

/* A convolutional encoder, whose first phase loads `load` and stays as it is: the rate is 0. */
static ann_status run_loading(const char *name, const char *load, bool resume) {
    static const char encoder[] =
        "models.encoder=[{conv2d: {name: c1, channels: 2, kernel: 3, padding: 1}}, "
        "{conv2d: {name: c2, channels: 3, kernel: [2, 5], stride: [2, 1]}}, {avg_pool: {kernel: [2, 1]}}, "
        "{flatten: {}}, {dense: {name: fc0, units: 60}}, {dense: {name: fc1, units: 20}}]";
    static char set[3 * SCRATCH_PATH_BYTES];
    snprintf(set, sizeof set, "phases.pre.load=%s", load);
    const run_options options = {.name = name,
                                 .resume = resume,
                                 .sets = {encoder, set, "phases.pre.program[0].lr=0",
                                          "phases.pre.program[0].epochs=1",
                                          "phases.fine.program[1].epochs=1"}};
    return run_train(&options);
}

/* The tensor as it is in the checkpoint of phase "pre"; free it. */
static float *loaded(const char *run, const char *name, int64_t elems) {
    char folder[SCRATCH_PATH_BYTES], path[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt;
    float *out = malloc((size_t)elems * sizeof *out);
    assert_non_null(out);
    check_ok(ann_ckpt_resolve(path, scratch_path(folder, "%s/%s/pre", run_dir, run)));
    check_ok(ann_ckpt_peek(&ckpt, path));
    check_ok(ann_ckpt_read(ckpt, name, out));
    ann_ckpt_close(ckpt);
    return out;
}

static void tensors_are_turned_and_renamed(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_BYTES], load[2 * SCRATCH_PATH_BYTES];
    snprintf(load, sizeof load,
             "{file: %s, tensors: 'encoder/*', rename: {net.*.*: encoder/*/*}, transpose: '*/weight'}",
             write_theirs(folder));
    check_ok(run_loading("turned", load, false));
    assert_non_null(strstr(run_printed(), "transposed  encoder/c2/weight: [3,2,2,5] -> [3,2,5,2]\n"));
    assert_non_null(strstr(run_printed(), "converted   encoder/c2/weight: f64 -> f32\n"));
    assert_non_null(strstr(run_printed(), "reshaped    encoder/c2/bias: [1,3] -> [3]\n"));
    assert_non_null(strstr(run_printed(), "transposed  encoder/fc1/weight: [20,60] -> [60,20]\n"));
    assert_non_null(strstr(run_printed(), "skipped     encoder/fc1/bias: i32 there, f32 here\n"));
    assert_non_null(strstr(run_printed(), "missing     encoder/c1/weight: the file has no such tensor\n"));
    assert_non_null(strstr(run_printed(), "pre: loaded 3 tensors from "));
    float *weight = loaded("turned", "encoder/c2/weight", 60),
          *matrix = loaded("turned", "encoder/fc1/weight", 1200);
    float *bias = loaded("turned", "encoder/c2/bias", 3);
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < 2; i++)
            for (int h = 0; h < 2; h++)
                for (int w = 0; w < 5; w++)
                    assert_true((double)weight[((o * 2 + h) * 5 + w) * 2 + i] ==
                                value(0, ((o * 2 + i) * 2 + h) * 5 + w));
    for (int r = 0; r < 20; r++)
        for (int c = 0; c < 60; c++) assert_true((double)matrix[c * 20 + r] == value(2, r * 60 + c));
    for (int i = 0; i < 3; i++) assert_true((double)bias[i] == value(1, i));
    free(weight);
    free(matrix);
    free(bias);
    check_ok(run_loading("turned", load, true));
    assert_null(strstr(run_printed(), "loaded 3 tensors")); /* what was loaded is in the checkpoint now */
    assert_non_null(strstr(run_printed(), "pre  finished before"));
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_BYTES], load[2 * SCRATCH_PATH_BYTES];
    snprintf(load, sizeof load,
             "{file: %s, rename: [{net.c2.bias: encoder/c2/bias}, {net.*.*: encoder/*/*}]}",
             write_theirs(folder));
    check_ok(run_loading("plain", load, false));
    assert_non_null(strstr(
        run_printed(), "skipped     encoder/fc1/weight: [20,60] there, [60,20] here (load.transpose?)\n"));
    assert_non_null(strstr(
        run_printed(), "skipped     encoder/c2/weight: [3,2,2,5] there, [3,2,5,2] here (load.transpose?)\n"));
    assert_non_null(strstr(run_printed(), "pre: loaded 1 tensors from "));
}

static void strict_accepts_nothing_of_it(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_BYTES], load[2 * SCRATCH_PATH_BYTES];
    snprintf(load, sizeof load, "{file: %s, strict: true, rename: {net.*.*: encoder/*/*}}",
             write_theirs(folder));
    assert_int_equal(run_loading("strict", load, false), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase pre: load is strict, and "));
    snprintf(load, sizeof load, "{file: %s, tensors: 'decoder/*'}", folder);
    assert_int_equal(run_loading("nothing", load, false), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "phase pre: no tensor was loaded from "));
    snprintf(load, sizeof load, "{file: %s/tiny.h5}", run_dir);
    assert_int_equal(run_loading("data", load, false), ANN_ERR_CONFIG); /* a dataset has none that fit */
}

/* What a checkpoint of our own has beside the model: moments, residuals, thin matrices. */
static void state_of_training_is_not_missed(void **state) {
    (void)state;
    static const char *const modes[][2] = {
        {"phases.pre.optimizer={kind: momentum}", "phases.pre.compress={method: topk}"},
        {"phases.pre.optimizer={kind: adam}", "phases.pre.compress={method: powersgd}"},
        {"phases.pre.optimizer={kind: sgd}", "phases.pre.sync={every: 2, outer_momentum: 0.9}"},
    };
    char load[2 * SCRATCH_PATH_BYTES], name[32];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "own%d", i);
        snprintf(load, sizeof load, "phases.pre.load={file: %s/%s/pre, strict: true}", run_dir, name);
        check_ok(run_train(&(run_options){.name = name, .sets = {modes[i][0], modes[i][1]}}));
        check_ok(run_train(&(run_options){.name = "mine", .sets = {load}}));
        assert_null(strstr(run_printed(), "skipped"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_turned_and_renamed),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(strict_accepts_nothing_of_it),
        cmocka_unit_test(state_of_training_is_not_missed),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
