/* Fine-tuning that stays near where it started: Li, Grandvalet, Davoine, "Explicit inductive bias for
   transfer learning with convolutional networks", ICML 2018 (L2-SP).

       E[CE(C(F(x)), y)] + alpha / 2 |w_F - w_F0|^2 + beta / 2 |w_C|^2

   w_F are the parameters up to the features, w_F0 what they were when the phase began; w_C are those of the
   head, which is new. The mean is over labelled samples. */
#include "method/method.h"

#include <string.h>

/* |w - w0|^2 of each parameter with a copy, and |w|^2 of the others. */
typedef struct norms {
    ann_node moved, fresh;
} norms;

static ann_node add(ann_graph *g, ann_node sum, ann_node x) {
    return ann_node_is(sum) ? ann_add(g, sum, x) : x;
}

static norms measure(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_store *store = ann_graph_store(g);
    norms n = {ANN_NODE_NONE, ANN_NODE_NONE};
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->role != ANN_ROLE_PARAM) continue;
        const ann_node w = ann_load(g, (ann_tensor){i}), start = ann_method_teachers(m, info->name);
        if (ann_node_is(start))
            n.moved = add(g, n.moved, ann_sum_all(g, ann_square(g, ann_sub(g, w, start))));
        else n.fresh = add(g, n.fresh, ann_sum_all(g, ann_square(g, w)));
    }
    return n;
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn start = ann_method_teacher(m->nn);
    start.training = false;
    ann_method_features(m, &start, m->x); /* declares the copies */
    const ann_node loss = ann_method_classify(m, ann_method_model(m, m->nn, m->x));
    const norms n = measure(m);
    const ann_node zero = ann_scalar(g, m->nn->dtype, 0);
    const ann_node moved = ann_mul_const(g, ann_node_is(n.moved) ? n.moved : zero, m->config->weight / 2),
                   fresh = ann_mul_const(g, ann_node_is(n.fresh) ? n.fresh : zero, m->config->beta / 2);
    return ann_add(g, loss, ann_method_once(m, ann_add(g, moved, fresh)));
}

const ann_method_info anni_method_l2sp = {
    .name = "l2sp", .needs = ANN_METHOD_LABELS, .steps = 1, .build = build};
