// ranks: 1 2 3 4
// timeout: 300
/* Ways of synchronising that must come to the same, on every number of ranks: micro-batches and whole
   batches; ranks that meet after every step and ranks whose gradients are summed; DiLoCo after every step of
   plain SGD and Nesterov's momentum. And what must not: ranks that meet less often. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <mpi.h>
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/train.h"

enum { STEPS = 60, BATCH = 48 };

static const char run_file[] = "name: tiny\n"
                               "output: %s/%s\n"
                               "data: { path: %s/tiny.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "comm: { bucket_bytes: 2048 }\n"
                               "models:\n"
                               "  net:\n"
                               "    - conv2d: { name: conv, channels: 6, kernel: 3, activation: relu }\n"
                               "    - max_pool: { kernel: 2 }\n"
                               "    - flatten: {}\n"
                               "    - dense: { name: fc, units: 24, activation: tanh }\n"
                               "    - dropout: { name: drop, p: 0.2 }\n"
                               "    - dense: { name: out, units: 4 }\n"
                               "phases:\n"
                               "  - name: only\n"
                               "    kind: supervised\n"
                               "    model: [net]\n"
                               "    loss: cross_entropy\n"
                               "    batch: %d\n"
                               "    sampling: { remainder: drop }\n"
                               "    %s\n"
                               "    program: [{ steps: %d, lr: %g }]\n";

/* Of parameters, as after --set; NULL: all are one group. */
static const char *groups;
#define RATES                                                                                                \
    "phases[0].program[0].groups=[{match: net/conv/*, lr: 0.5}, {match: net/fc/*, lr: 2}, {match: '*'}]"
#define ONE_RATE "phases[0].program[0].groups=[{match: net/conv/*}, {match: '*'}]"

static bool train(double losses[STEPS], const char *name, const char *mode, double lr) {
    char text[2 * sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1};
    snprintf(text, sizeof text, run_file, dir, name, dir, BATCH, mode, STEPS, lr);
    ann_status status = ann_run_config_parse(&config, name, text, &groups, groups ? 1 : 0);
    if (status == ANN_OK) status = ann_train(comm, config, &options);
    if (status != ANN_OK) fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    ann_run_config_free(config);
    return status == ANN_OK && (rank != 0 || curve_read(losses, STEPS, dir, name, "loss") == STEPS);
}

/* The largest relative difference; 0 where nothing was read (ranks other than 0). */
static double distance(const double *a, const double *b) {
    double worst = 0;
    for (int i = 0; rank == 0 && i < STEPS; i++) {
        const double d = fabs(a[i] - b[i]) / fabs(a[i]);
        if (d > worst) worst = d;
    }
    return worst;
}

static void assert_same_curve(const char *one, const char *other, double lr) {
    double a[STEPS] = {0}, b[STEPS] = {0};
    assert_all_ranks(train(a, "one", one, lr));
    assert_all_ranks(train(b, "other", other, lr));
    const double d = distance(a, b);
    if (d > 1e-4) fprintf(stderr, "%s and %s: %g\n", one, other, d);
    assert_all_ranks(d <= 1e-4);
    assert_all_ranks(rank != 0 || a[STEPS - 1] < 0.9 * a[0]); /* something was learnt */
}

static void micro_batches_make_the_whole_batch(void **state) {
    (void)state;
    assert_same_curve("optimizer: { kind: adam, clip_norm: 2 }",
                      "optimizer: { kind: adam, clip_norm: 2 }\n    accumulate: 4", 0.003);
}

static void meeting_after_each_step_is_summing(void **state) {
    (void)state;
    assert_same_curve("optimizer: { kind: sgd }", "optimizer: { kind: sgd }\n    sync: { every: 1 }", 0.1);
}

static void micro_batches_of_ranks_apart(void **state) {
    (void)state;
    assert_same_curve("optimizer: { kind: momentum }\n    sync: { every: 5 }",
                      "optimizer: { kind: momentum }\n    accumulate: 4\n    sync: { every: 5 }", 0.02);
}

