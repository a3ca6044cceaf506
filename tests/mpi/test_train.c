// ranks: 1 2 3 4
// timeout: 300
/* Training does not depend on the number of ranks: the loss of each of 200 steps is that of the committed
   golden curve on every count, without and with dropout; and two runs on the same count end in the same bits.

   After a change that is meant to alter the numbers, ANNULUS_GOLDEN_OUT=1 and one rank write new golden
   files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "ckpt/ckpt.h"
#include "support/check.h"
#include "support/ckpt_same.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/train.h"

enum { STEPS = 200 };

/* 250 samples in batches of 24: batches straddle epochs, shards differ by one sample, and the last batch of
   the phase (4792 positions) is cut to 16. Convolution, batch norm over all ranks, dropout. */
static const char run_file[] = "name: tiny\n"
                               "output: %s/%s\n"
                               "data: { path: %s/tiny.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "comm: { bucket_bytes: 4096 }\n"
                               "models:\n"
                               "  net:\n"
                               "    - conv2d: { name: conv, channels: 6, kernel: 3, padding: 1 }\n"
                               "    - batch_norm: { name: bn }\n"
                               "    - activation: { kind: relu }\n"
                               "    - max_pool: { kernel: 2 }\n"
                               "    - flatten: {}\n"
                               "    - dense: { name: fc, units: 24, activation: tanh }\n"
                               "    - dropout: { name: drop, p: %g }\n"
                               "    - dense: { name: out, units: 4 }\n"
                               "phases:\n"
                               "  - name: only\n"
                               "    kind: supervised\n"
                               "    model: [net]\n"
                               "    loss: cross_entropy\n"
                               "    batch: 24\n"
                               "    optimizer: { kind: %s, clip_norm: 5 }\n"
                               "    program:\n"
                               "      - { %s: %d, lr: %g, schedule: { kind: cosine, warmup_steps: 20 } }\n";

