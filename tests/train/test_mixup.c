/* Loss and accuracy of training with mixup against a direct computation: a linear model that does not move
   (its learning rate is 0), the samples as `annulus data sample --run` shows them, partners and shares by
   ann_mixup_partner. */
#include "train/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "support/tiny_data.h"

enum { PIXELS = TINY_SIDE * TINY_SIDE, BATCH = 24, STEPS = 5, USED = BATCH * STEPS, SEED = 3 };

static const char run_file[] =
    "name: tiny\n"
    "seed: 3\n"
    "output: %s/mixup\n"
    "data: { path: %s/tiny.h5 }\n"
    "log: { every_steps: 1 }\n"
    "models: { net: [flatten: {}, dense: { name: out, units: 4 }] }\n"
    "phases:\n"
    "  - { name: mixed, kind: supervised, model: [net], loss: cross_entropy, batch: 24,\n"
    "      augment: [flip: {}, mixup: { alpha: 1, p: 0.8 }],\n"
    "      optimizer: { kind: sgd }, program: [{ steps: 5, lr: 0 }] }\n";

typedef struct stream {
    uint8_t x[USED][PIXELS];
    int32_t y[USED];
} stream;

static ann_status keep(void *to, const ann_train_samples *s) {
    stream *out = to;
    assert_int_equal(s->count, USED);
    memcpy(out->x, s->x, sizeof out->x);
    for (int i = 0; i < USED; i++) out->y[i] = ann_dataset_label(s->train, s->samples[i]);
    return ANN_OK;
}

typedef struct linear {
    float w[PIXELS][TINY_CLASSES], b[TINY_CLASSES];
} linear;

static void read_model(linear *out, const char *folder) {
    char path[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES];
    ann_comm *comm;
    ann_ckpt *ckpt;
    check_ok(ann_comm_self(&comm));
    check_ok(ann_ckpt_latest(comm, scratch_path(sub, "%s/%s", run_dir, folder), path, sizeof path));
    ann_comm_free(comm);
    check_ok(ann_ckpt_open(&ckpt, path));
    check_ok(ann_ckpt_read(ckpt, "net/out/weight", out->w));
    check_ok(ann_ckpt_read(ckpt, "net/out/bias", out->b));
    ann_ckpt_close(ckpt);
}

/* Cross entropy for each class, and the class of the largest logit. */
static int classify(double loss[TINY_CLASSES], const linear *m, const uint8_t *x) {
    double logit[TINY_CLASSES], sum = 0;
    int best = 0;
    for (int c = 0; c < TINY_CLASSES; c++) {
        logit[c] = (double)m->b[c];
        for (int i = 0; i < PIXELS; i++) logit[c] += (double)m->w[i][c] * x[i] / 255;
        sum += exp(logit[c]);
        if (logit[c] > logit[best]) best = c;
    }
    for (int c = 0; c < TINY_CLASSES; c++) loss[c] = log(sum) - logit[c];
    return best;
}

/* f32 logits of a sum of 64 terms, a mean over 24 samples, seven digits in the file. */
static void loss_and_accuracy(void **state) {
    (void)state;
    static stream s;
    static linear model;
    char text[sizeof run_file + 2 * SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1};
    const ann_augment_op op = {.kind = ANN_AUGMENT_MIXUP, .p = 0.8, .alpha = 1};
    const ann_augment_options mixup = {.seed = ann_hash("mixed", strlen("mixed"), SEED),
                                       .dtype = ANN_U8,
                                       .shape = ANN_SHAPE(TINY_SIDE, TINY_SIDE, 1),
                                       .ops = &op,
                                       .op_count = 1};
    ann_augment *augment;
    ann_run_config *config;
    ann_comm *comm;
    snprintf(text, sizeof text, run_file, run_dir, run_dir);
    check_ok(ann_run_config_parse(&config, "tiny.yaml", text, NULL, 0));
    check_ok(ann_comm_self(&comm));
    check_ok(ann_train(comm, config, &options));
    check_ok(ann_train_preview(config, "mixed", 0, USED, keep, &s));
    ann_comm_free(comm);
    ann_run_config_free(config);
    read_model(&model, "mixup/mixed");
    check_ok(ann_augment_new(&augment, &mixup));
    int mixed = 0;
    for (int step = 0; step < STEPS; step++) {
        double loss = 0, correct = 0;
        for (int i = step * BATCH; i < (step + 1) * BATCH; i++) {
            double each[TINY_CLASSES];
            float lambda;
            const int64_t partner = ann_mixup_partner(augment, &lambda, step * BATCH, BATCH, 1, i);
            const double share = (double)lambda;
            const int best = classify(each, &model, s.x[i]);
            loss += share * each[s.y[i]] + (1 - share) * each[s.y[partner]];
            correct += share * (best == s.y[i]) + (1 - share) * (best == s.y[partner]);
            mixed += s.y[i] != s.y[partner] && lambda < 1;
        }
        assert_true(fabs(run_metric("mixup", "loss", step) - loss / BATCH) < 1e-5);
        assert_true(fabs(run_metric("mixup", "accuracy", step) - correct / BATCH) < 1e-5);
    }
    assert_true(mixed > USED / 4);
    ann_augment_free(augment);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(loss_and_accuracy)};
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
