// ranks: 1 2 4
// timeout: 300
/* Every method, right when distributed: the losses of its steps are the same numbers on every number of ranks
   (those of a committed curve, to 1e-5), and a run that is stopped in the middle and resumed ends in the same
   bits.

   After a change that is meant to alter the numbers, ANNULUS_GOLDEN_OUT=1 and one rank write new golden
   files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "method_cases.h"
#include "method/method.h"
#include "support/check.h"
#include "support/ckpt_same.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/scratch.h"
#include "support/stage.h"
#include "train/train.h"

enum { STEPS = 6, CASES = sizeof method_cases / sizeof method_cases[0] };

/* Batches of 30: on 4 ranks shards differ by one sample. */
static const char run_file[] =
    "name: methods\n"
    "output: %s/%s\n"
    "data: { sources: [%s/tiny.h5, %s/dark.h5] }\n"
    "log: { every_steps: 1 }\n"
    "comm: { bucket_bytes: 4096 }\n"
    "checkpoint: { every: 3 steps, when_busy: wait }\n"
    "models:\n"
    "  encoder:\n"
    "    - conv2d: { name: conv, channels: 4, kernel: 3, padding: 1 }\n"
    "    - batch_norm: { name: bn }\n"
    "    - activation: { kind: tanh }\n"
    "    - max_pool: { kernel: 2 }\n"
    "    - flatten: {}\n"
    "    - dense: { name: fc, units: 12, activation: tanh }\n"
    "  head: [dense: { name: out, units: 4 }]\n"
    "  discriminator:\n"
    "    - dense: { name: fc, units: 8, activation: tanh }\n"
    "    - dense: { name: out, units: 1 }\n"
    "  second: [dense: { name: out, units: 4 }]\n"
    "  tutor: [flatten: {}, dense: { name: out, units: 4 }]\n"
    "  joint: [dense: { name: out, units: 1 }]\n"
    "  units: [flatten: {}, dense: { name: fc, units: 12, activation: sigmoid }]\n"
    "  decoder: [dense: { name: out, units: 64 }]\n"
    "  images:\n"
    "    - unflatten: { size: 2 }\n"
    "    - conv_transpose2d: { name: up, channels: 5, kernel: 3, stride: 2, padding: 1,\n"
    "                          output_padding: 1, activation: tanh }\n"
    "    - upsample: { factor: 2 }\n"
    "    - conv_transpose2d: { name: out, channels: 1, kernel: 3, padding: 1 }\n"
    "  upper: [dense: { name: fc, units: 5, activation: sigmoid }]\n"
    "  lower: [dense: { name: out, units: 12 }]\n"
    "  narrow: [dropout: { name: drop, p: 0.2 }, dense: { name: fc, units: 6 }]\n"
    "  projector:\n"
    "    - dense: { name: fc, units: 8 }\n"
    "    - batch_norm: { name: bn }\n"
    "    - dense: { name: out, units: 5 }\n"
    "  predictor: [dense: { name: fc, units: 5 }]\n"
    "phases:\n"
    "  - { name: only, kind: %s, model: [%s], %s batch: 30,\n"
    "      method: { %s }, %s sampling: { balance: source },\n"
    "      optimizer: { kind: momentum }, program: [%s] }\n";

static ann_status run(const struct method_case *c, bool resume) {
    char text[sizeof run_file + 5 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .resume = resume};
    snprintf(text, sizeof text, run_file, dir, c->name, dir, dir,
             strstr(c->loss, "cross_entropy") ? "supervised" : "pretrain", c->model, c->loss, c->method,
             c->extra, c->program ? c->program : "{ steps: 6, lr: 0.02 }");
    ANN_TRY(ann_run_config_parse(&config, c->name, text, NULL, 0));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static bool runs(const struct method_case *c, bool resume) {
    const ann_status status = run(c, resume);
    if (status != ANN_OK) fprintf(stderr, "%s: %s: %s\n", c->name, ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

/* On rank 0: moves the final checkpoint away, so that a resume starts from the one in the middle. */
static bool set_final_apart(const char *name) {
    char from[SCRATCH_PATH_BYTES], to[SCRATCH_PATH_BYTES], file[SCRATCH_PATH_BYTES];
    (void)remove(scratch_path(file, "%s/%s/only/latest.h5", dir, name));
    scratch_path(from, "%s/%s/only/step-%010d", dir, name, STEPS);
    return rename(from, scratch_path(to, "%s/%s-final", dir, name)) == 0;
}

static bool same_as_apart(const char *name) {
    char before[SCRATCH_PATH_BYTES], after[SCRATCH_PATH_BYTES];
    ann_ckpt *a = NULL, *b = NULL;
    scratch_path(before, "%s/%s-final", dir, name);
    scratch_path(after, "%s/%s/only/step-%010d", dir, name, STEPS);
    const bool same =
        ann_ckpt_open(&a, before) == ANN_OK && ann_ckpt_open(&b, after) == ANN_OK && ckpt_same_bits(a, b);
    ann_ckpt_close(a);
    ann_ckpt_close(b);
    return same;
}

/* What is in the metrics from the choice at the end on (phases[].choice), on rank 0; "" without one. */
static void read_choice(char *text, size_t bytes, const char *name) {
    char path[SCRATCH_PATH_BYTES];
    if (rank != 0) return;
    char *all = scratch_read_all(scratch_path(path, "%s/%s/only/metrics.jsonl", dir, name));
    const char *chosen = strstr(all, "\"event\":\"chosen\"");
    snprintf(text, bytes, "%s", chosen ? chosen : "");
    free(all);
}

static void same_losses_on_every_number_of_ranks(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        const struct method_case *c = &method_cases[i];
        char golden[64];
        double losses[STEPS];
        snprintf(golden, sizeof golden, "method_%s", c->name);
        assert_all_ranks(runs(c, false));
        assert_all_ranks(rank != 0 || (curve_read(losses, STEPS, dir, c->name, "loss") == STEPS &&
                                       curve_is_golden(golden, losses, STEPS, 1e-5)));
    }
}

/* From the checkpoint in the middle, the other half is done again. */
static void a_resume_in_the_middle_changes_nothing(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        const struct method_case *c = &method_cases[i];
        char chosen[512] = "", again[512] = "";
        read_choice(chosen, sizeof chosen, c->name);
        assert_all_ranks(rank != 0 || set_final_apart(c->name));
        assert_all_ranks(runs(c, true));
        read_choice(again, sizeof again, c->name);
        assert_all_ranks(rank != 0 || (same_as_apart(c->name) && strcmp(chosen, again) == 0));
    }
}

/* A method without a case here would go untested. */
static void every_method_has_a_case(void **state) {
    (void)state;
    for (int k = 1; k < ANN_METHOD_COUNT; k++) {
        const char *name = ann_method_info_of((ann_method_kind)k)->name;
        const size_t length = strlen(name);
        bool found = false;
        for (int i = 0; i < CASES; i++)
            found = found || (strncmp(method_cases[i].method, name, length) == 0 &&
                              method_cases[i].method[length] == ':');
        if (!found) fail_msg("no case for the method %s", name);
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_has_a_case),
        cmocka_unit_test(same_losses_on_every_number_of_ranks),
        cmocka_unit_test(a_resume_in_the_middle_changes_nothing),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