static void diloco_of_single_steps_is_nesterov(void **state) {
    (void)state;
    assert_same_curve("optimizer: { kind: nesterov, momentum: 0.8 }",
                      "optimizer: { kind: sgd }\n    sync: { every: 1, outer_momentum: 0.8 }", 0.02);
}

static void with_groups_too(void **state) {
    groups = RATES;
    micro_batches_make_the_whole_batch(state);
    meeting_after_each_step_is_summing(state);
    micro_batches_of_ranks_apart(state);
    diloco_of_single_steps_is_nesterov(state);
    groups = NULL;
}

/* The same elements are summed and moved alike: only how a message is cut into chunks may differ. */
static void groups_of_one_rate_are_one(void **state) {
    (void)state;
    static const char mode[] =
        "optimizer: { kind: momentum }\n    sync: { every: 5, outer_lr: 0.7, outer_momentum: 0.9 }";
    double one[STEPS] = {0}, two[STEPS] = {0}, rates[STEPS] = {0};
    assert_all_ranks(train(one, "one_group", mode, 0.02));
    groups = ONE_RATE;
    assert_all_ranks(train(two, "two_groups", mode, 0.02));
    groups = RATES;
    assert_all_ranks(train(rates, "two_rates", mode, 0.02));
    groups = NULL;
    assert_all_ranks(distance(one, two) <= 1e-4);
    assert_all_ranks(rank != 0 || distance(one, rates) > 1e-3);
}

static void meeting_seldom_is_something_else(void **state) {
    (void)state;
    double a[STEPS] = {0}, b[STEPS] = {0};
    assert_all_ranks(train(a, "each", "optimizer: { kind: sgd }\n    sync: { every: 1 }", 0.1));
    assert_all_ranks(train(b, "seldom", "optimizer: { kind: sgd }\n    sync: { every: 10 }", 0.1));
    const double d = distance(a, b);
    assert_all_ranks(rank != 0 || (size == 1 ? d < 1e-5 : d > 1e-3));
}

/* One sample makes the loss of the one rank that has it infinite: all ranks end with that rank's error, in
   the same step or, where they train apart, at the next meeting. */
static void assert_all_say_why(const char *name, const char *mode) {
    static const char text[] =
        "name: huge\noutput: %s/%s\ndata: { path: %s/huge.h5 }\n"
        "models: { net: [flatten: {}, dense: { name: out, units: 64 }] }\n"
        "phases:\n  - { name: only, kind: pretrain, model: [net], loss: mse, batch: 24, optimizer: { kind: "
        "sgd },\n"
        "      sampling: { remainder: drop }, %s, program: [{ epochs: 2, lr: 0.01 }] }\n";
    char yaml[2 * sizeof text + 2 * SCRATCH_PATH_BYTES];
    const ann_train_options options = {.threads = 1};
    ann_run_config *config;
    snprintf(yaml, sizeof yaml, text, dir, name, dir, mode);
    assert_all_ranks(ann_run_config_parse(&config, "huge.yaml", yaml, NULL, 0) == ANN_OK);
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    const bool good = status == ANN_ERR_NUMERIC && strstr(ann_error_text(), "the loss is ");
    if (!good) fprintf(stderr, "%s: %s: %s\n", mode, ann_status_name(status), ann_error_text());
    assert_all_ranks(good);
}

static void one_rank_fails_and_all_say_why(void **state) {
    (void)state;
    assert_all_say_why("micro", "accumulate: 2");
    assert_all_say_why("apart", "sync: { every: 7 }");
    assert_all_say_why("both", "accumulate: 2, sync: { every: 2, outer_lr: 0.7, outer_momentum: 0.9 }");
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_batches_make_the_whole_batch),
        cmocka_unit_test(meeting_after_each_step_is_summing),
        cmocka_unit_test(micro_batches_of_ranks_apart),
        cmocka_unit_test(diloco_of_single_steps_is_nesterov),
        cmocka_unit_test(with_groups_too),
        cmocka_unit_test(groups_of_one_rate_are_one),
        cmocka_unit_test(meeting_seldom_is_something_else),
        cmocka_unit_test(one_rank_fails_and_all_say_why),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
