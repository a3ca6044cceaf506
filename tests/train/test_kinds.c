/* Kinds of steps of a method (MCD has three) train different blocks, but batch norms of all of them normalise
   by the batch and move their running statistics in every step: with a rate of 0, n steps on a batch leave
   (1 - 0.9^n) of its mean. Those of the target are what later phases load. */
#include <math.h>
#include <stdio.h>
#include "ckpt/tools.h"
#include "train/run.h"

enum { UNITS = 64 };

static void train(const char *name, int repeats) {
    char phases[3 * SCRATCH_PATH_BYTES];
    snprintf(phases, sizeof phases,
             "phases=[{name: both, kind: adapt, model: [trunk, top], loss: cross_entropy, batch: 40, "
             "data: {sources: [{path: %s/tiny.h5}, {path: %s/tiny.h5}]}, sampling: {balance: source}, "
             "method: {mcd: {second: other, repeats: %d}}, program: [{steps: 1, lr: 0}]}, "
             "{name: later, kind: evaluate, model: [trunk, top], loss: cross_entropy, load: {from: both}}]",
             run_dir, run_dir, repeats);
    check_ok(run_train(&(run_options){
        .name = name,
        .sets = {"models={trunk: [flatten: {}, batch_norm: {name: bn}, activation: {kind: relu}], "
                 "top: [batch_norm: {name: bn}, dense: {name: out, units: 4}], "
                 "other: [batch_norm: {name: bn}, dense: {name: out, units: 4}]}",
                 phases}}));
}

static void read_means(float *values, const char *run, const char *name) {
    char path[SCRATCH_PATH_BYTES], found[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt;
    check_ok(ann_ckpt_resolve(found, scratch_path(path, "%s/%s/both", run_dir, run)));
    check_ok(ann_ckpt_open(&ckpt, found));
    check_ok(ann_ckpt_read(ckpt, name, values));
    ann_ckpt_close(ckpt);
}

static void statistics_move_in_every_kind_of_step(void **state) {
    (void)state;
    static const char *const means[] = {"trunk/bn/mean", "trunk/bn/mean0", "top/bn/mean", "top/bn/mean0",
                                        "other/bn/mean0"};
    train("three", 1);
    train("five", 3);
    const double ratio = (1 - pow(0.9, 5)) / (1 - pow(0.9, 3));
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        float three[UNITS], five[UNITS];
        read_means(three, "three", means[i]);
        read_means(five, "five", means[i]);
        for (int c = 0; c < UNITS; c++) {
            assert_true(three[c] > 0);
            if (!(fabs(five[c] / three[c] / ratio - 1) < 1e-5))
                fail_msg("%s, unit %d: %g after 3 steps, %g after 5", means[i], c, (double)three[c],
                         (double)five[c]);
        }
    }
}

/* Both domains have the same test samples, and statistics of different training samples. */
static void a_later_phase_is_as_good_on_the_target(void **state) {
    (void)state;
    train("later", 1);
    assert_true(run_metric_count("later", "test_loss") == 2);
    const double adapted = run_metric("later", "test_loss", 0), later = run_metric("later", "test_loss", 1);
    if (!(fabs(later / adapted - 1) < 1e-6)) fail_msg("test loss %.9g, later %.9g", adapted, later);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(statistics_move_in_every_kind_of_step),
                                       cmocka_unit_test(a_later_phase_is_as_good_on_the_target)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
