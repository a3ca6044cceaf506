/* Runs: the phases of one run file, trained one after the other on all ranks of a communicator. */
#ifndef ANN_TRAIN_TRAIN_H
#define ANN_TRAIN_TRAIN_H

#include "comm/comm.h"
#include "train/config.h"

typedef struct ann_train_options {
    bool resume; /* go on from the last checkpoint in the run's output directory, and skip finished phases */
    int threads; /* per rank; 0: cores of this host / ranks on it */
    void (*print)(void *to, const char *line); /* progress and tables, on rank 0 only */
    void *to;
    bool (*stop_requested)(void); /* polled once per step; agreed over ranks; NULL: never */
} ann_train_options;

/* Trains all phases; ends with the table phase, test loss, test accuracy, time. Writes
   config.output/{phase}/step-*, metrics.jsonl (rank 0). Errors are the same on every rank; ANN_ERR_STOP after
   a requested stop (a checkpoint has been written). Collective. */
ann_status ann_train(ann_comm *comm, const ann_run_config *config,
                     const ann_train_options *options) ANN_MUST_CHECK;

/* Builds the training graph of phase `phase` (as rank 0 of `size` would) for `annulus graph`. Local. */
ann_status ann_train_graph(ann_graph **graph, ann_store **store, const ann_run_config *config,
                           const char *phase, int size) ANN_MUST_CHECK;

#endif
