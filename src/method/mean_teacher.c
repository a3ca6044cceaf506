/* Mean teacher: Tarvainen and Valpola, NeurIPS 2017; for domain adaptation: French, Mackiewicz, Fisher,
   "Self-ensembling for visual domain adaptation", ICLR 2018.

       E_l[CE(s(x), y)] + w E_t[c |softmax(s(x)) - softmax(t(x'))|^2]

   s is the student, t a teacher whose tensors follow the student's as an exponential moving average; x and x'
   are two views of a sample. The first mean is over labelled samples, the second over the target (of a single
   domain: all), of the sum over classes. c is 1 where the teacher's largest probability is at least
   `threshold`, else 0 (French et al.'s confidence thresholding, 0.968 there); with threshold 0 it is 1, and w
   rises with the ramp of the phase instead. Batch norms normalise each domain by itself. */
#include "method/method.h"

static ann_node confident(const ann_method *m, ann_node p) {
    ann_graph *g = m->nn->graph;
    const ann_node top = ann_reshape(g, ann_reduce_max(g, p, 2), ANN_SHAPE(m->local));
    return ann_gt(g, top, ann_scalar(g, m->nn->dtype, m->config->threshold));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn teacher = ann_method_teacher(m->nn);
    const ann_node student = ann_method_model(m, m->nn, m->x);
    const ann_node p = ann_stop_grad(g, ann_softmax(g, ann_method_model(m, &teacher, m->x2)));
    const ann_node apart = ann_square(g, ann_sub(g, ann_softmax(g, student), p));
    ann_node each = ann_reshape(g, ann_reduce_sum(g, apart, 2), ANN_SHAPE(m->local));
    ann_node weight = ann_scalar(g, m->nn->dtype, m->config->weight);
    if (m->config->threshold > 0) each = ann_mul(g, each, confident(m, p));
    else weight = ann_mul(g, weight, ann_method_ramp(m));
    const ann_node loss = ann_method_classify(m, student);
    ann_method_follow(m, ann_scalar(g, m->nn->dtype, m->config->momentum));
    return ann_add(g, loss, ann_mul(g, weight, ann_method_mean(m, each, ann_method_is_target(m))));
}

const ann_method_info anni_method_mean_teacher = {.name = "mean_teacher",
                                                  .needs = ANN_METHOD_LABELS | ANN_METHOD_ADAPTS |
                                                           ANN_METHOD_TWO_VIEWS | ANN_METHOD_APART,
                                                  .steps = 1,
                                                  .build = build};
