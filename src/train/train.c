/* A run: its phases one after the other, in the order of its graph. */
#include "train/phase.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "kernel/kernel.h"
#include "train/nonfinite.h"
#include "train/saver.h"

/* Cores of this host shared out to the ranks on it, but no more than this process may use. */
int anni_threads_per_rank(const ann_comm *comm) {
    cpu_set_t allowed;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    const int share = (int)(online > 0 ? online : 1) / ann_comm_local_size(comm);
    const int limit = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : share;
    const int threads = share < limit ? share : limit;
    return threads > 0 ? threads : 1;
}

/* ---- the output directory ---- */

ann_status anni_make_directories(const char *path) {
    char part[ANNI_PATH_BYTES];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0') continue;
        const char kept = *p;
        *p = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return ann_error(errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO, "output %s: %s", part,
                             strerror(errno));
        *p = kept;
        if (kept == '\0') return ANN_OK;
    }
}

static ann_status prepare_output(anni_run *run) {
    ann_status status = ANN_OK;
    const bool aside = run->rank == 0 && !run->options->resume;
    if (aside) status = anni_claim_check(run);
    if (aside && status == ANN_OK)
        status = anni_selects_all(run) ? anni_aside_run(run) : anni_move_phases_aside(run);
    if (run->rank == 0 && status == ANN_OK) status = anni_make_directories(run->config->output);
    if (run->rank == 0 && status == ANN_OK) status = anni_claim_open(run);
    if (status == ANN_OK) anni_control_clear(run);
    return ann_agree(run->comm, status);
}

/* ---- phases ---- */

/* The model of every stage fits its data: found out before any work starts. */
static ann_status check_stages(const anni_phase *phase) {
    const bool trained = ann_phase_is_trained(phase->config->kind);
    for (int i = 0; i < phase->config->stage_count; i++) {
        ann_store *store;
        ANN_TRY(ann_store_new(&store, phase->run->config->seed));
        ann_status status = ANN_OK;
        for (int k = 0; k < anni_method_steps(phase->config) && status == ANN_OK; k++) {
            ann_graph *graph = NULL;
            const anni_extent one = {.local = 1, .global = 1, .count = 1, .step = k, .stage = i};
            status = trained ? anni_train_graph(&graph, store, phase, i, one)
                             : anni_eval_graph(&graph, store, phase, i, 1);
            ann_graph_free(graph);
        }
        ann_store_free(store);
        ANN_TRY(status);
    }
    return ANN_OK;
}

static ann_status check_phases(anni_run *run) {
    ANN_TRY(anni_check_resources(run));
    for (int i = 0; i < run->config->phase_count; i++) {
        anni_phase phase;
        if (!run->selected[i]) continue;
        ann_status status = anni_phase_open(&phase, run, i);
        if (status == ANN_OK) status = check_stages(&phase);
        anni_phase_close(&phase);
        ANN_TRY(status);
    }
    return ANN_OK;
}

/* Nothing will be restored from it now, but a later phase may load it. */
static ann_status check_finished(anni_phase *phase, const char *checkpoint) {
    const ann_status status = ann_ckpt_verify(phase->run->comm, checkpoint);
    phase->bad_checkpoint = anni_checkpoint_is_bad(phase, checkpoint, status);
    if (status == ANN_OK) anni_say(phase->run, "%s  finished before", phase->config->name);
    if (status == ANN_OK && phase->run->rank == 0) ann_ckpt_settle(phase->dir);
    return status;
}

static void tell_began(const anni_phase *phase, const anni_cursor *cursor) {
    const ann_lead *lead = phase->run->options->lead;
    int64_t first, end = 0;
    if (phase->run->rank != 0 || !lead || !lead->began) return;
    const bool trained = ann_phase_is_trained(phase->config->kind);
    if (trained) anni_stage_range(phase, phase->config->stage_count - 1, &first, &end);
    lead->began(lead->self, phase->config->name, cursor->step,
                trained ? ann_order_steps(phase->order, 0, end) : 0);
}

static void tell_done(const anni_phase *phase, const anni_result *result) {
    const ann_lead *lead = phase->run->options->lead;
    if (phase->run->rank == 0 && lead && lead->done)
        lead->done(lead->self, phase->config->name, result->test.loss, result->test.accuracy);
}

/* A phase that begins. */
static anni_cursor first_cursor(void) {
    return (anni_cursor){.train = {NAN, NAN},
                         .test = {NAN, NAN},
                         .loss_scale = anni_nonfinite_first_scale(),
                         .stop = anni_stop_first(),
                         .choice = anni_choice_first(),
                         .lr_factor = 1};
}

