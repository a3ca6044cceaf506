/* Deep reconstruction-classification network: Ghifary, Kleijn, Zhang, Balduzzi, Li, "Deep
   reconstruction-classification networks for unsupervised domain adaptation", ECCV 2016.

       (1 - w) E_s[CE(C(F(x)), y)] + w E_t[R(D(F(x)), x)]

   F is shared: what it learns from the source's labels must also be enough to reconstruct the target. R is
   the mean over a sample's elements of the squared error. x [B, ...] with noise, reconstructed without; F(x)
   [B, K]; D(F(x)) has as many elements as x. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node classify = ann_method_classify(m, ann_method_head(m, m->nn, features));
    const ann_node out = ann_method_block(m, m->nn, m->config->decoder, features);
    const double elems = (double)ann_shape_elems(ann_node_shape(g, m->clean)) / (double)m->local;
    const ann_node reconstruct =
        ann_method_mean(m, ann_method_reconstruct(m, out, m->clean), ann_method_is_target(m));
    return ann_add(g, ann_mul_const(g, classify, 1 - m->config->weight),
                   ann_mul_const(g, reconstruct, m->config->weight / elems));
}

const ann_method_info anni_method_drcn = {
    .name = "drcn", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
