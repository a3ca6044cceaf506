#include "phases.h"

#include <stdio.h>
#include "base/log.h"
#include "cli.h"
#include "job.h"

/* Builds the graph of every stage on the phase's dataset. */
static ann_status check_phase(const ann_run_config *config, const ann_phase_config *phase) {
    for (int stage = 0; stage < phase->stage_count; stage++) {
        ann_graph *graph = NULL;
        ann_store *store = NULL;
        if (phase->kind == ANN_PHASE_EXPORT) continue; /* its model is that of another phase */
        ANN_TRY(ann_train_graph(&graph, &store, config, phase->name, stage, 1));
        ann_graph_free(graph);
        ann_store_free(store);
    }
    return ANN_OK;
}

static ann_status check_phases(const ann_run_config *config) {
    for (int i = 0; i < config->phase_count; i++) ANN_TRY(check_phase(config, &config->phases[i]));
    return ANN_OK;
}

ann_status phases_load(ann_run_config **out, const char *path, const char **sets, int set_count) {
    ANN_TRY(ann_run_config_load(out, path, sets, set_count));
    return check_phases(*out);
}

int phases_check(const phases_request *r) {
    ann_run_config *config = NULL;
    if (r->verbose) ann_log_setup(ANN_LOG_DEBUG, 0);
    const ann_status status = phases_load(&config, r->path, r->sets, r->set_count);
    if (status == ANN_OK) printf("%s: good: %d phases\n", r->path, config->phase_count);
    ann_run_config_free(config);
    return status == ANN_OK ? 0 : cli_fail(status);
}

static ann_status train(ann_comm *comm, const ann_run_config *config, const phases_request *r) {
    leader *l;
    ann_train_options options = {.resume = r->resume,
                                 .threads = (int)r->threads,
                                 .from = r->from,
                                 .only = r->only,
                                 .only_count = r->only_count,
                                 .print = cli_print,
                                 .stop_requested = job_stop_requested,
                                 .checkpoint_requested = job_checkpoint_requested,
                                 .deadline_ns = job_deadline_ns()};
    ANN_TRY(ann_agree(comm, leader_begin(&l, &r->leader, comm, config, &options)));
    options.lead = leader_lead(l);
    const ann_status status = ann_train(comm, config, &options);
    leader_end(l, status);
    return status;
}

int phases_run(const phases_request *r) {
    job j;
    ann_comm *comm = NULL;
    ann_run_config *config = NULL;
    job_catch_signals();
    ann_status status = job_begin(&j);
    if (r->verbose) ann_log_setup(ANN_LOG_DEBUG, j.rank);
    if (status == ANN_OK) status = job_config(&config, &comm, &j, r->path, r->sets, r->set_count);
    if (status == ANN_OK) status = train(comm, config, r);
    return job_finish(&j, comm, config, status);
}
