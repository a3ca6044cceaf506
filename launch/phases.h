/* What `annulus train` and `annulus run` share: one executor of the phases of a run file. */
#ifndef ANNULUS_LAUNCH_PHASES_H
#define ANNULUS_LAUNCH_PHASES_H

#include "leader.h"
#include "train/run_graph.h"
#include "train/train.h"

typedef struct phases_request {
    const char *path; /* of the run file */
    const char **sets;
    int set_count;
    const char *from;  /* as in ann_train_options, */
    const char **only; /* and this */
    int only_count;
    bool resume, verbose;
    leader_options leader;
    int64_t threads; /* 0: not said */
} phases_request;

/* Reads a run file and checks it: keys, values, graph, model and dataset of every phase. *out is to be freed
   even after a failure; it starts as NULL. Local. */
ann_status phases_load(ann_run_config **out, const char *path, const char **sets,
                       int set_count) ANN_MUST_CHECK;
/* The same, and says so. Returns the exit code. */
int phases_check(const phases_request *r);
/* Runs the phases as one job. Returns the exit code. Collective over the job's processes. */
int phases_run(const phases_request *r);

/* ---- an estimate, without running: phases_estimate.c ---- */

typedef struct phase_estimate {
    int64_t parameters, steps;
    int ranks;
    double seconds; /* of computing; NAN: not estimated */
} phase_estimate;

typedef struct run_estimate {
    const ann_run_config *config;
    ann_run_graph *graph;
    bool *selected;         /* [phase_count] */
    phase_estimate *phases; /* [phase_count]; of those that are selected */
    int threads;            /* of a rank; 0: as the phase or the host says */
} run_estimate;

/* Prints the graph as a table, measuring a step of each phase on all ranks of the job, and draws it into
   `plot` (NULL: not). Returns the exit code. Collective over the job's processes. */
int phases_estimate(const phases_request *r, const char *plot);

/* phases_print.c: the table, to stdout. Errors: ANN_ERR_MEMORY. */
ann_status phases_print(const run_estimate *e) ANN_MUST_CHECK;
/* "1:05", "2:03:04"; "-" for NAN. Returns buf. */
const char *phases_time(char *buf, size_t size, double seconds);

/* phases_plot.c: the drawing. Errors: ANN_ERR_IO, ANN_ERR_MEMORY. */
ann_status phases_plot(const run_estimate *e, const char *path) ANN_MUST_CHECK;

#endif
