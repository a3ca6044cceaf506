/* Knowledge distillation: Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015.

       (1 - alpha) E[CE(s, y)] + alpha T^2 E[KL(softmax(t / T) || softmax(s / T))]

   s are the model's logits, t those of a teacher, a block of layers whose tensors are called
   tutor/BLOCK/LAYER/...: a phase loads them by load.rename, from those of an earlier phase. The teacher is
   evaluated as outside training and never changes. The first mean is over labelled samples, the second over
   all. s, t [B, classes]. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const double temperature = m->config->temperature, alpha = m->config->weight;
    ann_nn fixed = *m->nn;
    fixed.shadow = "tutor";
    fixed.training = false;
    const ann_node student = ann_method_head(m, m->nn, ann_method_features(m, m->nn, m->x));
    const ann_node teacher = ann_stop_grad(g, ann_method_block(m, &fixed, m->config->teacher, m->clean));
    const ann_node log_t = ann_log_softmax(g, ann_mul_const(g, teacher, 1 / temperature)),
                   log_s = ann_log_softmax(g, ann_mul_const(g, student, 1 / temperature));
    const ann_node terms = ann_mul(g, ann_exp(g, log_t), ann_sub(g, log_t, log_s));
    const ann_node each = ann_reshape(g, ann_reduce_sum(g, terms, 2), ANN_SHAPE(m->local));
    const ann_node apart = ann_method_mean(m, each, ann_method_is_sample(m));
    return ann_add(g, ann_mul_const(g, ann_method_classify(m, student), 1 - alpha),
                   ann_mul_const(g, apart, alpha * temperature * temperature));
}

const ann_method_info anni_method_distill = {
    .name = "distill", .needs = ANN_METHOD_LABELS, .steps = 1, .build = build};
