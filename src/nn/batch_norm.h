/* Shared between the files of batch normalisation. */
#ifndef ANN_NN_BATCH_NORM_H
#define ANN_NN_BATCH_NORM_H

#include "nn/nn.h"

/* What a batch norm divides: x - mean, of x's shape, by the root of var (+ eps), which broadcasts to it. */
typedef struct anni_nn_normal {
    ann_node centred, var;
} anni_nn_normal;

/* By the statistics of each sample's domain: of the batch, by which the running ones are moved, or the
   running ones. `counted`: those of the batch. nn->domain_count > 0. */
anni_nn_normal anni_nn_normal_by_domain(ann_nn *nn, const char *name, ann_node x, double momentum,
                                        bool counted);

#endif
