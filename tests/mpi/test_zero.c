// ranks: 1 2 3 4
// timeout: 300
/* ZeRO stage 1 trains as training without it does: the same bits where sums are formed in the same order, and
   within rounding where the norm of the gradient is summed by chunks. Checkpoints are whole: they are resumed
   without it and on one rank. A rank that fails leaves everything as it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "ckpt/ckpt.h"
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/train.h"

/* Buckets of 1 KiB: one for each tensor but the smallest, of which chunks are empty on some ranks. */
static const char run_file[] = "name: tiny\n"
                               "output: %s/%s\n"
                               "data: { path: %s/%s.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "checkpoint: { every: %s, keep: 0, when_busy: wait }\n"
                               "comm: { bucket_bytes: 1024, zero: %s, check_every: 3 }\n"
                               "models:\n"
                               "  net:\n"
                               "    - flatten: {}\n"
                               "    - dense: { name: a, units: 24, activation: tanh }\n"
                               "    - batch_norm: { name: bn }\n"
                               "    - dropout: { name: drop, p: 0.2 }\n"
                               "    - dense: { name: b, units: 7, activation: relu }\n"
                               "    - dense: { name: out, units: %d }\n"
                               "phases:\n"
                               "  - name: only\n"
                               "    kind: %s\n"
                               "    model: [net]\n"
                               "    loss: %s\n"
                               "    batch: 24\n"
                               "    optimizer: { kind: %s }\n"
                               "    program: [{ epochs: 2, lr: 0.005 }]\n";

typedef struct job {
    const char *name, *data, *every, *zero, *optimizer;
} job;

/* Of parameters, as after --set; NULL: all are one group. */
static const char *groups;
#define TWO_GROUPS "phases[0].program[0].groups=[{match: net/a/*, lr: 0.5}, {match: '*', lr: 2}]"

static ann_status run_on(ann_comm *on, job j, bool (*stop)(void)) {
    char text[2 * sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    const bool huge = strcmp(j.data, "huge") == 0;
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .stop_requested = stop};
    snprintf(text, sizeof text, run_file, dir, j.name, dir, j.data, j.every, j.zero, huge ? 64 : 4,
             huge ? "pretrain" : "supervised", huge ? "mse" : "cross_entropy", j.optimizer);
    ANN_TRY(ann_run_config_parse(&config, "tiny.yaml", text, &groups, groups ? 1 : 0));
    const ann_status status = ann_train(on, config, &options);
    ann_run_config_free(config);
    return status;
}

