/* Joint distribution optimal transport: Damodaran, Kellenberger, Flamary, Tuia, Courty, "DeepJDOT: deep joint
   distribution optimal transport for unsupervised domain adaptation", ECCV 2018.

       E_s[CE(C(f), y)] + sum over i, j of P_ij c_ij,   c_ij = alpha |f_i - f_j|^2 + lambda CE(C(f_j), y_i)

   i over labelled samples of the source and j over the target's of the global batch. P, without gradient,
   transports one uniform distribution to the other at little cost: Sinkhorn's iterations in the logarithm
   (Cuturi, "Sinkhorn distances", NeurIPS 2013), with epsilon times the mean cost of a pair as the weight of
   the plan's entropy (the paper solves the problem without one). No plan in a batch without one of the
   domains. x [B, ...], f [B, ...]. Each rank computes the whole plan: iterations passes over G^2 elements.
   Over ranks: four reductions, of G elements for each of features, logits, classes and domains of a sample,
   and two in the gradient. */
#include "method/method.h"

/* Over one axis, which stays with extent 1. */
static ann_node log_sum_exp(ann_graph *g, ann_node x, uint32_t axes) {
    const ann_node top = ann_reduce_max(g, x, axes);
    return ann_add(g, ann_log(g, ann_reduce_sum(g, ann_exp(g, ann_sub(g, x, top)), axes)), top);
}

/* mask [G, 1] -> the logarithm of a uniform distribution over it; elsewhere that of almost nothing. */
static ann_node log_uniform(ann_graph *g, ann_node mask) {
    const ann_dtype dtype = ann_node_dtype(g, mask);
    const ann_node n = ann_max(g, ann_sum_all(g, mask), ann_scalar(g, dtype, 1));
    return ann_select(g, mask, ann_neg(g, ann_log(g, n)), ann_scalar(g, dtype, -1e30));
}

/* costs [G, G] of rows for columns, pairs [G, G] 1 for those that count -> costs over epsilon times their
 * mean. */
static ann_node scale(ann_graph *g, ann_node costs, ann_node pairs, double epsilon) {
    const ann_dtype dtype = ann_node_dtype(g, costs);
    const ann_node n = ann_max(g, ann_sum_all(g, pairs), ann_scalar(g, dtype, 1));
    const ann_node mean = ann_div(g, ann_sum_all(g, ann_mul(g, costs, pairs)), n);
    const ann_node unit = ann_mul_const(g, ann_max(g, mean, ann_scalar(g, dtype, 1e-12)), epsilon);
    return ann_div(g, costs, unit);
}

/* The plan [G, G] from source [G, 1] to target [G, 1]. */
static ann_node transport(const ann_method *m, ann_node costs, ann_node source, ann_node target) {
    ann_graph *g = m->nn->graph;
    const ann_node pairs = ann_matmul(g, source, target, false, true);
    const ann_node near = ann_neg(g, scale(g, costs, pairs, m->config->epsilon));
    const ann_node rows = log_uniform(g, source), columns = ann_transpose(g, log_uniform(g, target));
    ann_node u = rows, v = columns; /* potentials */
    for (int i = 0; i < m->config->iterations; i++) {
        u = ann_sub(g, rows, log_sum_exp(g, ann_add(g, near, v), 2));
        v = ann_sub(g, columns, log_sum_exp(g, ann_add(g, near, u), 1));
    }
    const ann_node plan = ann_exp(g, ann_add(g, ann_add(g, near, u), v));
    return ann_select(g, pairs, plan, ann_scalar(g, m->nn->dtype, 0));
}

/* f [G, D] -> [G, G], alpha |f_i - f_j|^2. */
static ann_node distances(const ann_method *m, ann_node f) {
    ann_graph *g = m->nn->graph;
    /* distances do not depend on the origin, but their rounding does */
    const ann_node mean = ann_mul_const(g, ann_reduce_sum(g, f, 1), 1 / (double)m->global);
    const ann_node centred = ann_sub(g, f, ann_stop_grad(g, mean));
    const ann_node lengths = ann_reduce_sum(g, ann_square(g, centred), 2);
    const ann_node product = ann_mul_const(g, ann_matmul(g, centred, centred, false, true), 2);
    const ann_node d = ann_sub(g, ann_add(g, lengths, ann_transpose(g, lengths)), product);
    return ann_mul_const(g, ann_max(g, d, ann_scalar(g, m->nn->dtype, 0)), m->config->alpha);
}

/* [B] -> [G, 1]. */
static ann_node gather_column(const ann_method *m, ann_node x) {
    return ann_method_gather(m, ann_reshape(m->nn->graph, x, ANN_SHAPE(m->local, 1)));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    if (!ann_node_is(loss)) return loss;
    const int64_t classes = ann_node_shape(g, logits)->dim[1];
    const ann_node labelled = ann_mul(g, ann_method_is_source(m), ann_method_is_labelled(m));
    const ann_node source = gather_column(m, labelled), target = gather_column(m, ann_method_is_target(m));
    const ann_node y = ann_method_gather(m, ann_one_hot(g, m->labels, classes, m->nn->dtype));
    const ann_node log_p = ann_method_gather(m, ann_log_softmax(g, logits));
    const ann_node mistakes = ann_neg(g, ann_matmul(g, y, log_p, false, true));
    const ann_node costs = ann_add(g, distances(m, ann_method_gather(m, ann_flatten(g, features))),
                                   ann_mul_const(g, mistakes, m->config->lambda));
    const ann_node plan = ann_stop_grad(g, transport(m, costs, source, target));
    return ann_add(g, loss, ann_method_once(m, ann_sum_all(g, ann_mul(g, plan, costs))));
}

const ann_method_info anni_method_deepjdot = {
    .name = "deepjdot", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
