/* A phase that goes layer by layer, and one that fine-tunes what it leaves: stacked autoencoders, a deep
   belief network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "train/run.h"

enum { UNITS = 12 };

/* Phase "pre" with two blocks, of which the first one also has the layer `more`, trained at these rates. In
   both stages the last batch of the epoch is a smaller one. */
static ann_status run_layers(const char *name, const char *method, const char *more, double lr1, double lr2) {
    static char models[512], keys[128], program[128];
    snprintf(models, sizeof models,
             "models={e1: [flatten: {}, dense: {name: fc, units: 12, activation: sigmoid}%s], "
             "e2: [dense: {name: fc, units: 8, activation: sigmoid}], "
             "d1: [dense: {name: out, units: 64}], d2: [dense: {name: out, units: 12}], "
             "head: [dense: {name: out, units: 4}]}",
             more);
    snprintf(keys, sizeof keys, "phases.pre.method={layerwise: {%s}}", method);
    snprintf(program, sizeof program,
             "phases.pre.program=[{name: one, epochs: 1, lr: %g}, {name: two, epochs: 1, lr: %g}]", lr1, lr2);
    const run_options options = {.name = name,
                                 .sets = {models, keys, program, "phases.pre.model=[e1, e2]",
                                          "phases.pre.noise.mask=0", "phases.fine.model=[e1, e2, head]",
                                          "phases.fine.load.tensors='e1/*,e2/*'",
                                          "phases.fine.program[1].epochs=1"}};
    return run_train(&options);
}

/* The tensor as it is in a phase's last checkpoint; free it. */
static float *left(const char *run, const char *phase, const char *name) {
    char folder[SCRATCH_PATH_BYTES], path[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt;
    float *out = calloc(64 * UNITS, sizeof *out);
    assert_non_null(out);
    check_ok(ann_ckpt_resolve(path, scratch_path(folder, "%s/%s/%s", run_dir, run, phase)));
    check_ok(ann_ckpt_peek(&ckpt, path));
    check_ok(ann_ckpt_read(ckpt, name, out));
    ann_ckpt_close(ckpt);
    return out;
}

/* In all bits. */
static bool same(const char *a, const char *b, const char *name) {
    float *x = left(a, "pre", name), *y = left(b, "pre", name);
    const void *x_bits = x, *y_bits = y;
    const bool equal = memcmp(x_bits, y_bits, 64 * UNITS * sizeof *x) == 0;
    free(x);
    free(y);
    return equal;
}

/* The second stage leaves what the first one has trained, and trains its own. */
static void stages_train_their_blocks(void **state) {
    (void)state;
    check_ok(run_layers("still", "decoders: [d1, d2]", "", 0.1, 0));
    check_ok(run_layers("moved", "decoders: [d1, d2]", "", 0.1, 0.1));
    assert_true(same("still", "moved", "e1/fc/weight"));
    assert_true(same("still", "moved", "d1/out/weight"));
    assert_false(same("still", "moved", "e2/fc/weight"));
    assert_false(same("still", "moved", "d2/out/weight"));
    assert_non_null(strstr(run_printed(), "pre/one  test loss "));
    assert_non_null(strstr(run_printed(), "pre/two  test loss "));
    assert_non_null(strstr(run_printed(), "fine: loaded 4 tensors from pre (e1/*,e2/*), initialised 2: "));
}

/* Each stage is tested by the error of its own layer: the first by that of the images, which the second one
   does not change. */
static void stages_are_tested_by_themselves(void **state) {
    (void)state;
    const double one = run_metric("moved", "test_loss", 0), two = run_metric("moved", "test_loss", 1);
    assert_true(one == run_metric("still", "test_loss", 0));
    assert_true(two > 0 && two < run_metric("still", "test_loss", 1));
}

static void blocks_below_work_as_in_evaluation(void **state) {
    (void)state;
    check_ok(run_layers("plain", "decoders: [d1, d2]", "", 0, 0.1));
    check_ok(run_layers("dropped", "decoders: [d1, d2]", ", dropout: {name: drop, p: 0.5}", 0, 0.1));
    assert_true(same("plain", "dropped", "e2/fc/weight"));
}

static void machines(void **state) {
    (void)state;
    check_ok(run_layers("belief", "layer: rbm, persistent: true", "", 0.1, 0.1));
    assert_non_null(strstr(run_printed(), "fine: loaded 4 tensors from pre (e1/*,e2/*), initialised 2: "));
    float *bias = left("belief", "pre", "e1/visible/bias"), *chain = left("belief", "pre", "e2/chain");
    double sum = 0;
    for (int i = 0; i < 40 * UNITS; i++) {
        assert_true(chain[i] == 0 || chain[i] == 1);
        sum += (double)chain[i];
    }
    assert_true(sum > 0 && bias[0] != 0);
    free(bias);
    free(chain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_train_their_blocks),
        cmocka_unit_test(stages_are_tested_by_themselves),
        cmocka_unit_test(blocks_below_work_as_in_evaluation),
        cmocka_unit_test(machines),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
