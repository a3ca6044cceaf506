/* Which phases of the run a job is about, and what becomes of the others: the ones that are not selected, but
   from which a selected one loads, must have finished in an earlier job. */
#include <stdlib.h>
#include "train/phase.h"

bool anni_selects_all(const anni_run *run) { return !run->options->from && run->options->only_count == 0; }

ann_status anni_selection_new(anni_run *run) {
    const ann_train_options *o = run->options;
    ANN_TRY(ann_run_graph_new(&run->graph, run->config));
    run->selected = calloc((size_t)run->config->phase_count, sizeof *run->selected);
    if (!run->selected) return ann_error(ANN_ERR_MEMORY, "no memory for the list of phases");
    return ann_run_graph_select(run->selected, run->graph, run->config, o->from, o->only, o->only_count);
}

void anni_selection_free(anni_run *run) {
    ann_run_graph_free(run->graph);
    free(run->selected);
}

ann_status anni_check_resources(const anni_run *run) {
    for (int i = 0; i < run->config->phase_count; i++) {
        const ann_phase_config *phase = &run->config->phases[i];
        if (!run->selected[i] || phase->resources.ranks == 0 || phase->resources.ranks == run->size) continue;
        const ann_yaml_node *node = ann_yaml_find(phase->node, "resources");
        return ann_yaml_error(ann_yaml_find(node, "ranks"),
                              "the phase '%s' is to run on %d ranks, and this job has %d: mpirun -n %d, with "
                              "annulus run --only where phases differ",
                              phase->name, phase->resources.ranks, run->size, phase->resources.ranks);
    }
    return ANN_OK;
}

/* ---- phases of earlier jobs ---- */

bool anni_is_needed(const anni_run *run, int index) {
    for (int to = 0; to < run->graph->count; to++)
        if (run->selected[to] && ann_run_graph_edge(run->graph, index, to) == ANN_RUN_EDGE_LOAD) return true;
    return false;
}

ann_status anni_move_phases_aside(anni_run *run) {
    for (int i = 0; i < run->config->phase_count; i++)
        if (run->selected[i]) ANN_TRY(anni_aside_phase(run, run->config->phases[i].name));
    return ANN_OK;
}
