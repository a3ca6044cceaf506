// ranks: 1 2 4
// timeout: 200
/* A run that is led from outside: requests are applied at one step on all ranks and written down, and a run
   that goes on from an earlier checkpoint repeats them bit by bit. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ckpt/tools.h"
#include "support/check.h"
#include "support/curve.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"
#include "train/requests.h"
#include "train/train.h"

enum { STEPS = 120, STOP_STEP = 17, REQUESTS_MAX = 8 };

static const char run_file[] = "name: tiny\n"
                               "output: %s/%s\n"
                               "data: { path: %s/tiny.h5 }\n"
                               "log: { every_steps: 1 }\n"
                               "models:\n"
                               "  net:\n"
                               "    - flatten: {}\n"
                               "    - dense: { name: fc, units: 24, activation: tanh }\n"
                               "    - dropout: { name: drop, p: 0.2 }\n"
                               "    - dense: { name: out, units: 4 }\n"
                               "phases:\n"
                               "  - name: only\n"
                               "    kind: supervised\n"
                               "    model: [net]\n"
                               "    loss: cross_entropy\n"
                               "    batch: 48\n"
                               "    sampling: { remainder: drop }\n"
                               "    optimizer: { kind: adam }\n"
                               "    program: [{ steps: 120, lr: 0.01 }]\n";

/* Hands out one request at a time, each when it was asked `wait` times more. */
typedef struct guide {
    ann_control requests[REQUESTS_MAX];
    int wait[REQUESTS_MAX];
    int count, next, asked;
    int64_t applied_step[REQUESTS_MAX];
    int n_applied, lines, n_began, n_committed, n_done;
} guide;

static bool take(void *self, ann_control *out) {
    guide *g = self;
    if (g->next == g->count || g->asked++ < g->wait[g->next]) return false;
    g->asked = 0;
    *out = g->requests[g->next++];
    return true;
}
static void applied(void *self, const ann_control *control, const char *phase, int64_t step) {
    guide *g = self;
    if (strcmp(phase, "only") != 0) return;
    g->applied_step[control->id] = step;
    g->n_applied++;
}
static void line(void *self, const char *json) {
    guide *g = self;
    g->lines += json[0] == '{' && json[strlen(json) - 1] == '\n';
}

static void began(void *self, const char *phase, int64_t step, int64_t steps) {
    guide *g = self;
    g->n_began += strcmp(phase, "only") == 0 && step == STOP_STEP && steps == STEPS;
}
static void committed(void *self, const char *phase, int64_t step, const char *path) {
    guide *g = self;
    char manifest[2 * SCRATCH_PATH_BYTES];
    (void)snprintf(manifest, sizeof manifest, "%s/manifest.yaml", path);
    g->n_committed += strcmp(phase, "only") == 0 && step >= STOP_STEP && access(manifest, R_OK) == 0;
}
static void done(void *self, const char *phase, double loss, double accuracy) {
    guide *g = self;
    g->n_done += strcmp(phase, "only") == 0 && loss > 0 && accuracy > 0;
}

static void ask(guide *g, ann_control_kind kind, double value, int wait) {
    ann_control *c = &g->requests[g->count];
    *c = (ann_control){.id = g->count, .kind = kind, .value = value, .author = "a \"friend\"", .asked_ms = 5};
    g->wait[g->count++] = wait;
}

static const char *set; /* as after --set; NULL: nothing */

static ann_status train(const char *name, guide *g, bool resume) {
    char text[sizeof run_file + 3 * SCRATCH_PATH_BYTES];
    const ann_lead lead = {g, NULL, take, applied, line, began, committed, done};
    ann_run_config *config;
    const ann_train_options options = {.threads = 1, .resume = resume, .lead = g ? &lead : NULL};
    snprintf(text, sizeof text, run_file, dir, name, dir);
    ann_status status = ann_run_config_parse(&config, name, text, &set, set ? 1 : 0);
    if (status == ANN_OK) status = ann_train(comm, config, &options);
    ann_run_config_free(config);
    return status;
}

static void shell(const char *fmt, const char *a, const char *b) {
    char command[3 * SCRATCH_PATH_BYTES];
    snprintf(command, sizeof command, fmt, dir, a, dir, b);
    assert_all_ranks(rank != 0 || system(command) == 0);
}

/* The first step whose loss differs, STEPS if none does; 0 on other ranks than 0. */
static int first_difference(const char *one, const char *other) {
    double a[STEPS] = {0}, b[STEPS] = {0};
    if (rank != 0) return 0;
    if (curve_read(a, STEPS, dir, one, "loss") != STEPS || curve_read(b, STEPS, dir, other, "loss") != STEPS)
        return -1;
    int i = 0;
    while (i < STEPS && a[i] == b[i]) i++;
    return i;
}

/* The requests that the last checkpoint tells of, on rank 0. */
static ann_requests told(const char *name) {
    char path[SCRATCH_PATH_BYTES], found[ANN_CKPT_PATH_BYTES];
    ann_requests requests = {.count = -1};
    ann_ckpt *ckpt;
    if (rank != 0 || ann_ckpt_resolve(found, scratch_path(path, "%s/%s/only", dir, name)) != ANN_OK ||
        ann_ckpt_peek(&ckpt, found) != ANN_OK)
        return requests;
    if (ann_requests_load(&requests, ann_ckpt_meta(ckpt)) != ANN_OK) requests.count = -1;
    ann_ckpt_close(ckpt);
    return requests;
}

