// ranks: 1 2 3
/* One sample of the dataset makes the gradient of its batch infinite, twice in two epochs. What then: the run
   ends; or the batch is passed over, on the spot, with a loss scale, or after a rollback. These three end in
   the same bits, on the spot or through a stop and a resume. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include "ckpt/ckpt.h"
#include "support/check.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "support/tiny_data.h"
#include "train/train.h"

static int polls_left;
static bool stop(void) { return --polls_left < 0; }

static int setup(void **state) {
    char path[SCRATCH_PATH_BYTES];
    if (stage_of_all_ranks(state) != 0) return -1;
    if (rank == 0) tiny_data_write_f32(scratch_path(path, "%s/huge.h5", dir), 17);
    return ann_comm_barrier(comm) == ANN_OK ? 0 : -1;
}

static const char run_file[] = "name: huge\n"
                               "output: %s/%s\n"
                               "data: { path: %s/huge.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "comm: { bucket_bytes: 4096 }\n"
                               "checkpoint: { every: %s, when_busy: wait }\n"
                               "models:\n"
                               "  net:\n"
                               "    - flatten: {}\n"
                               "    - dense: { name: in, units: 24 }\n"
                               "    - dense: { name: out, units: 64 }\n"
                               "phases:\n"
                               "  - { name: only, kind: pretrain, model: [net], loss: mse, batch: 24,\n"
                               "      on_nonfinite: { policy: %s, at_most: %d },\n"
                               "      optimizer: { kind: adam, clip_norm: 3 },\n"
                               "      program: [{ steps: 8, lr: 0.01 }, { epochs: 2, lr: 0.005 }] }\n";

typedef struct setting {
    const char *name, *policy, *every;
    int at_most;
    bool resume, stops;
} setting;

static ann_status run(const setting *s) {
    char text[sizeof run_file + 4 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {
        .threads = 1, .resume = s->resume, .stop_requested = s->stops ? stop : NULL};
    snprintf(text, sizeof text, run_file, dir, s->name, dir, s->every, s->policy, s->at_most);
    ANN_TRY(ann_run_config_parse(&config, "huge.yaml", text, NULL, 0));
    const ann_status status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static bool runs(const setting *s) {
    const ann_status status = run(s);
    if (status != ANN_OK) fprintf(stderr, "%s: %s: %s\n", s->name, ann_status_name(status), ann_error_text());
    return status == ANN_OK;
}

/* How often the text is in the run's metrics; the same on all ranks. */
static int records(const char *name, const char *text) {
    char path[SCRATCH_PATH_BYTES];
    int n = 0;
    if (rank == 0) {
        char *all = scratch_read_all(scratch_path(path, "%s/%s/*/metrics.jsonl", dir, name));
        for (const char *at = all; (at = strstr(at, text)); at++) n++;
        free(all);
    }
    MPI_Bcast(&n, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return n;
}

static ann_ckpt *last_of(const char *name) {
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt = NULL;
    if (ann_ckpt_latest(comm, scratch_path(sub, "%s/%s/only", dir, name), path, sizeof path) != ANN_OK)
        return NULL;
    return ann_ckpt_open(&ckpt, path) == ANN_OK ? ckpt : NULL;
}

/* Every tensor of the final checkpoints. */
static bool same_bits(const char *a_name, const char *b_name) {
    ann_ckpt *a = last_of(a_name), *b = last_of(b_name);
    bool same =
        a && b && ann_ckpt_tensor_count(a) > 4 && ann_ckpt_tensor_count(a) == ann_ckpt_tensor_count(b);
    for (int i = 0; same && i < ann_ckpt_tensor_count(a); i++) {
        const ann_tensor_info *info = ann_ckpt_tensor(a, i);
        const size_t bytes = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
        float *x = malloc(bytes), *y = malloc(bytes);
        same = ann_ckpt_read(a, info->name, x) == ANN_OK && ann_ckpt_read(b, info->name, y) == ANN_OK &&
               memcmp(x, y, bytes) == 0;
        for (size_t k = 0; same && k < bytes / sizeof *x; k++) same = isfinite(x[k]);
        if (!same) fprintf(stderr, "%s and %s: %s differs, or is not finite\n", a_name, b_name, info->name);
        free(x);
        free(y);
    }
    ann_ckpt_close(a);
    ann_ckpt_close(b);
    return same;
}

static double loss_scale_of(const char *name) {
    ann_ckpt *ckpt = last_of(name);
    double scale = NAN;
    if (ckpt && ann_meta_get_f64(ann_ckpt_meta(ckpt), "loss_scale", &scale) != ANN_OK) scale = NAN;
    ann_ckpt_close(ckpt);
    return scale;
}

enum { BAD = 3 }; /* batches with the sample: one of its 250 positions in each of three epochs */

static void stop_ends_the_run(void **state) {
    (void)state;
    assert_all_ranks(run(&(setting){"stop", "stop", "never", 10, false, false}) == ANN_ERR_NUMERIC);
    assert_all_ranks(run(&(setting){"none", "skip", "never", 0, false, false}) == ANN_ERR_NUMERIC);
    assert_all_ranks(strstr(ann_error_text(), "a gradient is not finite, after 0 batches in a row") != NULL);
    assert_all_ranks(run(&(setting){"once", "rollback", "never", 1, false, false}) == ANN_ERR_NUMERIC);
    assert_all_ranks(strstr(ann_error_text(), "a gradient is not finite, after 1 rollbacks") != NULL);
}

static void batches_are_skipped(void **state) {
    (void)state;
    assert_all_ranks(runs(&(setting){"skip", "skip", "never", 1, false, false}));
    const int skipped = records("skip", "{\"event\":\"skipped\",\"phase\":\"only\",\"step\":");
    assert_all_ranks(skipped >= BAD - 1 && skipped <= BAD);
    assert_all_ranks(records("skip", "\"loss\":") + skipped >= 8 + 21);
    assert_all_ranks(same_bits("skip", "skip"));
}

static void the_loss_scale_changes_no_bit(void **state) {
    (void)state;
    assert_all_ranks(runs(&(setting){"rescale", "rescale", "never", 1, false, false}));
    const int skipped = records("rescale", "\"event\":\"skipped\"");
    assert_all_ranks(skipped == records("skip", "\"event\":\"skipped\""));
    assert_all_ranks(loss_scale_of("rescale") == ldexp(65536, -skipped));
    assert_all_ranks(same_bits("rescale", "skip"));
}

static void rolled_back_runs_end_in_the_same_bits(void **state) {
    (void)state;
    assert_all_ranks(runs(&(setting){"rollback", "rollback", "3 steps", 3, false, false}));
    const int skipped = records("skip", "\"event\":\"skipped\"");
    assert_all_ranks(records("rollback", "\"event\":\"skipped\"") == skipped);
    assert_all_ranks(records("rollback", "\"event\":\"rollback\"") >= 1);
    assert_all_ranks(same_bits("rollback", "skip"));
    /* without a checkpoint the phase begins anew */
    assert_all_ranks(runs(&(setting){"anew", "rollback", "never", 3, false, false}));
    assert_all_ranks(records("anew", "\"event\":\"skipped\"") == skipped);
    assert_all_ranks(records("anew", "\"test_loss\":") == records("skip", "\"test_loss\":"));
    assert_all_ranks(same_bits("anew", "skip"));
}

static void a_resume_changes_nothing(void **state) {
    (void)state;
    static const char *const policies[] = {"skip", "rescale", "rollback"};
    for (int i = 0; i < 3; i++) {
        setting s = {"resumed", policies[i], "3 steps", 3, false, true};
        int stops = 0;
        ann_status status;
        for (;; stops++, s.resume = true) {
            polls_left = 0;
            status = run(&s);
            if (status != ANN_ERR_STOP) break;
            assert_all_ranks(stops < 10);
        }
        assert_all_ranks(status == ANN_OK && stops >= 2);
        assert_all_ranks(records("resumed", "\"event\":\"skipped\"") ==
                         records("skip", "\"event\":\"skipped\""));
        assert_all_ranks(same_bits("resumed", "skip"));
    }
    /* the policy decides the results: it may not change in the middle */
    polls_left = 0;
    assert_all_ranks(run(&(setting){"changed", "rollback", "3 steps", 3, false, true}) == ANN_ERR_STOP);
    assert_all_ranks(run(&(setting){"changed", "skip", "never", 3, true, false}) == ANN_ERR_CONFIG);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_ends_the_run),
        cmocka_unit_test(batches_are_skipped),
        cmocka_unit_test(the_loss_scale_changes_no_bit),
        cmocka_unit_test(rolled_back_runs_end_in_the_same_bits),
        cmocka_unit_test(a_resume_changes_nothing),
    };
    const int failed = cmocka_run_group_tests(tests, setup, stage_end);
    MPI_Finalize();
    return failed;
}