/* What it had does not count any more. */
static ann_status run_again(anni_phase *phase, anni_cursor *cursor, anni_result *result) {
    anni_run *run = phase->run;
    anni_say(run, "%s  runs again: %s", phase->config->name, phase->changed);
    ANN_TRY(ann_agree(run->comm, run->rank == 0 ? anni_aside_phase(run, phase->config->name) : ANN_OK));
    phase->changed[0] = '\0';
    *cursor = first_cursor();
    run->metrics_lines = 0;
    result->checkpoint[0] = '\0';
    tell_began(phase, cursor);
    return anni_phase_run(phase, cursor, "");
}

/* Goes on from the newest checkpoint made before result->checkpoint ("": from the newest). */
static ann_status run_from(anni_phase *phase, anni_cursor *cursor, anni_result *result) {
    anni_run *run = phase->run;
    char restore[ANNI_PATH_BYTES];
    if (run->options->resume || phase->bad_count > 0)
        ANN_TRY(anni_cursor_find(phase, cursor, result->checkpoint, sizeof result->checkpoint));
    if (phase->changed[0]) return run_again(phase, cursor, result);
    tell_began(phase, cursor);
    if (cursor->finished) {
        bool there;
        ANN_TRY(anni_untrained_is_there(&there, phase));
        if (there) return check_finished(phase, result->checkpoint);
        return anni_phase_run(phase, cursor, "");
    }
    memcpy(restore, result->checkpoint, sizeof restore);
    if (restore[0])
        anni_say(run, "%s  resumes at step %lld from %s", phase->config->name, (long long)cursor->step,
                 restore);
    return anni_phase_run(phase, cursor, restore);
}

/* Everything since the newest checkpoint, or since the phase began, is done again. */
static void roll_back(anni_phase *phase, anni_result *result) {
    if (phase->run->rank == 0)
        ann_log_line(ANN_LOG_WARN, "%s: back to the newest checkpoint", ann_error_text());
    result->checkpoint[0] = '\0';
    phase->rolls_back = false;
    phase->tells_rollback = true;
}

static ann_status run_opened(anni_phase *phase) {
    anni_result *result = &phase->run->results[phase->index];
    anni_cursor cursor;
    ann_status status;
    ANN_TRY(anni_lineage_parents(phase));
    do {
        cursor = first_cursor();
        phase->run->metrics_lines = 0;
        if (phase->rolls_back) roll_back(phase, result);
        phase->bad_checkpoint = false;
        status = run_from(phase, &cursor, result);
    } while (phase->bad_checkpoint || phase->rolls_back);
    ANN_TRY(status);
    result->finished = true;
    result->test = cursor.test;
    result->elapsed_s = cursor.elapsed_s;
    tell_done(phase, result);
    return ANN_OK;
}

static int threads_of(const anni_run *run, int index) {
    const int wanted = run->config->phases[index].resources.threads;
    if (run->options->threads > 0) return run->options->threads;
    return wanted > 0 ? wanted : anni_threads_per_rank(run->comm);
}

/* The phase was done by another job, and one of this job's loads from it, or comes from it through others. */
static ann_status take_finished(anni_phase *phase, anni_need need) {
    anni_result *result = &phase->run->results[phase->index];
    anni_cursor cursor = {.finished = false};
    ANN_TRY(anni_lineage_parents_left(phase));
    ANN_TRY(anni_cursor_find(phase, &cursor, result->checkpoint, sizeof result->checkpoint));
    if (phase->changed[0])
        return ann_error(ANN_ERR_CONFIG,
                         "another phase %s '%s', which has finished in %s otherwise than it would now: "
                         "%s: run it again first, with --resume --only %s",
                         need == ANNI_NEED_LOADED ? "loads from" : "comes, through others, from",
                         phase->config->name, phase->run->config->output, phase->changed,
                         phase->config->name);
    if (need == ANNI_NEED_BEHIND) {
        if (!cursor.finished) result->checkpoint[0] = '\0';
        return ANN_OK;
    }
    if (!cursor.finished)
        return ann_error(ANN_ERR_CONFIG,
                         "the phase '%s' has not finished in %s, and another one loads from it: run it "
                         "first, with --only %s",
                         phase->config->name, phase->run->config->output, phase->config->name);
    result->finished = true;
    result->test = cursor.test;
    result->elapsed_s = cursor.elapsed_s;
    ANN_TRY(check_finished(phase, result->checkpoint));
    tell_done(phase, result);
    return ANN_OK;
}

static ann_status take(anni_run *run, int index, anni_need need) {
    anni_phase phase;
    if (run->results[index].finished) return ANN_OK;
    ann_status status = ann_agree(run->comm, anni_phase_open(&phase, run, index));
    if (status == ANN_OK) status = take_finished(&phase, need);
    anni_phase_close(&phase);
    return status;
}

/* What the job is not about, but needs: found out before any work starts. */
static ann_status take_needed(anni_run *run) {
    for (int i = 0; i < run->graph->count; i++) {
        const int index = run->graph->order[i];
        const anni_need need = anni_need_of(run, index);
        if (!run->selected[index] && need != ANNI_NEED_NONE) ANN_TRY(take(run, index, need));
    }
    return ANN_OK;
}

