/* Optimal transport of features and labels: Damodaran, Kellenberger, Flamary, Tuia, Courty, "DeepJDOT: deep
   joint distribution optimal transport for unsupervised domain adaptation", ECCV 2018.

       E_s[CE(C(F(x)), y)] + sum_ij P_ij c_ij,   c_ij = alpha |F(x_i) - F(x_j)|^2 + w CE(z_j, y_i)

   i are the samples of the source and j those of the target in the global batch, z_j the logits. P is the
   plan of entropic optimal transport between the two, of uniform mass, by so many iterations of Sinkhorn's
   algorithm in the log domain (Cuturi, NeurIPS 2013); gradients do not go through it. epsilon is in units of
   the mean cost. Every rank computes the whole plan. Over ranks: reductions of G (K + 2 classes + 2) numbers.
 */
#include "method/pairs.h"

/* Costs [G, G], of which those from source to target are used. */
static ann_node costs(const ann_method *m, ann_node features, ann_node logits) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const int64_t classes = ann_node_shape(g, logits)->dim[1];
    const ann_node f = ann_method_gather(m, features);
    const ann_node y = ann_method_gather(m, ann_one_hot(g, m->labels, classes, m->nn->dtype));
    const ann_node log_p = ann_method_gather(m, ann_log_softmax(g, logits));
    const ann_node misfit = ann_neg(g, ann_matmul(g, y, log_p, false, true));
    return ann_add(g, ann_mul_const(g, anni_distances(g, f), m->config->alpha),
                   ann_mul_const(g, misfit, m->config->weight));
}

/* log(sum exp(x)) over an axis. */
static ann_node log_sum_exp(ann_graph *g, ann_node x, uint32_t axis) {
    const ann_node top = ann_reduce_max(g, x, axis);
    return ann_add(g, top, ann_log(g, ann_reduce_sum(g, ann_exp(g, ann_sub(g, x, top)), axis)));
}

/* The plan of costs c [G, G]; log_s [G, 1] and log_t [1, G] are the logarithms of the masses, very small
   where there is none. */
static ann_node transport(ann_graph *g, ann_node c, ann_node log_s, ann_node log_t, int iterations) {
    ann_node u = ANN_NODE_NONE, v = log_t;
    const ann_node kernel = ann_neg(g, c);
    for (int i = 0; i < iterations; i++) {
        u = ann_sub(g, log_s, log_sum_exp(g, ann_add(g, kernel, v), 2));
        v = ann_sub(g, log_t, log_sum_exp(g, ann_add(g, kernel, u), 1));
    }
    return ann_exp(g, ann_add(g, kernel, ann_add(g, u, v)));
}

static ann_node plan(const ann_method *m, ann_node cost, const anni_domains *of) {
    ann_graph *g = m->nn->graph;
    const ann_dtype dtype = m->nn->dtype;
    const ann_node floor = ann_scalar(g, dtype, 1e-30);
    const ann_node s = ann_div(g, of->source, of->sources), t = ann_div(g, of->target, of->targets);
    const ann_node row = ann_reshape(g, t, ANN_SHAPE(1, m->global));
    const ann_node used = ann_mul(g, s, row);
    const ann_node mean = ann_max(g, ann_sum_all(g, ann_mul(g, used, cost)), floor);
    const ann_node scaled = ann_mul_const(g, ann_div(g, cost, mean), 1 / m->config->epsilon);
    return transport(g, scaled, ann_log(g, ann_max(g, s, floor)), ann_log(g, ann_max(g, row, floor)),
                     m->config->repeats);
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_flatten(g, ann_method_features(m, m->nn, m->x));
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits), cost = costs(m, features, logits);
    const anni_domains of = anni_domains_of(m);
    if (!ann_node_is(cost)) return ANN_NODE_NONE;
    const ann_node moved = ann_mul(g, ann_stop_grad(g, plan(m, ann_stop_grad(g, cost), &of)), cost);
    return ann_add(g, loss, ann_method_once(m, ann_mul(g, ann_sum_all(g, moved), of.both)));
}

const ann_method_info anni_method_deepjdot = {
    .name = "deepjdot", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