static ann_status run(const char *name, double dropout, const char *optimizer, double lr, const char *unit,
                      int length, const char *set) {
    char text[2 * sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1};
    snprintf(text, sizeof text, run_file, dir, name, dir, dropout, optimizer, unit, length, lr);
    ANN_TRY(ann_run_config_parse(&config, "tiny.yaml", text, &set, set ? 1 : 0));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static bool run_ok(const char *name, double dropout, const char *optimizer, double lr, const char *unit,
                   int length, const char *set) {
    const ann_status status = run(name, dropout, optimizer, lr, unit, length, set);
    if (status != ANN_OK) fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

static void check_curve(const char *name, double dropout, const char *optimizer, double lr, const char *set) {
    double losses[STEPS];
    assert_all_ranks(run_ok(name, dropout, optimizer, lr, "steps", STEPS, set));
    const bool good = rank != 0 || (curve_read(losses, STEPS, dir, name, "loss") == STEPS &&
                                    curve_is_golden(name, losses, STEPS, 1e-4));
    assert_all_ranks(good);
}

static void same_curve_on_every_number_of_ranks(void **state) {
    (void)state;
    check_curve("train_plain", 0, "momentum", 0.02, NULL);
    check_curve("train_dropout", 0.3, "adam", 0.002, NULL);
}

#define ONE_RATE "phases[0].program[0].groups=[{match: 'net/conv/*,net/bn/*'}, {match: '*'}]"
#define RATES                                                                                                \
    "phases[0].program[0].groups=[{match: 'net/conv/*,net/bn/*', lr: 0.1}, {match: net/fc/*, lr: 0.5}, "     \
    "{match: '*'}]"

static void groups_too(void **state) {
    (void)state;
    double one[STEPS] = {0}, two[STEPS] = {0};
    check_curve("train_groups", 0.3, "adamw", 0.002, RATES);
    assert_all_ranks(run_ok("one_group", 0, "momentum", 0.02, "steps", STEPS, NULL));
    assert_all_ranks(run_ok("two_groups", 0, "momentum", 0.02, "steps", STEPS, ONE_RATE));
    bool same = rank != 0 || (curve_read(one, STEPS, dir, "one_group", "loss") == STEPS &&
                              curve_read(two, STEPS, dir, "two_groups", "loss") == STEPS);
    for (int i = 0; i < STEPS; i++) same = same && fabs(one[i] - two[i]) <= 1e-4 * one[i];
    assert_all_ranks(same);
}

/* Every tensor of the final checkpoint. */
static bool same_bits(const char *a_path, const char *b_path) {
    ann_ckpt *a = NULL, *b = NULL;
    const bool same =
        ann_ckpt_open(&a, a_path) == ANN_OK && ann_ckpt_open(&b, b_path) == ANN_OK && ckpt_same_bits(a, b);
    ann_ckpt_close(a);
    ann_ckpt_close(b);
    return same;
}

static void same_bits_on_the_same_number_of_ranks(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], first[SCRATCH_PATH_BYTES], second[SCRATCH_PATH_BYTES];
    assert_all_ranks(run_ok("once", 0.3, "adamw", 0.002, "epochs", 3, NULL));
    assert_all_ranks(run_ok("twice", 0.3, "adamw", 0.002, "epochs", 3, NULL));
    const ann_status a = ann_ckpt_latest(comm, scratch_path(sub, "%s/once/only", dir), first, sizeof first);
    const ann_status b =
        ann_ckpt_latest(comm, scratch_path(sub, "%s/twice/only", dir), second, sizeof second);
    assert_all_ranks(a == ANN_OK && b == ANN_OK);
    assert_all_ranks(same_bits(first, second));
}

/* Two steps of an epoch of 250 in batches of 248: the last batch has two samples, and so some ranks have none
   of it; with batch norm they still take part. Loss of both steps, then the test loss. */
static void empty_share_of_the_last_batch(void **state) {
    (void)state;
    double values[3];
    assert_all_ranks(run_ok("train_cut", 0, "sgd", 0.02, "epochs", 1, "phases[0].batch=248"));
    const bool good = rank != 0 || (curve_read(values, 2, dir, "train_cut", "loss") == 2 &&
                                    curve_read(values + 2, 1, dir, "train_cut", "test_loss") == 1 &&
                                    curve_is_golden("train_cut", values, 3, 1e-4));
    assert_all_ranks(good);
}

static void more_ranks_than_samples_in_a_batch(void **state) {
    (void)state;
    if (size == 1) {
        print_message("one rank cannot be too many\n");
        skip();
    }
    const ann_status status = run("few", 0, "sgd", 0.02, "steps", 2, "phases[0].batch=1");
    assert_all_ranks(status == ANN_ERR_CONFIG);
    assert_all_ranks(strstr(ann_error_text(), "batch: 1 samples for ") != NULL);
}

/* One sample makes the loss of the one rank that has it infinite: all ranks end with that rank's error, in
   the same step, and no checkpoint holds what came of it. */
static void one_rank_fails_and_all_say_why(void **state) {
    (void)state;
    static const char text[] =
        "name: huge\noutput: %s/huge\ndata: { path: %s/huge.h5 }\ncheckpoint: { every: 1 step, when_busy: "
        "wait }\n"
        "models: { net: [flatten: {}, dense: { name: out, units: 64 }] }\n"
        "phases:\n  - { name: only, kind: pretrain, model: [net], loss: mse, batch: 24, optimizer: { kind: "
        "sgd },\n"
        "      program: [{ epochs: 2, lr: 0.01 }] }\n";
    char yaml[sizeof text + 2 * SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1};
    ann_run_config *config;
    ann_ckpt *ckpt;
    char path[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES];
    snprintf(yaml, sizeof yaml, text, dir, dir);
    assert_all_ranks(ann_run_config_parse(&config, "huge.yaml", yaml, NULL, 0) == ANN_OK);
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    const char *at = strstr(ann_error_text(), "phase only, step ");
    const int64_t step = at ? strtoll(at + strlen("phase only, step "), NULL, 10) : 0;
    if (status != ANN_ERR_NUMERIC || !at)
        fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    assert_all_ranks(status == ANN_ERR_NUMERIC && step >= 1 && step <= 11);
    assert_all_ranks(ann_ckpt_latest(comm, scratch_path(sub, "%s/huge/only", dir), path, sizeof path) ==
                     ANN_OK);
    assert_all_ranks((path[0] != '\0') == (step > 1));
    if (step > 1) {
        assert_all_ranks(ann_ckpt_open(&ckpt, path) == ANN_OK);
        const int64_t saved = ann_ckpt_step(ckpt);
        ann_ckpt_close(ckpt);
        assert_all_ranks(saved == step - 1);
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_curve_on_every_number_of_ranks),
        cmocka_unit_test(groups_too),
        cmocka_unit_test(same_bits_on_the_same_number_of_ranks),
        cmocka_unit_test(empty_share_of_the_last_batch),
        cmocka_unit_test(more_ranks_than_samples_in_a_batch),
        cmocka_unit_test(one_rank_fails_and_all_say_why),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
