// ranks: 1 2 3
// timeout: 300
/* A phase that ends before its program, on every number of ranks: where it stops, with which weights, and
   that a run which was interrupted at every chance stops at the same step with the same bits. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/train.h"

static const char run_file[] =
    "name: tiny\n"
    "output: %s/%s\n"
    "data: { path: %s/tiny.h5 }\n"
    "log: { every_steps: 5 }\n"
    "comm: { bucket_bytes: 2048%s }\n"
    "checkpoint: { %s }\n"
    "models:\n"
    "  net:\n"
    "    - flatten: {}\n"
    "    - dense: { name: fc, units: 24, activation: tanh }\n"
    "    - batch_norm: { name: bn }\n"
    "    - dropout: { name: drop, p: 0.2 }\n"
    "    - dense: { name: out, units: 4 }\n"
    "phases:\n"
    "  - name: only\n"
    "    kind: supervised\n"
    "    model: [net]\n"
    "    loss: cross_entropy\n"
    "    batch: 24\n"
    "    stop: { %s }\n"
    "    %s\n"
    "    program: [{ name: first, train: \"net/out/*\", steps: 10, lr: 0.02 }, { name: "
    "rest, epochs: %d, lr: %g }]\n";

/* Every seventh step is evaluated; noisy labels let the loss rise again soon. */
#define EARLY "every: 7 steps, early: { patience: 3 }"
#define ALL_KEPT "every: 1 steps, keep: 0, when_busy: wait"
enum { LONG = 60 };

static bool stop_now(void) { return true; }

typedef struct how {
    const char *name, *comm, *checkpoint, *stop, *mode;
    int epochs; /* of the second stage; 0: LONG */
    double lr;  /* of it; 0: 0.02 */
} how;

static ann_status train(const how *h, bool resume, bool (*stop)(void)) {
    char text[2 * sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .resume = resume, .stop_requested = stop};
    snprintf(text, sizeof text, run_file, dir, h->name, dir, h->comm ? h->comm : "",
             h->checkpoint ? h->checkpoint : "", h->stop, h->mode ? h->mode : "",
             h->epochs ? h->epochs : LONG, h->lr > 0 ? h->lr : 0.02);
    ann_status status = ann_run_config_parse(&config, h->name, text, NULL, 0);
    if (status == ANN_OK) status = ann_train(comm, config, &options);
    if (status != ANN_OK && status != ANN_ERR_STOP)
        fprintf(stderr, "%s: %s: %s\n", h->name, ann_status_name(status), ann_error_text());
    ann_run_config_free(config);
    return status;
}

/* ---- rank 0 looks at what came out ---- */

static ann_ckpt *open_final(const char *name) {
    char folder[SCRATCH_PATH_BYTES], path[ANN_CKPT_PATH_BYTES];
    ann_ckpt *ckpt = NULL;
    const ann_status status = ann_ckpt_resolve(path, scratch_path(folder, "%s/%s/only", dir, name));
    return status == ANN_OK && ann_ckpt_open(&ckpt, path) == ANN_OK ? ckpt : NULL;
}

static ann_ckpt *open_step(const char *name, int64_t step) {
    char path[SCRATCH_PATH_BYTES];
    ann_ckpt *ckpt = NULL;
    scratch_path(path, "%s/%s/only/step-%010lld", dir, name, (long long)step);
    return ann_ckpt_open(&ckpt, path) == ANN_OK ? ckpt : NULL;
}

static int64_t number(const ann_ckpt *ckpt, const char *key) {
    int64_t value = -77;
    return ann_meta_get_i64(ann_ckpt_meta(ckpt), key, &value) == ANN_OK ? value : -77;
}

static bool stopped_by(const ann_ckpt *ckpt, const char *reason) {
    const char *found;
    const bool good = ann_meta_get_str(ann_ckpt_meta(ckpt), "stop_reason", &found) == ANN_OK;
    if (good && strcmp(found, reason) == 0) return true;
    fprintf(stderr, "the reason is '%s', not '%s'\n", good ? found : "", reason);
    return false;
}

static bool same_tensor(const ann_ckpt *a, const ann_ckpt *b, const ann_tensor_info *t) {
    const size_t bytes = (size_t)ann_shape_elems(&t->shape) * ann_dtype_bytes(t->dtype);
    void *x = malloc(bytes), *y = malloc(bytes);
    const bool same = x && y && ann_ckpt_read(a, t->name, x) == ANN_OK &&
                      ann_ckpt_read(b, t->name, y) == ANN_OK && memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return same;
}

