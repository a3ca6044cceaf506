/* Gaussian kernels between samples, and distances of distributions by them. Private to src/method. */
#ifndef ANN_METHOD_GAUSSIAN_H
#define ANN_METHOD_GAUSSIAN_H

#include "method/method.h"

/* The mean over u = 0 .. kernels - 1 of exp(-d / (2^(u - kernels / 2) bandwidth)), of d's shape: d are
   squared distances, bandwidth a scalar, through which no gradient goes. */
ann_node anni_gaussian_kernel(ann_graph *g, ann_node d, ann_node bandwidth, int kernels);
/* z [B, ...] -> [B, G]: squared distances of each of this rank's samples from all of the global batch, and if
   mean is not NULL a scalar: their mean over all pairs of different samples of the batch. Over ranks: one
   reduction of G elements for each of a sample. */
ann_node anni_distance_rows(const ann_method *m, ann_node z, ann_node *mean);
/* z [B, ...] -> [B, G]: the kernel of each of this rank's samples with all of the global batch; the bandwidth
   is their mean squared distance. */
ann_node anni_gaussian_rows(const ann_method *m, ann_node z, int kernels);
/* k [B, G], rows of K -> this rank's share of a' K a, a = 1 / n_s for each sample of the source and -1 / n_t
   for the target's: the squared distance of the means of both domains in the kernel's space (Gretton et al.,
   "A kernel two-sample test", JMLR 13, 2012, the biased estimate), or 0 in a batch without one of the
   domains. Over ranks: one reduction of G elements. */
ann_node anni_gaussian_discrepancy(const ann_method *m, ann_node k);

#endif
