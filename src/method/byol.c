/* BYOL: Grill, Strub, Altche, Tallec, Richemond, Buchatskaya, Doersch, Avila Pires, Guo, Gheshlaghi Azar,
   Piot, Kavukcuoglu, Munos, Valko, "Bootstrap your own latent", NeurIPS 2020.

       mean over b of  (2 - 2 cos(q(x_b), z(x2_b))) + (2 - 2 cos(q(x2_b), z(x_b)))

   with q = Q(P(F(x))) of the model, projector and predictor, and z = P'(F'(x)) of the target network, whose
   tensors t' become tau t' + (1 - tau) t in each step, tau = 1 - (1 - tau0) (cos(pi p) + 1) / 2 in the course
   p of the phase. No gradient goes through z. x, x2 [B, ...], q, z [B, D]. Both views go through the layers
   as one batch, over which batch norm is, too (in the paper each view has statistics of its own). */
#include "method/method.h"

/* The rows [2 B, D] of the other view of each sample. */
static ann_node swap_views(const ann_method *m, ann_node z) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(z)) return z;
    const int64_t b = m->local, d = ann_node_shape(g, z)->dim[1];
    const ann_node views[] = {ann_slice(g, z, (int64_t[]){b, 0}, (int64_t[]){2 * b, d}),
                              ann_slice(g, z, (int64_t[]){0, 0}, (int64_t[]){b, d})};
    return ann_concat(g, views, 2, 0);
}

/* [2 B, D] */
static ann_node project(const ann_method *m, ann_nn *nn, ann_node x) {
    return ann_method_block(m, nn, m->config->projector, ann_method_model(m, nn, x));
}

/* 1 - (1 - tau0) (cos(pi p) + 1) / 2 */
static ann_node tau(const ann_method *m) {
    const double half = (1 - m->config->momentum) / 2;
    return ann_add_const(m->nn->graph, ann_mul_const(m->nn->graph, m->cosine, -half), 1 - half);
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_node x;
    ann_nn online = ann_method_both_views(m, &x), target = ann_method_teacher(&online);
    const ann_node q = ann_method_block(m, &online, m->config->predictor, project(m, &online, x));
    const ann_node z = swap_views(m, ann_stop_grad(g, project(m, &target, x)));
    const ann_node cosine = ann_reduce_sum(
        g, ann_mul(g, ann_method_normalize(g, q), ann_method_normalize(g, z)), 2); /* [2 B, 1] */
    ann_method_follow(m, tau(m));
    return ann_method_batch_mean(m, ann_add_const(g, ann_mul_const(g, cosine, -2), 2));
}

const ann_method_info anni_method_byol = {.name = "byol",
                                          .needs = ANN_METHOD_PRETRAIN | ANN_METHOD_TWO_VIEWS |
                                                   ANN_METHOD_OWN_LOSS,
                                          .steps = 1,
                                          .build = build};
