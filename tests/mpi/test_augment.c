// ranks: 1 2 3 4
// timeout: 300
/* Training on augmented and mixed samples does not depend on the number of ranks, nor on a stop in mid-epoch:
   the loss of each step is that of the committed golden curve.

   After a change that is meant to alter the numbers, ANNULUS_GOLDEN_OUT=1 and one rank write new golden
   files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "support/tiny_data.h"
#include "train/train.h"

enum { STEPS = 60 };

static int setup(void **state) {
    char path[SCRATCH_PATH_BYTES];
    if (stage_of_all_ranks(state) != 0) return -1;
    if (rank == 0) tiny_data_write(scratch_path(path, "%s/tiny.h5", dir));
    return ann_comm_barrier(comm) == ANN_OK ? 0 : -1;
}

/* Batches of 24 out of 250 straddle epochs. */
static const char run_file[] = "name: tiny\n"
                               "output: %s/%s\n"
                               "data: { path: %s/tiny.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "models:\n"
                               "  net: [flatten: {}, dense: { name: out, units: 4 }]\n"
                               "phases:\n"
                               "  - name: only\n"
                               "    kind: supervised\n"
                               "    model: [net]\n"
                               "    loss: cross_entropy\n"
                               "    batch: 24\n"
                               "    sampling: { remainder: %s }\n"
                               "    augment: [%s]\n"
                               "    optimizer: { kind: momentum }\n"
                               "    program: [{ steps: 60, lr: 0.1 }]\n";

static const char mixed[] =
    "flip: { horizontal: 0.5 }, crop: { padding: 1, border: reflect }, rotate: { degrees: 10 }, "
    "brightness: { strength: 0.3 }, gaussian: { sigma: 0.1, p: 0.5 }, erase: {}, blur: {}, "
    "mixup: { alpha: 0.4 }";

static int polls;
static bool stop_once(void) { return ++polls == 4; } /* of one every eight steps */
static bool never(void) { return false; }

/* With remainder cut the batch is 248, and the second one of each epoch has two samples: some ranks have none
   of it. */
static ann_status run_with(const char *remainder, const char *name, const char *augment, bool resume,
                           bool (*stop)(void)) {
    const char *const sets[] = {strcmp(remainder, "cut") == 0 ? "phases[0].batch=248" : "phases[0].batch=24"};
    char text[sizeof run_file + sizeof mixed + 3 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .resume = resume, .stop_requested = stop};
    snprintf(text, sizeof text, run_file, dir, name, dir, remainder, augment);
    ANN_TRY(ann_run_config_parse(&config, "tiny.yaml", text, sets, 1));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static ann_status run(const char *name, const char *augment, bool resume, bool (*stop)(void)) {
    return run_with("carry", name, augment, resume, stop);
}

/* The losses against tests/golden/GOLDEN.txt. */
static bool is_golden(const char *golden, const char *name) {
    double values[STEPS];
    return curve_read(values, STEPS, dir, name, "loss") == STEPS &&
           curve_is_golden(golden, values, STEPS, 1e-4);
}

static void same_losses_on_every_number_of_ranks(void **state) {
    (void)state;
    const ann_status status = run("whole", mixed, false, never);
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    assert_all_ranks(status == ANN_OK);
    assert_all_ranks(rank != 0 || is_golden("train_augment", "whole"));
}

static void same_losses_after_a_stop(void **state) {
    (void)state;
    assert_all_ranks(run("stopped", mixed, false, stop_once) == ANN_ERR_STOP);
    double values[STEPS];
    const int before = rank == 0 ? curve_read(values, STEPS, dir, "stopped", "loss") : 32;
    assert_all_ranks(before == 32); /* 768 samples: in the fourth epoch */
    assert_all_ranks(run("stopped", mixed, true, never) == ANN_OK);
    assert_all_ranks(rank != 0 || is_golden("train_augment", "stopped"));
}

static void same_losses_where_ranks_have_nothing(void **state) {
    (void)state;
    const ann_status status = run_with("cut", "cut", mixed, false, never);
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    assert_all_ranks(status == ANN_OK);
    assert_all_ranks(rank != 0 || is_golden("train_augment_cut", "cut"));
}

/* Without an op the losses are others. */
static void augmentation_matters(void **state) {
    (void)state;
    double with[STEPS], without[STEPS];
    assert_all_ranks(run("with", mixed, false, never) == ANN_OK &&
                     run("without", "", false, never) == ANN_OK);
    int same = 0;
    if (rank == 0) {
        curve_read(with, STEPS, dir, "with", "loss");
        curve_read(without, STEPS, dir, "without", "loss");
        for (int i = 0; i < STEPS; i++) same += fabs(with[i] - without[i]) < 1e-6;
    }
    assert_all_ranks(same == 0);
}

static void another_augmentation_is_no_resume(void **state) {
    (void)state;
    polls = 0;
    assert_all_ranks(run("changed", mixed, false, stop_once) == ANN_ERR_STOP);
    const ann_status status = run("changed", "flip: { horizontal: 0.5 }", true, never);
    assert_all_ranks(status == ANN_ERR_CONFIG && strstr(ann_error_text(), "phases.only.augment") != NULL);
}

static void ops_that_do_not_fit_the_data(void **state) {
    (void)state;
    const ann_status colour = run("grey", "flip: {}, grayscale: {}", false, never);
    assert_all_ranks(colour == ANN_ERR_CONFIG &&
                     strstr(ann_error_text(),
                            "tiny.yaml:14:25: phases[0].augment[1].grayscale: needs images of 3 "
                            "channels, and x is [8,8,1]") != NULL);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_losses_on_every_number_of_ranks),
        cmocka_unit_test(same_losses_after_a_stop),
        cmocka_unit_test(same_losses_where_ranks_have_nothing),
        cmocka_unit_test(augmentation_matters),
        cmocka_unit_test(another_augmentation_is_no_resume),
        cmocka_unit_test(ops_that_do_not_fit_the_data),
    };
    const int failed = cmocka_run_group_tests(tests, setup, stage_end);
    MPI_Finalize();
    return failed;
}
