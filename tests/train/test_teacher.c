/* A teacher begins as a copy of its student, wherever that has its values from, and outlives stages. Momentum
   is 1 here, so that it stays what it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "train/run.h"

enum { TENSOR_BYTES = 64 * 20 * sizeof(float) };

/* Of a phase, "RUN/PHASE". At most TENSOR_BYTES, zeros behind them; free it. */
static void *read_tensor(const char *phase, const char *name) {
    char path[SCRATCH_PATH_BYTES], found[ANN_CKPT_PATH_BYTES];
    void *values = calloc(1, TENSOR_BYTES);
    ann_ckpt *ckpt;
    assert_non_null(values);
    check_ok(ann_ckpt_resolve(found, scratch_path(path, "%s/%s", run_dir, phase)));
    check_ok(ann_ckpt_open(&ckpt, found));
    check_ok(ann_ckpt_read(ckpt, name, values));
    ann_ckpt_close(ckpt);
    return values;
}

static bool same(const char *phase, const char *name, const char *other_phase, const char *other) {
    void *a = read_tensor(phase, name), *b = read_tensor(other_phase, other);
    const bool equal = memcmp(a, b, TENSOR_BYTES) == 0;
    free(a);
    free(b);
    return equal;
}

static ann_status train(const char *name, const char *load) {
    char phases[2 * SCRATCH_PATH_BYTES];
    snprintf(phases, sizeof phases,
             "phases=[{name: pre, kind: pretrain, model: [encoder, decoder], loss: bce, batch: 40, "
             "program: [{steps: 3, lr: 0.01}]}, "
             "{name: self, kind: pretrain, model: [encoder], after: [pre], batch: 40, load: %s, "
             "augment: [crop: {padding: 1}], "
             "method: {moco: {projector: decoder, queue: 8, momentum: 1}}, "
             "program: [{steps: 2, lr: 0.01}, {steps: 2, lr: 0.01}]}]",
             load);
    return run_train(&(run_options){.name = name, .sets = {phases}});
}

static void a_loaded_student_has_its_copy_as_teacher(void **state) {
    (void)state;
    check_ok(train("loaded", "{from: pre, tensors: 'encoder/*'}"));
    assert_true(same("loaded/self", "teacher/encoder/fc1/weight", "loaded/pre", "encoder/fc1/weight"));
    assert_true(same("loaded/self", "teacher/encoder/bn/var", "loaded/pre", "encoder/bn/var"));
    assert_false(same("loaded/self", "encoder/fc1/weight", "loaded/pre", "encoder/fc1/weight"));
    assert_null(
        strstr(run_printed(), "teacher/encoder")); /* the folder of this test has a teacher in its name */
}

/* Nothing of it is missing or left over, and a teacher that is there is not this student's. */
static void loading_takes_no_teacher(void **state) {
    (void)state;
    char load[SCRATCH_PATH_BYTES + 128];
    check_ok(train("first", "{from: pre, tensors: 'encoder/*'}"));
    snprintf(load, sizeof load, "{file: %s/first/self, strict: true, tensors: '*encoder/*'}", run_dir);
    check_ok(train("second", load));
    assert_true(same("second/self", "teacher/encoder/fc1/weight", "first/self", "encoder/fc1/weight"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_loaded_student_has_its_copy_as_teacher),
                                       cmocka_unit_test(loading_takes_no_teacher)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
