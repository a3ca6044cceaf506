/* A small training step that has everything: a dense net with dropout and a convolution in front,
   cross-entropy, clipping, Adam on flat vectors, running averages. */
#ifndef ANN_TESTS_SUPPORT_MODEL_H
#define ANN_TESTS_SUPPORT_MODEL_H

#include "graph/graph.h"

enum { MODEL_BATCH = 6, MODEL_SIDE = 6, MODEL_CLASSES = 3 };

typedef struct model {
    ann_store *store;
    ann_graph *graph;
    ann_block params, m, v;
} model;

/* The same names, shapes and initial values at every call: two models are equal before their first step. */
void model_new(model *out, ann_dtype dtype);
void model_free(model *m);
/* Inputs of step `step`, deterministic. */
void model_images(double *x);
void model_labels(int32_t *y);

#endif
