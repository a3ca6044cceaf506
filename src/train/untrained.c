/* Phases without training: evaluate and export. Each leaves a checkpoint without tensors, whose metadata hold
   its result, so that a resume and the tools treat it as any other phase. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "ckpt/tools.h"
#include "train/phase.h"

/* ---- evaluate ---- */

/* The model with the tensors that the phase loads. */
static ann_status load_model(ann_store **store, const anni_phase *phase) {
    ann_graph *graph;
    ANN_TRY(ann_store_new(store, phase->run->config->seed));
    ANN_TRY(anni_eval_graph(&graph, *store, phase, 0, 1));
    ann_graph_free(graph);
    ANN_TRY(ann_store_commit(*store));
    return anni_map_load(*store, phase);
}

static ann_status evaluate(anni_phase *phase, anni_cursor *cursor) {
    ann_store *store = NULL;
    ann_status status = ann_agree(phase->run->comm, load_model(&store, phase));
    if (status == ANN_OK) status = anni_evaluate_and_say(phase, cursor, store);
    ann_store_free(store);
    return status;
}

/* ---- export ---- */

static ann_status file_path(char path[ANNI_PATH_BYTES], const anni_phase *phase) {
    const char *file = phase->config->export_file;
    const int n = file[0] == '/' ? snprintf(path, ANNI_PATH_BYTES, "%s", file)
                                 : snprintf(path, ANNI_PATH_BYTES, "%s/%s", phase->run->config->output, file);
    if (n < ANNI_PATH_BYTES) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "phase %s: file: %.64s... is too long", phase->config->name, path);
}

/* On rank 0. */
static ann_status write_file(const anni_phase *phase, const char *path) {
    ann_ckpt *ckpt;
    char from[ANNI_PATH_BYTES], folder[ANNI_PATH_BYTES];
    int tensors = 0;
    int64_t bytes = 0;
    ann_ckpt_export_options options = {.tensors = phase->config->load_tensors, .roles = ANN_CKPT_ROLES_MODEL};
    if (!ann_ckpt_file_format_of(&options.format, path))
        return ann_error(ANN_ERR_INTERNAL, "%s has no known format", path);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    if (folder[0]) ANN_TRY(anni_make_directories(folder));
    ANN_TRY(anni_load_path(from, phase));
    ANN_TRY(ann_ckpt_peek(&ckpt, from));
    const ann_status status = ann_ckpt_export(&tensors, &bytes, ckpt, path, &options);
    ann_ckpt_close(ckpt);
    ANN_TRY(status);
    anni_say(phase->run, "%s: wrote %d tensors from %s (%s) to %s, %lld bytes", phase->config->name, tensors,
             phase->config->load_from, phase->config->load_tensors, path, (long long)bytes);
    return ANN_OK;
}

static ann_status export_model(const anni_phase *phase) {
    char path[ANNI_PATH_BYTES];
    ann_status status = file_path(path, phase);
    if (status == ANN_OK && phase->run->rank == 0) status = write_file(phase, path);
    return ann_agree(phase->run->comm, status);
}

ann_status anni_untrained_is_there(bool *out, const anni_phase *phase) {
    char path[ANNI_PATH_BYTES];
    double there = 1;
    if (phase->config->kind == ANN_PHASE_EXPORT) {
        ANN_TRY(file_path(path, phase));
        there = phase->run->rank == 0 && access(path, F_OK) == 0;
        ANN_TRY(ann_comm_allreduce(phase->run->comm, &there, 1, ANN_F64));
    }
    *out = there > 0;
    return ANN_OK;
}

/* ---- both ---- */

ann_status anni_untrained_run(anni_phase *phase, anni_cursor *cursor, ann_store **store) {
    const int64_t begin_ns = ann_clock_ns();
    ANN_TRY(ann_agree(phase->run->comm, anni_metrics_begin(phase)));
    ANN_TRY(phase->config->kind == ANN_PHASE_EXPORT ? export_model(phase) : evaluate(phase, cursor));
    cursor->elapsed_s = 1e-9 * (double)(ann_clock_ns() - begin_ns);
    ann_status status = ann_store_new(store, phase->run->config->seed);
    if (status == ANN_OK) status = ann_store_commit(*store);
    return ann_agree(phase->run->comm, status);
}
