/* Joint adaptation networks: Long, Zhu, Wang, Jordan, "Deep transfer learning with joint adaptation
   networks", ICML 2017.

       E_s[CE(C(f), y)] + w MMD^2((f, p)_s, (f, p)_t),   p = softmax(C(f))

   by the product of a kernel of features and one of predictions, each as in mmd.c with a bandwidth of its
   own: the joint distributions of features and predictions are compared. The estimate is the biased one over
   all pairs of the global batch (gaussian.h); 0 in a batch without one of the domains. x [B, ...], f [B,
   ...]. */
#include "method/gaussian.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const ann_node k = ann_mul(g, anni_gaussian_rows(m, features, m->config->kernels),
                               anni_gaussian_rows(m, ann_softmax(g, logits), m->config->kernels));
    return ann_method_add_term(m, loss, anni_gaussian_discrepancy(m, k));
}

const ann_method_info anni_method_jan = {
    .name = "jan", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
