/* All samples of the global batch, in pairs: what methods that compare the two domains sample by sample are
   made of. The nodes are the same on every rank. Local; errors are the graph's. */
#ifndef ANN_METHOD_PAIRS_H
#define ANN_METHOD_PAIRS_H

#include "method/method.h"

typedef struct anni_domains {
    ann_node source, target;   /* [G, 1], 1 for samples of the domain and 0 for others */
    ann_node sources, targets; /* scalars: how many of them, at least 1 */
    ann_node both;             /* a scalar: 1, or 0 where the batch has no sample of one of the domains */
} anni_domains;

/* Over ranks: one reduction of 2 G elements. */
anni_domains anni_domains_of(const ann_method *m);
/* x [G, D] -> [G, G], squared distances of its rows. */
ann_node anni_distances(ann_graph *g, ann_node x);
/* x [G, D] -> a scalar: the mean squared distance of two different rows, which gradients do not go through.
 * Cost: G D. */
ann_node anni_spread(ann_graph *g, ann_node x);
/* Of squared distances d, elementwise: the mean over `kernels` Gaussians exp(-d / (2^(k - kernels / 2)
   spread)): Long, Cao, Wang, Jordan, ICML 2015. */
ann_node anni_kernels(ann_graph *g, ann_node d, ann_node spread, int kernels);
/* The squared maximum mean discrepancy of the domains (Gretton, Borgwardt, Rasch, Schoelkopf, Smola, JMLR
   2012), the biased estimate a' K a with a = 1/n_s for samples of the source and -1/n_t for the target's; 0
   where a domain is absent. */
ann_node anni_discrepancy(ann_graph *g, ann_node kernel, const anni_domains *of);

#endif
