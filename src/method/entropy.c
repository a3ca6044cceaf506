/* Entropy minimisation: Grandvalet and Bengio, "Semi-supervised learning by entropy minimization", NeurIPS
   2004; with diversity, information maximisation: Krause, Perona, Gomes, "Discriminative clustering by
   regularized information maximization", NeurIPS 2010; Hu et al., ICML 2017.

       E_l[CE(z, y)] + w (E_t[H(p)] - v H(E_t[p])),   p = softmax(z)

   z are the logits, H the entropy, E_l a mean over labelled samples, E_t over those of the target (all, where
   there is a single source) of the global batch, v `diversity`: with 1 it is the mutual information of sample
   and class that grows. x [B, ...], z [B, classes]. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_model(m, m->nn, m->x);
    const ann_node target = ann_method_is_target(m), loss = ann_method_classify(m, logits);
    const ann_node certain = ann_method_mean(m, ann_method_entropy(m, logits), target);
    const ann_node spread = ann_method_marginal(m, logits, target);
    return ann_method_add_term(m, loss, ann_sub(g, certain, ann_mul_const(g, spread, m->config->diversity)));
}

const ann_method_info anni_method_entropy = {
    .name = "entropy", .needs = ANN_METHOD_LABELS | ANN_METHOD_ADAPTS, .steps = 1, .build = build};