/* How many tensors (those of the model alone, or all) are the same, bit by bit, of how many. */
static bool same_tensors(const ann_ckpt *a, const ann_ckpt *b, bool all, int *of) {
    int same = 0;
    *of = 0;
    for (int i = 0; i < ann_ckpt_tensor_count(a); i++) {
        const ann_tensor_info *t = ann_ckpt_tensor(a, i);
        if (!all && t->role == ANN_ROLE_MOMENT) continue;
        ++*of;
        same += same_tensor(a, b, t);
    }
    return same == *of;
}

/* Between the two evaluations the weights have changed, and in the end they are the better one's again; the
   metrics that are recorded last are theirs. */
static bool has_best_weights(const char *name, int64_t *step) {
    double losses[200];
    int of;
    bool good = false;
    ann_ckpt *final = open_final(name);
    ann_ckpt *best = final ? open_step(name, number(final, "stop_best_step")) : NULL;
    ann_ckpt *before = final ? open_step(name, ann_ckpt_step(final) - 1) : NULL;
    const int n = curve_read(losses, 200, dir, name, "test_loss");
    if (final && best && before && n > 4) {
        *step = ann_ckpt_step(final);
        double least = losses[0];
        for (int i = 1; i < n - 1; i++) least = losses[i] < least ? losses[i] : least;
        good = stopped_by(final, "early") && number(final, "stop_waited") == 3 &&
               same_tensors(final, best, false, &of) && of == 8 && !same_tensors(before, best, false, &of) &&
               losses[n - 1] == least && losses[n - 2] > least && *step % 7 == 0 &&
               number(final, "stop_best_step") == *step - 21;
    }
    ann_ckpt_close(final);
    ann_ckpt_close(best);
    ann_ckpt_close(before);
    return good;
}

static bool equal_ends(const char *a, const char *b) {
    int of = 0;
    ann_ckpt *x = open_final(a), *y = open_final(b);
    const bool good =
        x && y && ann_ckpt_step(x) == ann_ckpt_step(y) && same_tensors(x, y, true, &of) && of > 8;
    ann_ckpt_close(x);
    ann_ckpt_close(y);
    return good;
}

/* ---- early ---- */

static void takes_the_best_weights_back(void **state) {
    (void)state;
    static const how modes[] = {
        {"plain", .checkpoint = ALL_KEPT, .stop = EARLY},
        {"zero", .comm = ", zero: true", .checkpoint = ALL_KEPT, .stop = EARLY},
        {"accumulate", .checkpoint = ALL_KEPT, .stop = EARLY, .mode = "accumulate: 2"}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        int64_t step = 0;
        if (strcmp(modes[i].name, "accumulate") == 0 && size == 3) continue; /* its parts are too uneven */
        assert_all_ranks(train(&modes[i], false, NULL) == ANN_OK);
        assert_all_ranks(rank != 0 || has_best_weights(modes[i].name, &step));
    }
}

/* Evaluations wait for a meeting; the one at the end of a stage is as long after the last as it happens. */
static void ranks_that_train_apart(void **state) {
    (void)state;
    const how apart = {"apart", .stop = EARLY, .mode = "sync: { every: 5 }"};
    bool good = true;
    assert_all_ranks(train(&apart, false, NULL) == ANN_OK);
    if (rank == 0) {
        ann_ckpt *final = open_final("apart");
        good = final && stopped_by(final, "early") && (ann_ckpt_step(final) - 10) % 5 == 0;
        ann_ckpt_close(final);
    }
    assert_all_ranks(good);
}

/* Every eight steps of each stage the run is stopped and goes on. */
static void an_interrupted_run_stops_there_too(void **state) {
    (void)state;
    static const struct {
        how whole, pieces;
    } modes[] = {
        {{"w", .stop = EARLY}, {"p", .stop = EARLY}},
        {{"wz", .comm = ", zero: true", .stop = EARLY}, {"pz", .comm = ", zero: true", .stop = EARLY}},
        {{"wt", .stop = "every: 7 steps, target: { metric: test_loss, reach: 1.0 }"},
         {"pt", .stop = "every: 7 steps, target: { metric: test_loss, reach: 1.0 }"}}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        int stops = 0;
        assert_all_ranks(train(&modes[i].whole, false, NULL) == ANN_OK);
        ann_status status;
        while ((status = train(&modes[i].pieces, true, stop_now)) == ANN_ERR_STOP && stops < 100) stops++;
        assert_all_ranks(status == ANN_OK && stops >= 2);
        assert_all_ranks(rank != 0 || equal_ends(modes[i].whole.name, modes[i].pieces.name));
    }
}

