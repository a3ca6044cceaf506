/* The directed graph of a run: phases, and edges from a phase to those that need it to have finished. Pure
   functions of the checked or unchecked run file; nothing here communicates or looks at files.

   An edge comes from phases[].after, which fixes the order alone, or from phases[].load.from, which takes
   tensors over as well. Phases that no path connects are independent branches. */
#ifndef ANN_TRAIN_RUN_GRAPH_H
#define ANN_TRAIN_RUN_GRAPH_H

#include "train/config.h"

typedef enum ann_run_edge {
    ANN_RUN_EDGE_NONE,
    ANN_RUN_EDGE_AFTER,
    ANN_RUN_EDGE_LOAD /* also where both keys name the phase */
} ann_run_edge;

typedef struct ann_run_graph {
    int count;           /* phases, by their index in the run file */
    ann_run_edge *edges; /* [count to][count from] */
    bool *needs;         /* [count to][count from]: directly or through others */
    int *order;          /* [count]: each phase behind all that it needs; else as in the file */
    int *layer;          /* [count]: edges of the longest path to the phase; 0: it needs no other */
} ann_run_graph;

/* Errors: ANN_ERR_CONFIG, with its place in the run file (a name that no phase has, a phase that needs
   itself, a cycle, which is named), ANN_ERR_MEMORY. Owner: the caller, ann_run_graph_free. Local. */
ann_status ann_run_graph_new(ann_run_graph **out, const ann_run_config *config) ANN_MUST_CHECK;
void ann_run_graph_free(ann_run_graph *graph);

/* What phase `to` needs of phase `from`. */
ann_run_edge ann_run_graph_edge(const ann_run_graph *graph, int from, int to);
/* Whether phase `later` needs phase `earlier`, directly or through others; false for a phase and itself. */
bool ann_run_graph_needs(const ann_run_graph *graph, int later, int earlier);

/* Which phases a command is about: `from` (NULL: not given): it and all that need it; only[only_count]:
   these; neither: all. selected: [count]. Errors: ANN_ERR_CONFIG (no phase is called so). Local. */
ann_status ann_run_graph_select(bool *selected, const ann_run_graph *graph, const ann_run_config *config,
                                const char *from, const char *const *only, int only_count) ANN_MUST_CHECK;

#endif
