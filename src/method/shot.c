/* Source hypothesis transfer: Liang, Hu, Feng, "Do we really need to access the source data? Source
   hypothesis transfer for unsupervised domain adaptation", ICML 2020.

   The phase loads a model of the source; its head stays, and its features learn on the target alone:

       E_t[H(p)] + sum_k q_k log q_k + w E_t[CE(z, y')]

   z are the logits, p = softmax(z), H the entropy, q = E_t[p], and y' pseudo-labels by the nearest centroid
   of features (ann_label_shot), made anew in each epoch. Samples of the source, if there are any, are not
   used. */
#include <stdlib.h>
#include "method/method.h"
#include "method/weigh.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn head = *m->nn;
    head.frozen = true;
    const ann_node logits = ann_method_head(m, &head, ann_method_features(m, m->nn, m->x));
    const ann_node target = ann_method_is_target(m);
    const ann_node certain = ann_method_mean(m, ann_method_entropy(m, logits), target);
    const ann_node spread = ann_method_marginal(m, logits, target);
    const ann_node pseudo = ann_cross_entropy(g, logits, ann_cast(g, m->table, ANN_I32));
    return ann_add(g, ann_sub(g, certain, spread),
                   ann_mul_const(g, ann_method_mean(m, pseudo, target), m->config->weight));
}

static int trains(const ann_method *m, const char **blocks) {
    const int n = ann_method_feature_blocks(m);
    for (int i = 0; i < n; i++) blocks[i] = m->blocks->model[i];
    return n;
}

static ann_status fill(float *values, const ann_method_config *config, const ann_method_sight *sight) {
    const ann_method_sight target = ann_method_part(sight, true);
    const ann_label_samples of = {target.logits, target.features, target.samples, target.classes,
                                  target.width};
    int32_t *labels = calloc((size_t)target.samples + 1, sizeof *labels);
    (void)config;
    if (!labels) return ann_error(ANN_ERR_MEMORY, "no memory for pseudo-labels");
    const ann_status status = ann_label_shot(labels, &of);
    ann_method_put_labels(values, sight, labels);
    free(labels);
    return status;
}

static const ann_method_table table = {.each_epoch = true, .fill = fill};
const ann_method_info anni_method_shot = {.name = "shot",
                                          .needs = ANN_METHOD_LABELS | ANN_METHOD_ADAPTS,
                                          .steps = 1,
                                          .trains = trains,
                                          .build = build,
                                          .table = &table};
