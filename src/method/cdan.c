/* Conditional adversarial training: Long, Cao, Wang, Jordan, "Conditional adversarial domain adaptation",
   NeurIPS 2018.

       E_s[CE(C(f), y)] + w (E_s^v[-log d(h)] + E_t^v[-log(1 - d(h))]),   h = f (x) p,  p = softmax(C(f))

   with d = sigmoid(D(h)) and the gradient reversed in front of D, as in dann.c. f (x) p is the outer product,
   flattened: f [B, K], p [B, C], h [B, K C]. With `entropy` the means are weighted by v = 1 + exp(-H(p)), H
   the entropy of the prediction, so that samples of which the classifier is certain count more; without, v
   = 1. As in the authors' code no gradient goes through p and v. */
#include "method/method.h"

static ann_node outer_product(ann_graph *g, ann_node f, ann_node p) {
    const int64_t batch = ann_node_shape(g, f)->dim[0], k = ann_node_shape(g, f)->dim[1],
                  c = ann_node_shape(g, p)->dim[1];
    const ann_node left = ann_reshape(g, f, ANN_SHAPE(batch, k, 1)),
                   right = ann_reshape(g, p, ANN_SHAPE(batch, 1, c));
    return ann_reshape(g, ann_mul(g, left, right), ANN_SHAPE(batch, k * c));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const ann_node p = ann_stop_grad(g, ann_softmax(g, logits));
    const ann_node joint = outer_product(g, ann_flatten(g, features), p);
    ann_node certainty = ANN_NODE_NONE;
    if (m->config->entropy) {
        const ann_node h = ann_stop_grad(g, ann_method_entropy(m, logits));
        certainty = ann_add_const(g, ann_exp(g, ann_neg(g, h)), 1);
    }
    const ann_node confusion =
        ann_method_discriminate(m, m->nn, ann_method_reverse(g, joint, ann_method_ramp(m)), certainty);
    return ann_add(g, loss, ann_mul_const(g, confusion, m->config->weight));
}

const ann_method_info anni_method_cdan = {
    .name = "cdan", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
