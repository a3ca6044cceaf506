/* Runs: the graph of phases of one run file, one phase after the other on all ranks of a communicator. */
#ifndef ANN_TRAIN_TRAIN_H
#define ANN_TRAIN_TRAIN_H

#include "ckpt/ckpt.h"
#include "comm/comm.h"
#include "data/data.h"
#include "train/config.h"
#include "train/lead.h"

typedef struct ann_train_options {
    bool resume; /* go on from the last checkpoint in the run's output directory, and skip finished phases
                    into which the same would go now (lineage.h); others move to OUTPUT.N and run again */
    int threads; /* per rank; 0: phases[].resources.threads, or cores of this host / ranks on it */
    /* Which phases: `from` and all that need it; or those named in only[only_count]; NULL and 0: all. Others
       from which these load must have finished in the same output folder. */
    const char *from;
    const char *const *only;
    int only_count;
    void (*print)(void *to, const char *line); /* progress and tables, on rank 0 only */
    void *to;
    /* Polled every few steps, and about once a second; agreed over ranks; NULL: never. A request for a
       checkpoint counts once. */
    bool (*stop_requested)(void);
    bool (*checkpoint_requested)(void);
    int64_t deadline_ns;  /* on the clock of ann_clock_ns; 0: none. Training stops as after a request, early
                             enough for a last checkpoint by what one has cost so far. Rank 0's counts */
    const ann_lead *lead; /* NULL: nobody leads */
} ann_train_options;

/* Runs the phases in the order of run_graph.h; ends with the table phase, test loss, test accuracy, time.
   Writes config.output/{phase}/step-* and metrics.jsonl (rank 0). Errors are the same on every rank;
   ANN_ERR_STOP after a requested stop (a checkpoint has been written). Collective.

   Checkpoints are written beside training, as config.checkpoint says and on request: by the options, or by
   the files config.output/checkpoint.now and config.output/stop.now, which rank 0 looks for about once a
   second and removes. A checkpoint that cannot be written is logged, and the next one tries again; at the end
   of a phase and behind a request to stop it is an error. */
ann_status ann_train(ann_comm *comm, const ann_run_config *config,
                     const ann_train_options *options) ANN_MUST_CHECK;

/* What a phase amounts to. */
typedef struct ann_train_outline {
    int64_t parameters; /* elements, trained or frozen */
    int64_t steps;      /* of the stage if it is not stopped before; evaluate: passes over a batch */
} ann_train_outline;

/* Of stage number `stage` of phase number `index`, as rank 0 of `size` would run it. Errors: those of opening
   the phase and of building its model. Local. */
ann_status ann_train_outline_of(ann_train_outline *out, const ann_run_config *config, int index, int stage,
                                int size) ANN_MUST_CHECK;

/* Builds the training graph of a stage of phase `phase` (as rank 0 of `size` would) for `annulus graph`; of
   kind evaluate, the graph of a batch of its evaluation. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_CONFIG (kind
   export computes nothing), those of opening the phase. Local. */
ann_status ann_train_graph(ann_graph **graph, ann_store **store, const ann_run_config *config,
                           const char *phase, int stage, int size) ANN_MUST_CHECK;

/* Samples as training gets them. */
typedef struct ann_train_samples {
    const ann_dataset *train;
    int count;
    const int64_t *samples; /* [count] in the dataset */
    const void *x;          /* [count, shape of x], augmented and mixed */
} ann_train_samples;

/* Shows the first `count` samples (or all) of an epoch of a phase, in the order and in the form in which
   training uses them; but batches are counted from the epoch's start, so in later epochs mixup may pair
   others than training does. `show` is called once; its status is returned. Errors: ANN_ERR_NOT_FOUND (there
   is no such phase), those of opening a phase and of reading. Local. */
ann_status ann_train_preview(const ann_run_config *config, const char *phase, int64_t epoch, int count,
                             ann_status (*show)(void *to, const ann_train_samples *samples),
                             void *to) ANN_MUST_CHECK;

/* Recomputes the ledger of a checkpoint of a run from its first position on and compares. `line` gets one
   line for people: "ledger ok: ...", or "ledger not checked: ..." and why (no ledger in it; a stratified or
   weighted order, whose dataset is not there). Errors: ANN_ERR_CORRUPT (it is another), ANN_ERR_MEMORY. Cost:
   O(position), about 0.3 us each. Local. */
ann_status ann_train_check_ledger(const ann_ckpt *ckpt, char *line, size_t size) ANN_MUST_CHECK;

#endif