static bool is_told(const ann_request *r, double value, int64_t step) {
    return r->control.kind == ANN_CONTROL_LR && r->control.value == value && r->step == step &&
           r->control.asked_ms == 5 && strcmp(r->control.author, "a ?friend?") == 0;
}

/* Those that were applied, and those that were repeated; learning rates alone change what is learnt. */
static void checkpoints_tell_of_requests(const int64_t *at) {
    static const char *const names[] = {"led", "repeated"};
    for (int i = 0; i < 2; i++) {
        const ann_requests r = told(names[i]);
        assert_all_ranks(rank != 0 || (r.count == 2 && r.dropped == 0 && is_told(&r.items[0], 0.25, at[0]) &&
                                       is_told(&r.items[1], 2, at[5])));
    }
    assert_all_ranks(rank != 0 || told("alone").count == 0);
}

static void requests_are_applied_and_repeated(void **state) {
    (void)state;
    guide stopping = {.count = 0}, leading = {.count = 0};
    ask(&stopping, ANN_CONTROL_STOP, STOP_STEP, 0);
    assert_all_ranks(train("led", &stopping, false) == ANN_ERR_STOP);
    shell("cp -r %s/%s %s/%s", "led", "repeated");
    shell("cp -r %s/%s %s/%s", "led", "alone");

    ask(&leading, ANN_CONTROL_LR, 0.25, 2);
    ask(&leading, ANN_CONTROL_LR, NAN, 0); /* refused */
    ask(&leading, ANN_CONTROL_PAUSE, 0, 1);
    ask(&leading, ANN_CONTROL_CHECKPOINT, 0, 3);
    ask(&leading, ANN_CONTROL_RESUME, 0, 3);
    ask(&leading, ANN_CONTROL_LR, 2, 1);
    assert_all_ranks(train("led", &leading, true) == ANN_OK);
    const int64_t *at = leading.applied_step;
    assert_all_ranks(rank != 0 || (leading.n_applied == 6 && leading.lines >= STEPS - STOP_STEP));
    assert_all_ranks(rank != 0 || (at[0] > STOP_STEP && at[1] == -1 && at[2] == at[3] && at[3] == at[4] &&
                                   at[5] > at[4] && at[5] < STEPS - 2));

    assert_all_ranks(rank != 0 || (stopping.n_committed == 1 && leading.n_began == 1 && leading.n_done == 1));
    assert_all_ranks(rank != 0 || leading.n_committed == 2); /* as asked for, and at the end */
    shell("cp %s/%s/control.jsonl %s/%s/", "led", "repeated");
    shell("rm -f %s/%s/control.jsonl %s/%s/control.jsonl", "alone", "alone");
    assert_all_ranks(train("repeated", NULL, true) == ANN_OK);
    assert_all_ranks(train("alone", NULL, true) == ANN_OK);
    assert_all_ranks(rank != 0 || first_difference("led", "repeated") == STEPS);
    /* Losses are by index: that of step n + 1 is at n, and the first that another rate changes is the one
     * after. */
    assert_all_ranks(rank != 0 || first_difference("led", "alone") == (int)at[0] + 1);
    checkpoints_tell_of_requests(at);
}

static void the_log_is_for_people(void **state) {
    (void)state;
    char path[SCRATCH_PATH_BYTES], text[1024] = "";
    bool good = rank != 0;
    FILE *file = rank == 0 ? fopen(scratch_path(path, "%s/led/control.jsonl", dir), "r") : NULL;
    if (file) {
        good =
            fgets(text, sizeof text, file) &&
            strcmp(
                text,
                "{\"request\":\"stop\",\"value\":17,\"phase\":\"only\",\"step\":1,\"author\":\"a ?friend?\","
                "\"asked_ms\":5,\"id\":0}\n") == 0;
        fclose(file);
    }
    if (!good) fprintf(stderr, "%s", text);
    assert_all_ranks(good);
}

/* Requests were for the phase as it was then: when it has changed and runs again, they are not repeated. */
static void a_phase_that_runs_again_is_not_led(void **state) {
    (void)state;
    set = "seed=9";
    assert_all_ranks(train("led", NULL, true) == ANN_OK);
    assert_all_ranks(train("afresh", NULL, false) == ANN_OK);
    set = NULL;
    assert_all_ranks(rank != 0 || first_difference("led", "afresh") == STEPS);
    assert_all_ranks(rank != 0 || first_difference("led", "repeated") < STEPS);
    assert_all_ranks(rank != 0 || told("led").count == 0);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_applied_and_repeated),
        cmocka_unit_test(the_log_is_for_people),
        cmocka_unit_test(a_phase_that_runs_again_is_not_led),
    };
    const int failed = cmocka_run_group_tests(tests, stage_with_tiny_data, stage_end);
    MPI_Finalize();
    return failed;
}