/* At such a rate nothing gets better in the second stage, so the best weights are the first stage's. */
static void an_earlier_stage_was_best(void **state) {
    (void)state;
    const how whole = {"worse", .checkpoint = ALL_KEPT, .stop = EARLY, .lr = 3},
              pieces = {"worsep", .stop = EARLY, .lr = 3};
    bool good = true;
    int of;
    assert_all_ranks(train(&whole, false, NULL) == ANN_OK);
    if (rank == 0) {
        ann_ckpt *final = open_final("worse");
        const int64_t step = final ? number(final, "stop_best_step") : -1;
        ann_ckpt *best = step >= 0 ? open_step("worse", step) : NULL;
        good = best && step <= 10 && ann_ckpt_step(final) > 20 && stopped_by(final, "early") &&
               same_tensors(final, best, false, &of);
        ann_ckpt_close(final);
        ann_ckpt_close(best);
    }
    assert_all_ranks(good);
    ann_status status;
    int stops = 0;
    while ((status = train(&pieces, true, stop_now)) == ANN_ERR_STOP && stops < 100) stops++;
    assert_all_ranks(status == ANN_OK && stops >= 2);
    assert_all_ranks(rank != 0 || equal_ends("worse", "worsep"));
}

/* ---- the others ---- */

static void reaches_its_target(void **state) {
    (void)state;
    const how target = {"target", .stop = "every: 1 steps, early: { patience: 1000 }, target: { metric: "
                                          "test_accuracy, reach: 0.6 }"};
    double values[400];
    bool good = true;
    assert_all_ranks(train(&target, false, NULL) == ANN_OK);
    if (rank == 0) {
        const int n = curve_read(values, 400, dir, "target", "test_accuracy");
        ann_ckpt *final = open_final("target");
        good = final && stopped_by(final, "target") && n > 1 && n == ann_ckpt_step(final) &&
               values[n - 1] >= 0.6;
        for (int i = 0; i < n - 1; i++) good = good && values[i] < 0.6;
        ann_ckpt_close(final);
    }
    assert_all_ranks(good);
}

/* The program is over first: the best weights are taken back all the same. */
static void program_ends_first(void **state) {
    (void)state;
    const how over = {"over", .checkpoint = ALL_KEPT, .stop = "every: 5 steps, early: { patience: 1000 }",
                      .epochs = 30};
    bool good = true;
    int of;
    assert_all_ranks(train(&over, false, NULL) == ANN_OK);
    if (rank == 0) {
        ann_ckpt *final = open_final("over");
        const int64_t best_step = final ? number(final, "stop_best_step") : -1;
        ann_ckpt *best = open_step("over", best_step);
        good = final && best && stopped_by(final, "program") && best_step < ann_ckpt_step(final) &&
               same_tensors(final, best, false, &of);
        ann_ckpt_close(final);
        ann_ckpt_close(best);
    }
    assert_all_ranks(good);
}

static void wall_time_is_over(void **state) {
    (void)state;
    const how timed = {"timed", .stop = "wall_time: 1 s", .epochs = 1000000};
    static double losses[1 << 16];
    double elapsed_s = 0;
    bool good = true;
    const double start = MPI_Wtime();
    assert_all_ranks(train(&timed, false, NULL) == ANN_OK);
    const double took_s = MPI_Wtime() - start;
    if (rank == 0) {
        ann_ckpt *final = open_final("timed");
        good = final && stopped_by(final, "wall_time") &&
               ann_meta_get_f64(ann_ckpt_meta(final), "elapsed_s", &elapsed_s) == ANN_OK && elapsed_s >= 1 &&
               elapsed_s <= took_s && took_s < 30;
        /* a line every 5 steps, and one for the last */
        const int lines = curve_read(losses, 1 << 16, dir, "timed", "loss");
        good = good && lines == (ann_ckpt_step(final) + 4) / 5;
        ann_ckpt_close(final);
    }
    assert_all_ranks(good);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_best_weights_back),
        cmocka_unit_test(ranks_that_train_apart),
        cmocka_unit_test(an_interrupted_run_stops_there_too),
        cmocka_unit_test(an_earlier_stage_was_best),
        cmocka_unit_test(reaches_its_target),
        cmocka_unit_test(program_ends_first),
        cmocka_unit_test(wall_time_is_over),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
