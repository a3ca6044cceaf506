/* Adaptive batch normalisation: Li, Wang, Shi, Liu, Hou, "Revisiting batch normalization for practical domain
   adaptation", 2016.

   The running statistics of a loaded model's batch norms become those of the target, of which all samples of
   a batch are to be (data of it alone, or sampling: {balance: source, shares: [0, 1]}): after t steps they
   are the mean of t batches' statistics. Nothing is trained; the loss is the entropy of the predictions, to
   look at. An epoch is enough. */
#include "method/method.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn nn = *m->nn;
    const ann_node share = ann_recip(g, ann_input(g, "step", ANN_F64, ANN_SCALAR));
    nn.trained = NULL;
    nn.momentum = &share;
    const ann_node logits = ann_method_model(m, &nn, m->x);
    return ann_method_mean(m, ann_method_entropy(m, logits), ann_method_is_target(m));
}

static int trains(const ann_method *m, const char **blocks) {
    (void)m;
    (void)blocks;
    return 0;
}

const ann_method_info anni_method_adabn = {.name = "adabn",
                                           .needs = ANN_METHOD_LABELS | ANN_METHOD_ADAPTS,
                                           .steps = 1,
                                           .trains = trains,
                                           .build = build};
