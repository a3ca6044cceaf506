/* A run: its phases one after the other. */
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

static ann_status make_directories(const char *path) {
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

/* A fresh start must not find, nor destroy, what an earlier run left: that moves to "OUTPUT.1", "OUTPUT.2"
 * ... */
static ann_status move_aside(const anni_run *run) {
    const char *output = run->config->output;
    char aside[ANNI_PATH_BYTES];
    struct stat info;
    if (stat(output, &info) == 0 && !S_ISDIR(info.st_mode))
        return ann_error(ANN_ERR_IO, "output %s: is not a folder", output);
    if (rmdir(output) == 0 || errno == ENOENT || errno == ENOTDIR) return ANN_OK;
    for (int i = 1;; i++) {
        if (snprintf(aside, sizeof aside, "%s.%d", output, i) >= (int)sizeof aside)
            return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", output);
        if (lstat(aside, &info) != 0) break;
    }
    if (rename(output, aside) != 0)
        return ann_error(ANN_ERR_IO, "output %s: cannot move it to %s: %s", output, aside, strerror(errno));
    anni_say(run, "%s was there already: moved to %s (--resume goes on from it instead)", output, aside);
    return ANN_OK;
}

static ann_status prepare_output(anni_run *run) {
    ann_status status = ANN_OK;
    if (run->rank == 0 && !run->options->resume) status = move_aside(run);
    if (run->rank == 0 && status == ANN_OK) status = make_directories(run->config->output);
    if (status == ANN_OK) anni_control_clear(run);
    if (status == ANN_OK) status = anni_metrics_open(run);
    return ann_agree(run->comm, status);
}

/* ---- phases ---- */

/* The model of every stage fits its data: found out before any work starts. */
static ann_status check_stages(const anni_phase *phase) {
    for (int i = 0; i < phase->config->stage_count; i++) {
        ann_store *store;
        ann_graph *graph = NULL;
        ANN_TRY(ann_store_new(&store, phase->run->config->seed));
        const ann_status status = anni_train_graph(&graph, store, phase, i, (anni_extent){1, 1, 0, 1});
        ann_graph_free(graph);
        ann_store_free(store);
        ANN_TRY(status);
    }
    return ANN_OK;
}

static ann_status check_phases(anni_run *run) {
    for (int i = 0; i < run->config->phase_count; i++) {
        anni_phase phase;
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

/* Goes on from the newest checkpoint made before result->checkpoint ("": from the newest). */
static ann_status run_from(anni_phase *phase, anni_cursor *cursor, anni_result *result) {
    anni_run *run = phase->run;
    char restore[ANNI_PATH_BYTES];
    if (run->options->resume || phase->bad_count > 0)
        ANN_TRY(anni_cursor_find(phase, cursor, result->checkpoint, sizeof result->checkpoint));
    if (cursor->finished) return check_finished(phase, result->checkpoint);
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
    phase->run->metrics_offset = phase->metrics_begin;
    phase->rolls_back = false;
    phase->tells_rollback = true;
}

static ann_status run_opened(anni_phase *phase) {
    anni_result *result = &phase->run->results[phase->index];
    anni_cursor cursor;
    ann_status status;
    phase->metrics_begin = phase->run->metrics_offset;
    do {
        cursor = (anni_cursor){
            .train = {NAN, NAN}, .test = {NAN, NAN}, .loss_scale = anni_nonfinite_first_scale()};
        if (phase->rolls_back) roll_back(phase, result);
        phase->bad_checkpoint = false;
        status = run_from(phase, &cursor, result);
    } while (phase->bad_checkpoint || phase->rolls_back);
    ANN_TRY(status);
    result->finished = true;
    result->test = cursor.test;
    result->elapsed_s = cursor.elapsed_s;
    return ANN_OK;
}

static ann_status run_phase(anni_run *run, int index) {
    anni_phase phase;
    ann_status status = ann_agree(run->comm, anni_phase_open(&phase, run, index));
    if (status == ANN_OK) status = run_opened(&phase);
    anni_phase_close(&phase);
    return status;
}

static ann_status run_all(anni_run *run) {
    ANN_TRY(ann_agree(run->comm, check_phases(run)));
    ANN_TRY(prepare_output(run));
    ANN_TRY(anni_tuning_begin(run));
    anni_say(run, "%s: %d rank%s x %d thread%s, output %s", run->config->name, run->size,
             run->size == 1 ? "" : "s", run->threads, run->threads == 1 ? "" : "s", run->config->output);
    for (int i = 0; i < run->config->phase_count; i++) ANN_TRY(run_phase(run, i));
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
    if (run.metrics_fd >= 0) close(run.metrics_fd);
    free(run.results);
    free(run.paces);
    free(run.numbers);
    free(run.hashes);
    return status;
}

/* ---- for tools ---- */

static ann_status graph_of(ann_graph **graph, ann_store **store, const anni_phase *phase, int size) {
    int64_t first, count;
    const int micro = anni_micro_count(phase);
    ann_data_shard(&first, &count, 0, phase->config->batch, 0, size);
    ANN_TRY(ann_store_new(store, phase->run->config->seed));
    return anni_train_graph(
        graph, *store, phase, 0,
        (anni_extent){count > 0 ? count / micro : 1, phase->config->batch, micro - 1, micro});
}

ann_status ann_train_graph(ann_graph **graph, ann_store **store, const ann_run_config *config,
                           const char *phase_name, int size) {
    const ann_train_options options = {0};
    anni_run run = {.config = config, .options = &options, .size = size};
    anni_phase phase;
    const int index = ann_run_config_find_phase(config, phase_name);
    *graph = NULL;
    *store = NULL;
    if (index < 0)
        return ann_error(ANN_ERR_NOT_FOUND, "%s: there is no phase \"%s\"", config->path, phase_name);
    ann_status status = anni_phase_open(&phase, &run, index);
    if (status == ANN_OK) status = graph_of(graph, store, &phase, size);
    anni_phase_close(&phase);
    if (status != ANN_OK) {
        ann_store_free(*store);
        *store = NULL;
    }
    return status;
}
