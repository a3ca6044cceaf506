/* A dataset once, in the file's order. It is cut into batches ANNI_EVAL_BATCH apart, whatever the number of
   ranks, and the ranks share the batches out: what comes of a batch has the same bits on any number of ranks
   (with as many threads each). */
#ifndef ANN_TRAIN_PASS_H
#define ANN_TRAIN_PASS_H

#include "train/internal.h"

typedef struct anni_pass {
    const ann_dataset *dataset;
    int64_t first, count; /* samples */
    int stage;            /* of the phase's program */
    /* Before the passes over graphs; of batches of one size. */
    ann_status (*graph)(ann_graph **out, ann_store *store, const anni_phase *phase, int stage, int64_t batch);
    /* What has been computed for `count` samples from number `at` of the range on. */
    void (*take)(void *to, const anni_step *step, int64_t at, int64_t count);
    void *to;
} anni_pass;

/* This rank's samples, counted in the dataset. */
void anni_pass_share(const anni_pass *pass, const anni_run *run, int64_t *first, int64_t *count);
/* Computes them. Errors: those of the graph, of plans and of reading. Local. */
ann_status anni_pass_run(const anni_pass *pass, const anni_phase *phase, ann_store *store) ANN_MUST_CHECK;

#endif
