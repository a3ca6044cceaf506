/* Entropy minimisation: Grandvalet, Bengio, "Semi-supervised learning by entropy minimization", NeurIPS 2004;
   with `diversity` > 0, information maximisation: Krause, Perona, Gomes, "Discriminative clustering by
   regularized information maximization", NeurIPS 2010.

       E_s[CE(z, y)] + w (E_t[H(p)] - diversity H(E_t[p])),   p = softmax(z)

   z [B, classes] are the model's logits, H the entropy in nats; means over the samples of each domain in the
   global batch. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_model(m, m->nn, m->x), target = ann_method_is_target(m);
    ann_node unsure = ann_method_mean(m, ann_method_entropy(m, logits), target);
    if (m->config->diversity > 0)
        unsure = ann_sub(g, unsure,
                         ann_mul_const(g, ann_method_marginal(m, logits, target), m->config->diversity));
    return ann_add(g, ann_method_classify(m, logits), ann_mul_const(g, unsure, m->config->weight));
}

const ann_method_info anni_method_entropy = {
    .name = "entropy", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
