// ranks: 1 2 3 4
/* Persistent chains are those of the global batch: where the last batch of an epoch has a single sample, and
   so most ranks have none of it, its chain moves and the others wait for the next epoch. The losses are those
   of a committed curve on every number of ranks.

   After a change that is meant to alter the numbers, ANNULUS_GOLDEN_OUT=1 and one rank write a new golden
   file. */
#include <stdio.h>
#include <mpi.h>
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/train.h"

enum { STEPS = 12 };
/* Free energies of some 20, of which float32 rounds 2^-24, cancel to losses of down to 0.05: 2^-24 20 / 0.05,
   and twice as much again after 12 updates. Another draw of one unit changes a loss by more than 1e-3. */
static const double tolerance = 1e-4;

/* 250 samples in batches of 83. */
static const char run_file[] =
    "name: chains\n"
    "output: %s/chains\n"
    "data: { path: %s/tiny.h5 }\n"
    "log: { every_steps: 1 }\n"
    "models:\n"
    "  first: [flatten: {}, dense: { name: fc, units: 12, activation: sigmoid }]\n"
    "  second: [dense: { name: fc, units: 5, activation: sigmoid }]\n"
    "phases:\n"
    "  - { name: only, kind: pretrain, model: [first, second], loss: mse, batch: 83,\n"
    "      method: { layerwise: { layer: rbm, persistent: true } }, sampling: { remainder: cut },\n"
    "      program: [{ epochs: 2, lr: 0.02 }, { epochs: 1, lr: 0.02 }] }\n";

static ann_status run(void) {
    char text[sizeof run_file + 2 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1};
    snprintf(text, sizeof text, run_file, dir, dir);
    ANN_TRY(ann_run_config_parse(&config, "chains.yaml", text, NULL, 0));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static void same_losses_with_a_last_batch_of_one(void **state) {
    (void)state;
    double losses[STEPS];
    const ann_status status = run();
    if (status != ANN_OK) fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    assert_all_ranks(status == ANN_OK);
    assert_all_ranks(rank != 0 || (curve_read(losses, STEPS, dir, "chains", "loss") == STEPS &&
                                   curve_is_golden("layerwise_chains", losses, STEPS, tolerance)));
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_losses_with_a_last_batch_of_one)};
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
