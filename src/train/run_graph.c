#include "train/run_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static const char *nearest_phase(const ann_run_config *config, const char *name) {
    const char **names = calloc((size_t)config->phase_count, sizeof *names);
    if (!names) return NULL;
    for (int i = 0; i < config->phase_count; i++) names[i] = config->phases[i].name;
    const char *nearest = ann_nearest_word(name, names, config->phase_count);
    free(names);
    return nearest;
}

/* ", did you mean 'x'?", or nothing. Returns buf. */
static const char *suggestion(char *buf, size_t size, const ann_run_config *config, const char *name) {
    const char *nearest = nearest_phase(config, name);
    buf[0] = '\0';
    if (nearest) snprintf(buf, size, ", did you mean '%s'?", nearest);
    return buf;
}

/* ---- edges ---- */

static ann_run_edge *edge_at(const ann_run_graph *g, int from, int to) {
    return &g->edges[(size_t)to * (size_t)g->count + (size_t)from];
}

static bool *need_at(const ann_run_graph *g, int from, int to) {
    return &g->needs[(size_t)to * (size_t)g->count + (size_t)from];
}

ann_run_edge ann_run_graph_edge(const ann_run_graph *g, int from, int to) { return *edge_at(g, from, to); }

/* `node` is the name in the run file. */
static ann_status add_edge(ann_run_graph *g, const ann_run_config *config, int to, const char *name,
                           const ann_yaml_node *node, ann_run_edge edge) {
    char nearest[160];
    const int from = ann_run_config_find_phase(config, name);
    if (from < 0)
        return ann_yaml_error(node, "there is no phase '%s'%s", name,
                              suggestion(nearest, sizeof nearest, config, name));
    if (from == to) return ann_yaml_error(node, "the phase '%s' would have to wait for itself", name);
    if (edge > *edge_at(g, from, to)) *edge_at(g, from, to) = edge;
    return ANN_OK;
}

static const ann_yaml_node *load_node(const ann_phase_config *phase) {
    const ann_yaml_node *load = ann_yaml_find(phase->node, "load");
    return load ? ann_yaml_find(load, "from") : NULL;
}

static ann_status add_edges(ann_run_graph *g, const ann_run_config *config) {
    for (int to = 0; to < config->phase_count; to++) {
        const ann_phase_config *phase = &config->phases[to];
        const ann_yaml_node *after = ann_yaml_find(phase->node, "after");
        for (int i = 0; i < phase->after_count; i++)
            ANN_TRY(add_edge(g, config, to, phase->after[i], after->items[i], ANN_RUN_EDGE_AFTER));
        if (phase->load_from)
            ANN_TRY(add_edge(g, config, to, phase->load_from, load_node(phase), ANN_RUN_EDGE_LOAD));
    }
    return ANN_OK;
}

/* ---- order ---- */

/* The first phase of the file that is not placed yet and needs none of those; -1: there is none. */
static int find_ready(const ann_run_graph *g, const bool *placed) {
    for (int to = 0; to < g->count; to++) {
        bool ready = !placed[to];
        for (int from = 0; from < g->count && ready; from++) ready = placed[from] || !*edge_at(g, from, to);
        if (ready) return to;
    }
    return -1;
}

/* The first phase that is not placed yet and that `to` needs. */
static int find_waited_for(const ann_run_graph *g, const bool *placed, int to) {
    int from = 0;
    while (placed[from] || !*edge_at(g, from, to)) from++;
    return from;
}

/* The name of phase `from` where phase `to` asks for it. */
static const ann_yaml_node *edge_node(const ann_run_config *config, int from, int to) {
    const ann_phase_config *phase = &config->phases[to];
    for (int i = 0; i < phase->after_count; i++)
        if (strcmp(phase->after[i], config->phases[from].name) == 0)
            return ann_yaml_find(phase->node, "after")->items[i];
    return load_node(phase);
}

