/* Joint adaptation network: Long, Zhu, Wang, Jordan, "Deep transfer learning with joint adaptation networks",
   ICML 2017.

       E_s[CE(z, y)] + w JMMD^2

   JMMD is the maximum mean discrepancy of features F(x) and predictions p = softmax(z) together: its kernel
   is the product of that of the features, the mean of several Gaussians (pairs.h), and exp(-|p - p'|^2
   / 1.68), as in the authors' code. The biased estimate over all pairs of the global batch. x [B, ...], F(x)
   [B, K], z [B, classes]. */
#include "method/pairs.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_flatten(g, ann_method_features(m, m->nn, m->x));
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    const ann_node f = ann_method_gather(m, features), p = ann_method_gather(m, ann_softmax(g, logits));
    const anni_domains of = anni_domains_of(m);
    const ann_node of_features = anni_kernels(g, anni_distances(g, f), anni_spread(g, f), m->config->kernels);
    const ann_node of_predictions = ann_exp(g, ann_mul_const(g, anni_distances(g, p), -1 / 1.68));
    const ann_node apart = anni_discrepancy(g, ann_mul(g, of_features, of_predictions), &of);
    return ann_add(g, loss, ann_mul_const(g, ann_method_once(m, apart), m->config->weight));
}

const ann_method_info anni_method_jan = {
    .name = "jan", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
