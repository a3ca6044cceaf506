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

/* The place of a key of phases[].resources, for errors. */
static const ann_yaml_node *place_of(const ann_phase_config *phase, const char *key) {
    return ann_yaml_find(ann_yaml_find(phase->node, "resources"), key);
}

ann_status anni_check_resources(const anni_run *run) {
    const int hosts = ann_comm_host_count(run->comm);
    for (int i = 0; i < run->config->phase_count; i++) {
        const ann_phase_config *phase = &run->config->phases[i];
        const ann_resources_config *r = &phase->resources;
        if (!run->selected[i]) continue;
        if (r->ranks > 0 && r->ranks != run->size)
            return ann_yaml_error(place_of(phase, "ranks"),
                                  "the phase '%s' is to run on %d ranks, and this job has %d: mpirun -n %d, "
                                  "with annulus run --only where phases differ",
                                  phase->name, r->ranks, run->size, r->ranks);
        if (r->nodes > 0 && r->nodes != hosts)
            return ann_yaml_error(
                place_of(phase, "nodes"),
                "the phase '%s' is to run on %d hosts, and the ranks of this job are on %d: "
                "mpirun --host or srun --nodes %d, with annulus run --only where phases "
                "differ",
                phase->name, r->nodes, hosts, r->nodes);
    }
    return ANN_OK;
}

/* ---- phases of earlier jobs ---- */

/* The phase from which phase `index` loads, or -1. */
static int parent_of(const anni_run *run, int index) {
    const char *from = run->config->phases[index].load_from;
    return from ? ann_run_config_find_phase(run->config, from) : -1;
}

anni_need anni_need_of(const anni_run *run, int index) {
    anni_need need = ANNI_NEED_NONE;
    for (int i = 0; i < run->config->phase_count; i++) {
        if (!run->selected[i]) continue;
        int parent = parent_of(run, i);
        if (parent == index) return ANNI_NEED_LOADED;
        while (parent >= 0 && parent != index && !run->selected[parent]) parent = parent_of(run, parent);
        if (parent == index) need = ANNI_NEED_BEHIND;
    }
    return need;
}

ann_status anni_move_phases_aside(anni_run *run) {
    for (int i = 0; i < run->config->phase_count; i++)
        if (run->selected[i]) ANN_TRY(anni_aside_phase(run, run->config->phases[i].name));
    return ANN_OK;
}
