/* Maximum classifier discrepancy: Saito, Watanabe, Ushiku, Harada, CVPR 2018.

   Two classifiers C1 (the model's head) and C2 on features F. On each batch, one after the other:

       A: F, C1, C2 descend  E_s[CE(C1(F), y)] + E_s[CE(C2(F), y)]
       B: C1, C2    descend  the same - E_t[|p1 - p2|]
       C: F         descends E_t[|p1 - p2|], n times

   |p1 - p2| is the mean over classes of the difference of the two softmax outputs. Evaluation is of C1. Batch
   norms normalise each domain by itself.
   x [B, ...], F(x) [B, K], C1 and C2 [B, classes]. */
#include "method/method.h"

enum { CLASSIFY, DIVERGE, AGREE, STEPS };

typedef struct pair {
    ann_node first, second; /* logits */
} pair;

static pair both(const ann_method *m, ann_nn *nn, ann_node features) {
    return (pair){ann_method_head(m, nn, features), ann_method_block(m, nn, m->config->second, features)};
}

/* This rank's share of the two cross-entropies. */
static ann_node classify(ann_method *m, pair of) {
    const ann_node second = ann_method_classify(m, of.second);
    return ann_add(m->nn->graph, second, ann_method_classify(m, of.first));
}

static ann_node discrepancy(ann_method *m, pair of) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(of.first)) return ANN_NODE_NONE;
    const double classes = (double)ann_node_shape(g, of.first)->dim[1];
    const ann_node apart = ann_abs(g, ann_sub(g, ann_softmax(g, of.first), ann_softmax(g, of.second)));
    const ann_node each = ann_mul_const(g, ann_reduce_sum(g, apart, 2), 1 / classes);
    return ann_method_mean(m, ann_reshape(g, each, ANN_SHAPE(m->local)), ann_method_is_target(m));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn frozen = *m->nn;
    frozen.frozen = true;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    if (m->step == CLASSIFY) return classify(m, both(m, m->nn, features));
    if (m->step == AGREE) return discrepancy(m, both(m, &frozen, features));
    const pair of = both(m, m->nn, ann_stop_grad(g, features));
    return ann_sub(g, classify(m, of), discrepancy(m, of));
}

static int trains(const ann_method *m, const char **blocks) {
    const int features = ann_method_feature_blocks(m), all = m->blocks->model_count;
    const int from = m->step == DIVERGE ? features : 0, to = m->step == AGREE ? features : all;
    int n = 0;
    for (int i = from; i < to; i++) blocks[n++] = m->blocks->model[i];
    if (m->step != AGREE) blocks[n++] = m->config->second;
    return n;
}

static int repeats(const ann_method_config *config, int step) { return step == AGREE ? config->repeats : 1; }

const ann_method_info anni_method_mcd = {.name = "mcd",
                                         .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET | ANN_METHOD_APART,
                                         .steps = STEPS,
                                         .repeats = repeats,
                                         .trains = trains,
                                         .build = build};
