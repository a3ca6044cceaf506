/* make_web DIR LONG: makes DIR/registry.db with the runs "fashion" (two branches, four ranks, markup in its
   texts), "long" with LONG metrics, "wordy" with 400 long events, and "waiting" without a job. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "coord/registry.h"

static const anni_caller eve = {"<b>eve</b> & \"co\" (control)"};
static anni_registry registry;
static ann_arena *arena;

/* One method in a group of its own. */
static ann_status call(anni_handler handler, const void *request, void *reply) {
    ANN_TRY(anni_registry_begin(&registry));
    const ann_status status = handler(&registry, &eve, arena, request, reply);
    if (status == ANN_OK) return anni_registry_commit(&registry);
    anni_registry_abandon(&registry);
    return status;
}

/* Registers a job for a run and all its phases. */
static ann_status join(int64_t *job, const char *run, const char *key, Annulus__V1__PhaseSpec **phases,
                       size_t count) {
    char *hosts[] = {"node1", "node2"};
    Annulus__V1__RegisterRequest request = ANNULUS__V1__REGISTER_REQUEST__INIT;
    Annulus__V1__RegisterReply reply = ANNULUS__V1__REGISTER_REPLY__INIT;
    request.key = (char *)key;
    request.run = (char *)run;
    request.phases = phases;
    request.n_phases = count;
    request.hosts = hosts;
    request.n_hosts = 2;
    request.ranks = 4;
    request.process_id = 4711;
    request.instance = "slurm-17";
    request.version = "annulus 0.1.0";
    ANN_TRY(call(anni_answer_register, &request, &reply));
    *job = reply.job;
    return ANN_OK;
}

static ann_status beat(int64_t job, const char *phase, int64_t step, int64_t steps) {
    char *hosts[] = {"node1", "node1", "node2", "node2"};
    const int64_t lag_ms[] = {0, 12, 1840, 35};
    Annulus__V1__RankState states[4], *list[4];
    Annulus__V1__HeartbeatRequest request = ANNULUS__V1__HEARTBEAT_REQUEST__INIT;
    Annulus__V1__HeartbeatReply reply = ANNULUS__V1__HEARTBEAT_REPLY__INIT;
    for (int i = 0; i < 4; i++) {
        annulus__v1__rank_state__init(&states[i]);
        states[i].rank = i;
        states[i].host = hosts[i];
        states[i].step = i == 2 ? step - 1 : step;
        states[i].lag_ms = lag_ms[i];
        list[i] = &states[i];
    }
    request.job = job;
    request.phase = (char *)phase;
    request.stage = "train";
    request.step = step;
    request.steps = steps;
    request.epoch = (double)step / 235;
    request.ranks = list;
    request.n_ranks = 4;
    return call(anni_answer_heartbeat, &request, &reply);
}

/* Steps, ten apart, of a loss that falls and of a value that is no number now and then. */
static ann_status report(int64_t job, const char *phase, uint64_t sequence, int count) {
    enum { AT_ONCE = 100 };
    for (int done = 0; done < count; done += AT_ONCE) {
        const int n = count - done < AT_ONCE ? count - done : AT_ONCE;
        Annulus__V1__Value values[AT_ONCE][4], *lists[AT_ONCE][4];
        Annulus__V1__Metric metrics[AT_ONCE], *list[AT_ONCE];
        Annulus__V1__ReportRequest request = ANNULUS__V1__REPORT_REQUEST__INIT;
        Annulus__V1__ReportReply reply = ANNULUS__V1__REPORT_REPLY__INIT;
        for (int i = 0; i < n; i++) {
            const int64_t step = 10 * ((int64_t)sequence + done + i);
            const double x = (double)step, wave = sin(x / 37) + sin(x / 11);
            const double all[] = {
                2.3 * exp(-x / 900) + 0.22 + 0.02 * wave, 0.92 - 0.8 * exp(-x / 700) + 0.008 * wave,
                step % 500 == 70 ? (double)NAN : 5900 + 120 * wave, 2.4 * exp(-x / 850) + 0.31};
            static const char *const names[] = {"loss", "accuracy", "samples_per_s", "test_loss"};
            list[i] = &metrics[i];
            annulus__v1__metric__init(list[i]);
            metrics[i].sequence = sequence + (uint64_t)(done + i);
            metrics[i].time_ms = (int64_t)time(NULL) * 1000;
            metrics[i].phase = (char *)phase;
            metrics[i].stage = "train";
            metrics[i].step = step;
            metrics[i].epoch = x / 235;
            metrics[i].n_values = step % 230 == 0 ? 4 : 3;
            metrics[i].values = lists[i];
            for (int k = 0; k < 4; k++) {
                annulus__v1__value__init(&values[i][k]);
                values[i][k].name = (char *)names[k];
                values[i][k].value = all[k];
                lists[i][k] = &values[i][k];
            }
        }
        request.job = job;
        request.metrics = list;
        request.n_metrics = (size_t)n;
        ANN_TRY(call(anni_answer_report, &request, &reply));
    }
    return ANN_OK;
}

