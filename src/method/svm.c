/* A linear support vector machine as the head: Tang, "Deep learning using linear support vector machines",
   ICML 2013 workshop.

       E[sum_k max(0, 1 - t_k z_k)^2],  t_k = 1 for the label's class and -1 for the others

   z [B, classes] is the model's output; with l2 in the optimizer it is the L2-SVM, one against the rest. The
   mean is over labelled samples. */
#include "method/method.h"

static ann_node each_loss(ann_method *m) {
    ann_graph *g = m->nn->graph;
    m->logits = ann_method_head(m, m->nn, ann_method_features(m, m->nn, m->x));
    if (!ann_node_is(m->logits)) return ANN_NODE_NONE;
    const int64_t classes = ann_node_shape(g, m->logits)->dim[1];
    const ann_node is_class = ann_one_hot(g, m->labels, classes, m->nn->dtype);
    const ann_node t = ann_add_const(g, ann_mul_const(g, is_class, 2), -1);
    const ann_node margin = ann_relu(g, ann_add_const(g, ann_neg(g, ann_mul(g, t, m->logits)), 1));
    return ann_reshape(g, ann_reduce_sum(g, ann_square(g, margin), 2), ANN_SHAPE(m->local));
}

static ann_node build(ann_method *m) { return ann_method_mean(m, each_loss(m), ann_method_is_labelled(m)); }

const ann_method_info anni_method_svm = {
    .name = "svm", .needs = ANN_METHOD_LABELS, .steps = 1, .build = build, .evaluate = each_loss};
