/* Correlation alignment: Sun, Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV
   2016 workshops.

       E_s[CE(C(F(x)), y)] + w |C_s - C_t|_F^2 / (4 K^2)

   C_s and C_t [K, K] are the covariances (divisor n - 1) of the features F(x) [B, K] of each domain over the
   global batch. The term is 0 where a domain has fewer than two samples in it. Over ranks: reductions of K^2
   + K + 1 numbers for each domain. */
#include "method/method.h"

typedef struct moments {
    ann_node covariance;
    ann_node enough; /* a scalar: 1, or 0 of fewer than two samples */
} moments;

static moments measure(const ann_method *m, ann_node f, ann_node mask) {
    ann_graph *g = m->nn->graph;
    const ann_node one = ann_scalar(g, m->nn->dtype, 1);
    const ann_node rows = ann_reshape(g, mask, ANN_SHAPE(m->local, 1));
    const ann_node count = ann_method_sum(m, ann_sum_all(g, mask)), less = ann_sub(g, count, one);
    const ann_node mean =
        ann_div(g, ann_method_sum(m, ann_reduce_sum(g, ann_mul(g, f, rows), 1)), ann_max(g, count, one));
    const ann_node centred = ann_mul(g, ann_sub(g, f, mean), rows);
    const ann_node products = ann_method_sum(m, ann_matmul(g, centred, centred, true, false));
    return (moments){ann_div(g, products, ann_max(g, less, one)),
                     ann_max(g, ann_min(g, less, one), ann_scalar(g, m->nn->dtype, 0))};
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_flatten(g, ann_method_features(m, m->nn, m->x));
    const ann_node loss = ann_method_classify(m, ann_method_head(m, m->nn, features));
    if (!ann_node_is(features)) return ANN_NODE_NONE;
    const double width = (double)ann_node_shape(g, features)->dim[1];
    const moments s = measure(m, features, ann_method_is_source(m)),
                  t = measure(m, features, ann_method_is_target(m));
    const ann_node apart = ann_sum_all(g, ann_square(g, ann_sub(g, s.covariance, t.covariance)));
    const ann_node both = ann_mul(g, apart, ann_mul(g, s.enough, t.enough));
    const ann_node share =
        ann_method_once(m, ann_mul_const(g, both, m->config->weight / (4 * width * width)));
    return ann_add(g, loss, share);
}

const ann_method_info anni_method_coral = {
    .name = "coral", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
