/* Adversarial discriminative domain adaptation: Tzeng, Hoffman, Saenko, Darrell, CVPR 2017.

   The phase starts from a model trained on the source. F_s, a copy of its encoder as it was then, stays; the
   encoder F of the target starts as that copy and learns to make features that a discriminator takes for the
   source's. On each batch, one after the other, with d = sigmoid(D):

       D:  E_s[-log d(F_s(x))] + E_t[-log(1 - d(F(x)))]
       F:  E_t[-log d(F(x))]

   The head is not trained. The copy's batch norms use their running statistics, F's those of the target's
   samples in the batch; dropout is on in both, as a discriminator would know the one that it is in.
   x [B, ...], F(x) [B, K], D [B, 1]. */
#include "method/method.h"

enum { DISCRIMINATE, DECEIVE, STEPS };

/* F's of the target, and a constant. */
static ann_node source_features(const ann_method *m) {
    ann_nn fixed = ann_method_teacher(m->nn);
    fixed.trained = "";     /* batch norms use running statistics, */
    fixed.domain_count = 0; /* those that the source's model came with */
    return ann_stop_grad(m->nn->graph, ann_method_features(m, &fixed, m->x));
}

static ann_node discriminate(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node source = source_features(m);
    const ann_node target = ann_stop_grad(g, ann_method_features(m, m->nn, m->x));
    const ann_node is_source = ann_reshape(g, ann_method_is_source(m), ANN_SHAPE(m->local, 1));
    const ann_node mixed = ann_select(g, ann_bcast(g, is_source, *ann_node_shape(g, target)), source, target);
    return ann_method_discriminate(m, m->nn, mixed, ANN_NODE_NONE);
}

static ann_node deceive(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn frozen = *m->nn;
    frozen.frozen = true;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_block(m, &frozen, m->config->discriminator, features);
    const ann_node flat = ann_reshape(g, logits, ANN_SHAPE(m->local));
    return ann_method_mean(m, ann_softplus(g, ann_neg(g, flat)), ann_method_is_target(m));
}

static ann_node build(ann_method *m) { return m->step == DISCRIMINATE ? discriminate(m) : deceive(m); }

static int trains(const ann_method *m, const char **blocks) {
    if (m->step == DISCRIMINATE) {
        blocks[0] = m->config->discriminator;
        return 1;
    }
    const int n = ann_method_feature_blocks(m);
    for (int i = 0; i < n; i++) blocks[i] = m->blocks->model[i];
    return n;
}

const ann_method_info anni_method_adda = {.name = "adda",
                                          .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET | ANN_METHOD_APART,
                                          .steps = STEPS,
                                          .trains = trains,
                                          .build = build};