static bool run_ok(job j) {
    const ann_status status = run_on(comm, j, NULL);
    if (status != ANN_OK) fprintf(stderr, "%s: %s\n", ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

static const char *latest(const char *name, char path[SCRATCH_PATH_BYTES]) {
    char sub[SCRATCH_PATH_BYTES];
    if (ann_ckpt_latest(comm, scratch_path(sub, "%s/%s/only", dir, name), path, SCRATCH_PATH_BYTES) != ANN_OK)
        path[0] = '\0';
    return path;
}

/* The largest difference between the tensors of the newest checkpoints of two runs; huge if they have not the
   same tensors. Collective. */
static double difference(const char *one, const char *other) {
    char a_path[SCRATCH_PATH_BYTES], b_path[SCRATCH_PATH_BYTES];
    ann_ckpt *a, *b;
    double most = 0;
    latest(one, a_path);
    latest(other, b_path);
    if (ann_ckpt_open(&a, a_path) != ANN_OK || ann_ckpt_open(&b, b_path) != ANN_OK) return HUGE_VAL;
    if (ann_ckpt_tensor_count(a) == 0 || ann_ckpt_tensor_count(a) != ann_ckpt_tensor_count(b) ||
        ann_ckpt_step(a) != ann_ckpt_step(b))
        most = HUGE_VAL;
    for (int i = 0; most < HUGE_VAL && i < ann_ckpt_tensor_count(a); i++) {
        const ann_tensor_info *info = ann_ckpt_tensor(a, i);
        const int64_t n = ann_shape_elems(&info->shape);
        float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
        const bool read =
            ann_ckpt_read(a, info->name, x) == ANN_OK && ann_ckpt_read(b, info->name, y) == ANN_OK;
        if (!read) most = HUGE_VAL;
        for (int64_t k = 0; read && k < n; k++)
            if (!(fabs((double)x[k] - (double)y[k]) <= most)) most = fabs((double)x[k] - (double)y[k]);
        free(x);
        free(y);
    }
    ann_ckpt_close(a);
    ann_ckpt_close(b);
    return most;
}

static void same_weights_with_and_without(void **state) {
    (void)state;
    static const char *const optimizers[] = {"sgd", "momentum, momentum: 0.9", "adam", "adamw"};
    for (int i = 0; i < 4; i++) {
        char off[32], on[32];
        snprintf(off, sizeof off, "off%d", i);
        snprintf(on, sizeof on, "on%d", i);
        assert_all_ranks(run_ok((job){off, "tiny", "never", "false", optimizers[i]}));
        assert_all_ranks(run_ok((job){on, "tiny", "1 epochs", "true", optimizers[i]}));
        const double d = difference(off, on);
        print_message("%s: difference %g\n", optimizers[i], d);
        assert_all_ranks(d == 0);
    }
}

/* The norm is a sum of some 2000 squares in another order: it differs by a few eps, and so does each of 22
   steps, relative to weights of about 1. */
static void clipping_by_the_norm_of_all_chunks(void **state) {
    (void)state;
    assert_all_ranks(
        run_ok((job){"clip_off", "tiny", "never", "false", "momentum, momentum: 0.9, clip_norm: 0.3"}));
    assert_all_ranks(
        run_ok((job){"clip_on", "tiny", "never", "true", "momentum, momentum: 0.9, clip_norm: 0.3"}));
    assert_all_ranks(run_ok((job){"clip_none", "tiny", "never", "true", "momentum, momentum: 0.9"}));
    const double d = difference("clip_off", "clip_on"), clipped = difference("clip_on", "clip_none");
    print_message("difference %g, clipping itself %g\n", d, clipped);
    assert_all_ranks(d <= 22 * 16 * 1.2e-7);
    assert_all_ranks(clipped > 1e-3);
}

static void groups_with_and_without(void **state) {
    (void)state;
    groups = TWO_GROUPS;
    assert_all_ranks(run_ok((job){"groups_off", "tiny", "never", "false", "adamw"}));
    assert_all_ranks(run_ok((job){"groups_on", "tiny", "1 epochs", "true", "adamw"}));
    assert_all_ranks(run_ok((job){"groups_clip_off", "tiny", "never", "false", "adam, clip_norm: 0.3"}));
    assert_all_ranks(run_ok((job){"groups_clip_on", "tiny", "never", "true", "adam, clip_norm: 0.3"}));
    groups = NULL;
    assert_all_ranks(run_ok((job){"groups_none", "tiny", "never", "true", "adamw"}));
    const double d = difference("groups_off", "groups_on");
    const double clipped = difference("groups_clip_off", "groups_clip_on");
    const double rates = difference("groups_on", "groups_none");
    print_message("groups: difference %g, clipped %g, rates of their own %g\n", d, clipped, rates);
    assert_all_ranks(d == 0);
    assert_all_ranks(clipped <= 22 * 16 * 1.2e-7);
    assert_all_ranks(rates > 1e-3);
}

static int polls;
static bool stop_soon(void) { return ++polls > 1; }

static void resumed_without_and_on_one_rank(void **state) {
    (void)state;
    const job whole = {groups ? "whole_groups" : "whole", "tiny", "never", "false", "adam"};
    assert_all_ranks(run_ok(whole));
    for (int one = 0; one < 2; one++) {
        char name[32];
        snprintf(name, sizeof name, "stopped%s%s", one ? "_one" : "", groups ? "_groups" : "");
        job j = {name, "tiny", "never", "true", "adam"};
        char path[SCRATCH_PATH_BYTES];
        polls = 0;
        assert_all_ranks(run_on(comm, j, stop_soon) == ANN_ERR_STOP);
        assert_all_ranks(latest(name, path)[0] != '\0');
        j.zero = "false";
        if (one) {
            ann_comm *self;
            bool ok = true;
            if (rank == 0) {
                ok = ann_comm_self(&self) == ANN_OK && run_on(self, j, NULL) == ANN_OK;
                ann_comm_free(self);
            }
            assert_all_ranks(ok);
        } else {
            assert_all_ranks(run_ok(j));
        }
        const double d = difference(whole.name, name);
        print_message("%s: difference %g\n", name, d);
        assert_all_ranks(one ? d < 1e-3 : d == 0);
    }
}

static void groups_resumed(void **state) {
    groups = TWO_GROUPS;
    resumed_without_and_on_one_rank(state);
    groups = NULL;
}

/* One sample makes the loss of one rank infinite. */
static void a_failed_step_changes_nothing(void **state) {
    (void)state;
    assert_all_ranks(run_on(comm, (job){"huge_off", "huge", "1 steps", "false", "adam"}, NULL) ==
                     ANN_ERR_NUMERIC);
    assert_all_ranks(run_on(comm, (job){"huge_on", "huge", "1 steps", "true", "adam"}, NULL) ==
                     ANN_ERR_NUMERIC);
    char path[SCRATCH_PATH_BYTES];
    const double d = latest("huge_off", path)[0] ? difference("huge_off", "huge_on") : 0;
    print_message("difference %g\n", d);
    assert_all_ranks(d == 0);
}

static void refused_with_micro_batches(void **state) {
    (void)state;
    const ann_status status = run_on(
        comm,
        (job){"micro", "tiny", "never", "true", "adam }\n    accumulate: 2\n    sampling: { order: shuffle"},
        NULL);
    assert_all_ranks(status == ANN_ERR_CONFIG && strstr(ann_error_text(), "comm.zero") != NULL);
}

/* The batch with the bad sample is passed over, by all ranks and for all parts of the moments. */
static void a_batch_that_is_not_finite_is_skipped(void **state) {
    (void)state;
    static const char skip[] = "adam }\n    on_nonfinite: { policy: skip";
    static const char roll_back[] = "adam }\n    on_nonfinite: { policy: rollback";
    assert_all_ranks(run_ok((job){"skip_off", "huge", "never", "false", skip}));
    assert_all_ranks(run_ok((job){"skip_on", "huge", "never", "true", skip}));
    assert_all_ranks(difference("skip_off", "skip_on") == 0);
    assert_all_ranks(run_ok((job){"back_on", "huge", "1 steps", "true", roll_back}));
    const double d = difference("skip_off", "back_on");
    print_message("skipped and rolled back: difference %g\n", d);
    assert_all_ranks(d == 0);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_weights_with_and_without),
        cmocka_unit_test(clipping_by_the_norm_of_all_chunks),
        cmocka_unit_test(groups_with_and_without),
        cmocka_unit_test(resumed_without_and_on_one_rank),
        cmocka_unit_test(groups_resumed),
        cmocka_unit_test(a_failed_step_changes_nothing),
        cmocka_unit_test(a_batch_that_is_not_finite_is_skipped),
        cmocka_unit_test(refused_with_micro_batches),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