static ann_status commit(int64_t job, const char *phase, int64_t step, const char *path) {
    Annulus__V1__Checkpoint checkpoint = ANNULUS__V1__CHECKPOINT__INIT;
    Annulus__V1__CommittedRequest request = ANNULUS__V1__COMMITTED_REQUEST__INIT;
    Annulus__V1__Done reply = ANNULUS__V1__DONE__INIT;
    checkpoint.phase = (char *)phase;
    checkpoint.step = step;
    checkpoint.path = (char *)path;
    checkpoint.hash = "1f3870be274f6c49b3e31a0c6728957f";
    request.job = job;
    request.checkpoint = &checkpoint;
    return call(anni_answer_committed, &request, &reply);
}

static ann_status finish(int64_t job, const char *phase, const char *text) {
    Annulus__V1__PhaseDoneRequest request = ANNULUS__V1__PHASE_DONE_REQUEST__INIT;
    Annulus__V1__Assignment reply = ANNULUS__V1__ASSIGNMENT__INIT;
    request.job = job;
    request.phase = (char *)phase;
    request.text = (char *)text;
    return call(anni_answer_phase_done, &request, &reply);
}

static ann_status control(const char *run, Annulus__V1__ControlKind kind, double value) {
    Annulus__V1__ControlRequest request = ANNULUS__V1__CONTROL_REQUEST__INIT;
    Annulus__V1__ControlReply reply = ANNULUS__V1__CONTROL_REPLY__INIT;
    request.run = (char *)run;
    request.kind = kind;
    request.step = -1;
    request.value = value;
    return call(anni_answer_control, &request, &reply);
}

static ann_status fill_fashion(void) {
    char *pretrain[] = {"pretrain"}, *branches[] = {"transfer", "adapt/usps"}, *adapt[] = {"adapt/usps"};
    Annulus__V1__PhaseSpec specs[5], *phases[5];
    static const char *const names[] = {"pretrain", "transfer", "adapt/usps", "evaluate", "export"};
    static const char *const kinds[] = {"pretrain", "transfer", "adapt", "evaluate", "export"};
    char **const after[] = {NULL, pretrain, pretrain, branches, adapt};
    const size_t after_count[] = {0, 1, 1, 2, 1};
    for (int i = 0; i < 5; i++) {
        annulus__v1__phase_spec__init(phases[i] = &specs[i]);
        specs[i].name = (char *)names[i];
        specs[i].kind = (char *)kinds[i];
        specs[i].after = after[i];
        specs[i].n_after = after_count[i];
        specs[i].steps = 3000;
    }
    int64_t job;
    ANN_TRY(join(&job, "fashion", "key-1", phases, 5));
    ANN_TRY(beat(job, "pretrain", 3000, 3000));
    ANN_TRY(report(job, "pretrain", 1, 300));
    ANN_TRY(commit(job, "pretrain", 3000, "runs/</script><script>document.title='owned'</script>"));
    ANN_TRY(
        finish(job, "pretrain", "test loss 0.31475 <img src=x onerror=\"document.title='owned'\"> & more"));
    ANN_TRY(report(job, "transfer", 301, 120));
    ANN_TRY(beat(job, "transfer", 4200, 6000));
    ANN_TRY(control("fashion", ANNULUS__V1__CONTROL_KIND__CHECKPOINT, 0));
    return control("fashion", ANNULUS__V1__CONTROL_KIND__SET_LR_FACTOR, 0.5);
}

static ann_status fill_long(int count) {
    Annulus__V1__PhaseSpec spec = ANNULUS__V1__PHASE_SPEC__INIT, *phases[] = {&spec};
    int64_t job;
    spec.name = "cnn";
    spec.kind = "supervised";
    ANN_TRY(join(&job, "long", "key-2", phases, 1));
    return report(job, "cnn", 1, count);
}

/* Events that are long, and six times as long in JSON. */
static ann_status fill_wordy(void) {
    Annulus__V1__PhaseSpec spec = ANNULUS__V1__PHASE_SPEC__INIT, *phases[] = {&spec};
    char path[4001];
    int64_t job;
    spec.name = "cnn";
    ANN_TRY(join(&job, "wordy", "key-3", phases, 1));
    memset(path, '<', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    for (int step = 1; step <= 400; step++) ANN_TRY(commit(job, "cnn", step, path));
    return ANN_OK;
}

static ann_status fill(const char *dir, int count) {
    Annulus__V1__SubmitRequest request = ANNULUS__V1__SUBMIT_REQUEST__INIT;
    Annulus__V1__SubmitReply reply = ANNULUS__V1__SUBMIT_REPLY__INIT;
    ANN_TRY(anni_registry_open(&registry, dir, 30000));
    request.run = "waiting";
    request.run_file = "phases: {}\n";
    ANN_TRY(call(anni_answer_submit, &request, &reply));
    ANN_TRY(fill_long(count));
    ANN_TRY(fill_wordy());
    return fill_fashion();
}

int main(int argc, char **argv) {
    ann_status status =
        argc == 3 ? ann_arena_new(&arena) : ann_error(ANN_ERR_CONFIG, "usage: make_web DIR LONG");
    if (status == ANN_OK) status = fill(argv[1], atoi(argv[2]));
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    anni_registry_close(&registry);
    ann_arena_free(arena);
    return ann_status_exit_code(status);
}
