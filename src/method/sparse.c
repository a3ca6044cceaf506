/* Sparse autoencoder: Ng, "Sparse autoencoder", CS294A lecture notes, Stanford 2011; Lee, Ekanadham, Ng,
   "Sparse deep belief net model for visual area V2", NIPS 2007.

       mean_b L(x_b, D(E(x_b))) + w sum_j KL(rho || mean_b E_j(x_b)),
       KL(rho || q) = rho log(rho / q) + (1 - rho) log((1 - rho) / (1 - q))

   with rho the wanted mean activation of each of the K units of the code, sigmoid(...), and means over the
   global batch. L is phases[].loss, a mean over elements: the w of the papers, which sum over them, is that
   of here times their number. x [B, ...], E(x) [B, ...] with K elements a sample. Over ranks: one reduction
   of K elements. */
#include "method/method.h"

#include <math.h>

/* Of the mean activations q [1, K]; kept off 0 and 1, where units have saturated, so that it stays finite. */
static ann_node divergence(const ann_method *m, ann_node q) {
    ann_graph *g = m->nn->graph;
    const double rho = m->config->target, margin = 1e-6;
    q = ann_max(g, q, ann_scalar(g, m->nn->dtype, margin));
    q = ann_min(g, q, ann_scalar(g, m->nn->dtype, 1 - margin));
    const ann_node on = ann_mul_const(g, ann_log(g, q), -rho);
    const ann_node off = ann_mul_const(g, ann_log(g, ann_add_const(g, ann_neg(g, q), 1)), rho - 1);
    const double entropy = -rho * log(rho) - (1 - rho) * log(1 - rho);
    return ann_sum_all(g, ann_add_const(g, ann_add(g, on, off), -entropy));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node code = ann_method_features(m, m->nn, m->x);
    const ann_node out = ann_method_head(m, m->nn, code);
    if (!ann_method_is_sigmoid(m, code))
        return ann_graph_fail(g, ANN_ERR_ARG, "the code must be of sigmoid units");
    const ann_node loss = ann_method_batch_mean(m, ann_method_error(m, out, m->clean));
    const ann_node summed = ann_reduce_sum(g, ann_mul(g, ann_flatten(g, code), m->scale), 1);
    const ann_node penalty = ann_method_once(m, divergence(m, ann_method_sum(m, summed)));
    return ann_add(g, loss, ann_mul_const(g, penalty, m->config->weight));
}

const ann_method_info anni_method_sparse = {
    .name = "sparse", .needs = ANN_METHOD_PRETRAIN, .steps = 1, .build = build};
