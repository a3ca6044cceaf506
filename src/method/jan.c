/* Joint adaptation networks: Long, Zhu, Wang, Jordan, "Deep transfer learning with joint adaptation
   networks", ICML 2017.

       E_s[CE(C(f), y)] + w MMD^2((f, p)_s, (f, p)_t),   p = softmax(C(f))

   by the product of the kernel of mmd.c on features and of exp(-|p - p'|^2 / 1.68) on predictions, as in the
   authors' code: the joint distributions of both are compared. The latter's bandwidth is fixed, since a mean
   distance of predictions that are nearly alike would magnify their rounding. The estimate is the biased one
   over all pairs of the global batch (gaussian.h); 0 in a batch without one of the domains. x [B, ...], f [B,
   ...]. */
#include "method/gaussian.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const ann_node apart = anni_distance_rows(m, ann_softmax(g, logits), NULL);
    const ann_node of_predictions = ann_exp(g, ann_mul_const(g, apart, -1 / 1.68));
    const ann_node k = ann_mul(g, anni_gaussian_rows(m, features, m->config->kernels), of_predictions);
    return ann_method_add_term(m, loss, anni_gaussian_discrepancy(m, k));
}

const ann_method_info anni_method_jan = {
    .name = "jan", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
