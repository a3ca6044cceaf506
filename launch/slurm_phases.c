/* A job for each phase: --executor slurm. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "slurm_job.h"

/* "afterok:17:18", of the jobs whose phases this one needs; "" if there are none. Owner of *out: the caller.
 */
static ann_status dependency(char **out, const ann_run_graph *graph, const int64_t *numbers, int index) {
    size_t size;
    FILE *to = open_memstream(out, &size);
    if (!to) return ann_error(ANN_ERR_MEMORY, "no memory for a job's dependencies");
    for (int from = 0, n = 0; from < graph->count; from++)
        if (ann_run_graph_edge(graph, from, index) != ANN_RUN_EDGE_NONE)
            fprintf(to, "%s:%" PRId64, n++ ? "" : "afterok", numbers[from]);
    if (fclose(to) == 0) return ANN_OK;
    free(*out);
    return ann_error(ANN_ERR_MEMORY, "no memory for a job's dependencies");
}

/* The phase's own size where it has one. */
static ann_status resize(slurm_job *job, char nodes[16], const ann_phase_config *phase) {
    const ann_resources_config *r = &phase->resources;
    if (r->threads > 0) job->threads = r->threads;
    if (r->nodes > 0) {
        (void)snprintf(nodes, 16, "%d", r->nodes);
        job->nodes = nodes;
    }
    if (r->ranks == 0) return ANN_OK;
    char *end;
    const long count = strtol(job->nodes, &end, 10);
    if (*end || count <= 0 || r->ranks % count != 0)
        return ann_error(ANN_ERR_CONFIG,
                         "the phase '%s' is to run on %d ranks, which cannot be shared out over %s nodes",
                         phase->name, r->ranks, job->nodes);
    job->tasks = r->ranks / count;
    return ANN_OK;
}

static ann_status submit_phase(int64_t *numbers, const slurm_job *like, const ann_run_config *config,
                               const ann_run_graph *graph, int index) {
    slurm_job job = *like;
    char nodes[16], name[256], *after;
    const ann_phase_config *phase = &config->phases[index];
    ANN_TRY(resize(&job, nodes, phase));
    ANN_TRY(dependency(&after, graph, numbers, index));
    (void)snprintf(name, sizeof name, "%s-%s", config->name, phase->name);
    job.phase = phase->name;
    job.after = after;
    const ann_status status = slurm_job_submit(&numbers[index], &job, name);
    if (status == ANN_OK)
        printf("%-20s %10" PRId64 "  %-8s %5" PRId64 "  %s\n", phase->name, numbers[index], job.nodes,
               job.tasks, after);
    free(after);
    return status;
}

ann_status slurm_phases_submit(const slurm_job *like, const ann_run_config *config) {
    ann_run_graph *graph = NULL;
    int64_t *numbers = calloc((size_t)config->phase_count, sizeof *numbers);
    ann_status status =
        numbers ? ann_run_graph_new(&graph, config) : ann_error(ANN_ERR_MEMORY, "no memory for jobs");
    if (status == ANN_OK) printf("%-20s %10s  %-8s %5s  %s\n", "phase", "job", "nodes", "tasks", "after");
    for (int i = 0; status == ANN_OK && i < graph->count; i++)
        status = submit_phase(numbers, like, config, graph, graph->order[i]);
    ann_run_graph_free(graph);
    free(numbers);
    return status;
}
