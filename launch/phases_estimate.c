/* annulus run --dry-run: what the phases amount to, from the run file, the datasets and a short calibration.
 */
#include <math.h>
#include <stdlib.h>
#include "base/log.h"
#include "cli.h"
#include "job.h"
#include "kernel/kernel.h"
#include "phases.h"
#include "plan.h"

static int threads_here(const ann_comm *comm) {
    const int threads = plan_cores() / ann_comm_local_size(comm);
    return threads > 0 ? threads : 1;
}

/* Adds a stage to what is known of its phase. */
static ann_status estimate_stage(ann_comm *comm, const run_estimate *e, int index, int stage, int threads) {
    const ann_phase_config *phase = &e->config->phases[index];
    phase_estimate *out = &e->phases[index];
    ann_train_outline outline;
    plan_compute step;
    ANN_TRY(ann_agree(comm, ann_train_outline_of(&outline, e->config, index, stage, out->ranks)));
    out->parameters = outline.parameters;
    out->steps += outline.steps;
    if (phase->kind == ANN_PHASE_EXPORT) return ANN_OK;
    const ann_status status = plan_measure(comm, &step, e->config, phase, stage, out->ranks, threads);
    free(step.messages);
    out->seconds += (step.before_s + step.update_s) * (double)outline.steps;
    return status;
}

static ann_status estimate_phase(ann_comm *comm, const run_estimate *e, int index) {
    const ann_phase_config *phase = &e->config->phases[index];
    const int wanted = phase->resources.threads, threads = e->threads > 0 ? e->threads
                                                           : wanted > 0   ? wanted
                                                                          : threads_here(comm);
    e->phases[index] =
        (phase_estimate){.ranks = phase->resources.ranks > 0 ? phase->resources.ranks : ann_comm_size(comm),
                         .seconds = phase->kind == ANN_PHASE_EXPORT ? NAN : 0};
    for (int stage = 0; stage < phase->stage_count; stage++)
        ANN_TRY(estimate_stage(comm, e, index, stage, threads));
    return ANN_OK;
}

static ann_status estimate(ann_comm *comm, run_estimate *e, const phases_request *r) {
    const size_t n = (size_t)e->config->phase_count;
    ann_status status = ann_run_graph_new(&e->graph, e->config);
    e->selected = calloc(n, sizeof *e->selected);
    e->phases = calloc(n, sizeof *e->phases);
    const bool room = e->selected && e->phases;
    if (status == ANN_OK && !room)
        status = ann_error(ANN_ERR_MEMORY, "no memory for the estimates of phases");
    if (status == ANN_OK)
        status = ann_run_graph_select(e->selected, e->graph, e->config, r->from, r->only, r->only_count);
    ANN_TRY(ann_agree(comm, status));
    for (int i = 0; room && i < e->config->phase_count; i++)
        if (e->selected[i]) ANN_TRY(estimate_phase(comm, e, i));
    return ANN_OK;
}

static ann_status show(ann_comm *comm, const run_estimate *e, const char *plot) {
    ann_status status = ANN_OK;
    if (ann_comm_rank(comm) == 0) {
        status = phases_print(e);
        if (status == ANN_OK && plot) status = phases_plot(e, plot);
    }
    return ann_agree(comm, status);
}

int phases_estimate(const phases_request *r, const char *plot) {
    job j;
    ann_comm *comm = NULL;
    ann_run_config *config = NULL;
    ann_kernel_init();
    ann_status status = job_begin(&j);
    if (r->verbose) ann_log_setup(ANN_LOG_DEBUG, j.rank);
    if (status == ANN_OK) status = job_config(&config, &comm, &j, r->path, r->sets, r->set_count);
    run_estimate e = {.config = config};
    if (status == ANN_OK) {
        e.threads = (int)r->threads;
        status = estimate(comm, &e, r);
    }
    if (status == ANN_OK) status = show(comm, &e, plot);
    ann_run_graph_free(e.graph);
    free(e.selected);
    free(e.phases);
    return job_finish(&j, comm, config, status);
}