/* Each phase that is left waits for another one that is left: going back far enough ends in a cycle. */
static ann_status cycle_error(const ann_run_graph *g, const ann_run_config *config, const bool *placed) {
    char text[512];
    int first = 0;
    while (placed[first]) first++;
    for (int i = 0; i < g->count; i++) first = find_waited_for(g, placed, first);
    int least = first; /* of the cycle: in the file, too */
    for (int at = find_waited_for(g, placed, first); at != first; at = find_waited_for(g, placed, at))
        if (at < least) least = at;
    first = least;
    const int waited_for = find_waited_for(g, placed, first);
    size_t used = (size_t)snprintf(text, sizeof text, "'%s'", config->phases[first].name);
    for (int at = waited_for;; at = find_waited_for(g, placed, at)) {
        const int n = snprintf(text + used, sizeof text - used, " waits for '%s'%s", config->phases[at].name,
                               at == first ? "" : ", which");
        if (n < 0 || used + (size_t)n >= sizeof text || at == first) break;
        used += (size_t)n;
    }
    return ann_yaml_error(edge_node(config, waited_for, first), "phases wait for each other: %s", text);
}

/* Layer and needs of a phase, behind those of all that it needs. */
static void follow_edges(ann_run_graph *g, int to) {
    for (int from = 0; from < g->count; from++) {
        if (!*edge_at(g, from, to)) continue;
        if (g->layer[from] >= g->layer[to]) g->layer[to] = g->layer[from] + 1;
        *need_at(g, from, to) = true;
        for (int i = 0; i < g->count; i++)
            if (*need_at(g, i, from)) *need_at(g, i, to) = true;
    }
}

static ann_status find_order(ann_run_graph *g, const ann_run_config *config, bool *placed) {
    for (int i = 0; i < g->count; i++) {
        const int next = find_ready(g, placed);
        if (next < 0) return cycle_error(g, config, placed);
        placed[next] = true;
        g->order[i] = next;
        follow_edges(g, next);
    }
    return ANN_OK;
}

static ann_status fill(ann_run_graph *g, const ann_run_config *config) {
    const size_t n = (size_t)config->phase_count;
    g->count = config->phase_count;
    g->edges = calloc(n * n, sizeof *g->edges);
    g->needs = calloc(n * n, sizeof *g->needs);
    g->order = calloc(n, sizeof *g->order);
    g->layer = calloc(n, sizeof *g->layer);
    bool *placed = calloc(n, sizeof *placed);
    ann_status status = g->edges && g->needs && g->order && g->layer && placed
                            ? add_edges(g, config)
                            : ann_error(ANN_ERR_MEMORY, "no memory for the graph of the run's phases");
    if (status == ANN_OK) status = find_order(g, config, placed);
    free(placed);
    return status;
}

ann_status ann_run_graph_new(ann_run_graph **out, const ann_run_config *config) {
    *out = NULL;
    ann_run_graph *g = calloc(1, sizeof *g);
    if (!g) return ann_error(ANN_ERR_MEMORY, "no memory for the graph of the run's phases");
    const ann_status status = fill(g, config);
    if (status == ANN_OK) *out = g;
    else ann_run_graph_free(g);
    return status;
}

void ann_run_graph_free(ann_run_graph *g) {
    if (!g) return;
    free(g->edges);
    free(g->needs);
    free(g->order);
    free(g->layer);
    free(g);
}

/* ---- paths ---- */

bool ann_run_graph_needs(const ann_run_graph *g, int later, int earlier) {
    return *need_at(g, earlier, later);
}

static ann_status find_named(int *out, const ann_run_config *config, const char *name) {
    char nearest[160];
    *out = ann_run_config_find_phase(config, name);
    if (*out >= 0) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "%s has no phase '%s'%s", config->path, name,
                     suggestion(nearest, sizeof nearest, config, name));
}

ann_status ann_run_graph_select(bool *selected, const ann_run_graph *g, const ann_run_config *config,
                                const char *from, const char *const *only, int only_count) {
    int index;
    for (int i = 0; i < g->count; i++) selected[i] = !from && only_count == 0;
    for (int i = 0; i < only_count; i++) {
        ANN_TRY(find_named(&index, config, only[i]));
        selected[index] = true;
    }
    if (!from) return ANN_OK;
    ANN_TRY(find_named(&index, config, from));
    for (int i = 0; i < g->count; i++)
        if (i == index || ann_run_graph_needs(g, i, index)) selected[i] = true;
    return ANN_OK;
}