static ann_status run_phase(anni_run *run, int index) {
    anni_phase phase;
    run->threads = threads_of(run, index);
    for (int from = 0; from < run->graph->count; from++)
        if (ann_run_graph_edge(run->graph, from, index) == ANN_RUN_EDGE_LOAD)
            ANN_TRY(take(run, from, ANNI_NEED_LOADED));
    if (run->config->phases[index].resources.threads > 0)
        anni_say(run, "%s  %d thread%s a rank", run->config->phases[index].name, run->threads,
                 run->threads == 1 ? "" : "s");
    ann_status status = ann_agree(run->comm, anni_phase_open(&phase, run, index));
    if (status == ANN_OK) status = run_opened(&phase);
    anni_metrics_end(run);
    anni_phase_close(&phase);
    return status;
}

static ann_status run_all(anni_run *run) {
    ANN_TRY(ann_agree(run->comm, anni_selection_new(run)));
    ANN_TRY(ann_agree(run->comm, check_phases(run)));
    ANN_TRY(take_needed(run));
    ANN_TRY(prepare_output(run));
    ANN_TRY(anni_tuning_begin(run));
    anni_say(run, "%s: %d rank%s x %d thread%s, output %s", run->config->name, run->size,
             run->size == 1 ? "" : "s", run->threads, run->threads == 1 ? "" : "s", run->config->output);
    for (;;) {
        int next;
        ANN_TRY(anni_next_phase(run, &next));
        if (next < 0) break;
        ANN_TRY(run_phase(run, next));
        if (run->rank == 0) anni_claim_drop(run, run->config->phases[next].name);
    }
    anni_table(run);
    return ANN_OK;
}

ann_status ann_train(ann_comm *comm, const ann_run_config *config, const ann_train_options *options) {
    anni_run run = {.comm = comm,
                    .config = config,
                    .options = options,
                    .rank = ann_comm_rank(comm),
                    .size = ann_comm_size(comm),
                    .threads = options->threads > 0 ? options->threads : anni_threads_per_rank(comm),
                    .metrics_fd = -1,
                    .claims_fd = -1,
                    .checkpoint_s = -1};
    ann_kernel_init();
    run.results = calloc((size_t)config->phase_count, sizeof *run.results);
    run.paces = calloc((size_t)run.size, sizeof *run.paces);
    run.numbers = calloc((size_t)run.size, sizeof *run.numbers);
    run.hashes = calloc((size_t)run.size, sizeof *run.hashes);
    ann_status status =
        ann_agree(comm, run.results && run.paces && run.numbers && run.hashes
                            ? ANN_OK
                            : ann_error(ANN_ERR_MEMORY, "no memory for the results of the phases"));
    if (status == ANN_OK) status = run_all(&run);
    anni_claim_close(&run);
    anni_selection_free(&run);
    free(run.results);
    free(run.paces);
    free(run.numbers);
    free(run.hashes);
    return status;
}

/* ---- for tools ---- */

static ann_status graph_of(ann_graph **graph, ann_store **store, const anni_phase *phase, int stage,
                           int size) {
    int64_t first, count;
    const int micro = anni_micro_count(phase);
    if (phase->config->kind == ANN_PHASE_EXPORT)
        return ann_error(ANN_ERR_CONFIG, "%s: phase %s: kind export computes nothing",
                         phase->run->config->path, phase->config->name);
    ann_data_shard(&first, &count, 0, phase->config->batch, 0, size);
    ANN_TRY(ann_store_new(store, phase->run->config->seed));
    if (phase->config->kind == ANN_PHASE_EVALUATE)
        return anni_eval_graph(graph, *store, phase, stage, ANNI_EVAL_BATCH);
    return anni_train_graph(graph, *store, phase, stage,
                            (anni_extent){.local = count > 0 ? count / micro : 1,
                                          .global = phase->config->batch,
                                          .index = micro - 1,
                                          .count = micro,
                                          .stage = stage});
}

ann_status ann_train_graph(ann_graph **graph, ann_store **store, const ann_run_config *config,
                           const char *phase_name, int stage, int size) {
    const ann_train_options options = {0};
    anni_run run = {.config = config, .options = &options, .size = size};
    anni_phase phase;
    const int index = ann_run_config_find_phase(config, phase_name);
    *graph = NULL;
    *store = NULL;
    if (index < 0)
        return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no phase \"%s\"", config->path, phase_name);
    ann_status status = anni_phase_open(&phase, &run, index);
    if (status == ANN_OK) status = graph_of(graph, store, &phase, stage, size);
    anni_phase_close(&phase);
    if (status != ANN_OK) {
        ann_store_free(*store);
        *store = NULL;
    }
    return status;
}
