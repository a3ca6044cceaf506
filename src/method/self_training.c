/* Self-training with pseudo-labels: Lee, "Pseudo-label: the simple and efficient semi-supervised learning
   method for deep neural networks", ICML workshop 2013; class-balanced: Zou, Yu, Kumar, Wang, ECCV 2018.

       E_l[CE(z, y)] + w E_p[CE(z, y')]

   z are the logits; the first mean is over labelled samples, the second over target samples with a
   pseudo-label y', made anew in each epoch: the most probable class where it is at least `threshold`
   probable, or, with `share` > 0, of each class the share of its samples that are most certain
   (ann_label_balanced). */
#include <stdlib.h>
#include "method/method.h"
#include "method/weigh.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_model(m, m->nn, m->x);
    const ann_node given = ann_gt(g, m->table, ann_scalar(g, ANN_F32, -1));
    const ann_node mask = ann_mul(g, ann_method_is_target(m), ann_cast(g, given, m->nn->dtype));
    const ann_node pseudo = ann_cross_entropy(g, logits, ann_cast(g, m->table, ANN_I32));
    const ann_node loss = ann_method_classify(m, logits);
    return ann_add(g, loss, ann_mul_const(g, ann_method_mean(m, pseudo, mask), m->config->weight));
}

static ann_status fill(float *values, const ann_method_config *config, const ann_method_sight *sight) {
    const ann_method_sight target = ann_method_part(sight, true);
    const ann_label_samples of = {target.logits, target.features, target.samples, target.classes,
                                  target.width};
    int32_t *labels = calloc((size_t)target.samples + 1, sizeof *labels);
    if (!labels) return ann_error(ANN_ERR_MEMORY, "no memory for pseudo-labels");
    const ann_status status = config->share > 0 ? ann_label_balanced(labels, &of, config->share)
                                                : ann_label_confident(labels, &of, config->threshold);
    ann_method_put_labels(values, sight, labels);
    free(labels);
    return status;
}

static const ann_method_table table = {.each_epoch = true, .fill = fill};
const ann_method_info anni_method_self_training = {.name = "self_training",
                                                   .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET,
                                                   .steps = 1,
                                                   .build = build,
                                                   .table = &table};
