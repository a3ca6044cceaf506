/* Contractive autoencoder: Rifai, Vincent, Muller, Glorot, Bengio, "Contractive auto-encoders: explicit
   invariance during feature extraction", ICML 2011.

       mean_b L(x_b, D(E(x_b))) + w mean_b |J_E(x_b)|_F^2

   with J_E(x) [K, D] the derivative of the code E(x) by the input, as it comes in (with phases[].noise). Of
   one dense layer h = sigmoid(x W + b) it is known in closed form,

       |J_E(x)|_F^2 = sum_j (h_j (1 - h_j))^2 sum_i W_ij^2.

   Of any encoder it is made of gradients of gradients: row j of all J_E(x_b) is the gradient of sum_b
   E_j(x_b), K backward passes; or, with n probes, its expectation over random signs s in K dimensions,
   |J^T s|^2 (Hutchinson 1990), n of them. With batch norm in the encoder a code depends on the whole batch,
   and so J_E(x_b) is the derivative of all codes' sum by x_b.

   L is phases[].loss, a mean over elements: the w of the paper, which sums over them, is that of here times
   their number. x [B, ...], E(x) [B, ...] with K elements a sample. */
#include "method/method.h"

#include <stdio.h>

static ann_node closed(const ann_method *m, ann_node code) {
    ann_graph *g = m->nn->graph;
    ann_node weight, bias;
    if (!ann_method_is_sigmoid_layer(m, m->x, code, &weight, &bias))
        return ann_graph_fail(g, ANN_ERR_ARG,
                              "form: closed is for a code of one dense layer with activation: sigmoid; "
                              "accepted for others is form: gradient");
    const ann_node slopes = ann_mul(g, code, ann_add_const(g, ann_neg(g, code), 1));
    const ann_node lengths = ann_reduce_sum(g, ann_square(g, weight), 1);
    return ann_reduce_sum(g, ann_mul(g, ann_square(g, slopes), lengths), 2);
}

/* |d y / d x_b|^2 of each sample, [B, 1]. */
static ann_node gradient_norm(const ann_method *m, ann_node y) {
    ann_graph *g = m->nn->graph;
    ann_node dx;
    ann_grad(g, y, &m->x, 1, &dx);
    return ann_reduce_sum(g, ann_square(g, ann_flatten(g, dx)), 2);
}

static ann_node unit(const ann_method *m, ann_node code, int64_t j) {
    return ann_slice(m->nn->graph, code, (int64_t[]){0, j}, (int64_t[]){m->local, j + 1});
}

/* The code along random signs of each sample. */
static ann_node probe(const ann_method *m, ann_node code, int64_t j) {
    ann_graph *g = m->nn->graph;
    char name[64];
    snprintf(name, sizeof name, "contractive/probe%lld", (long long)j);
    const ann_node u = ann_rand(g, ANN_RAND_UNIFORM, m->nn->dtype, *ann_node_shape(g, code), m->nn->ids,
                                m->nn->seed, ann_nn_stream(name));
    const ann_node upper = ann_gt(g, u, ann_scalar(g, m->nn->dtype, 0.5));
    return ann_mul(g, code, ann_add_const(g, ann_mul_const(g, upper, 2), -1));
}

static ann_node by_gradients(const ann_method *m, ann_node code) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(code)) return code;
    const ann_node flat = ann_flatten(g, code);
    const int probes = m->config->probes;
    const int64_t count = probes > 0 ? probes : ann_node_shape(g, flat)->dim[1];
    ann_node sum = ANN_NODE_NONE;
    for (int64_t j = 0; j < count; j++) {
        const ann_node along = probes > 0 ? probe(m, flat, j) : unit(m, flat, j);
        const ann_node norm = gradient_norm(m, ann_sum_all(g, along));
        sum = j == 0 ? norm : ann_add(g, sum, norm);
    }
    return probes > 0 ? ann_mul_const(g, sum, 1.0 / probes) : sum;
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node code = ann_method_features(m, m->nn, m->x);
    const ann_node out = ann_method_head(m, m->nn, code);
    const ann_node loss = ann_method_batch_mean(m, ann_method_error(m, out, m->clean));
    const ann_node norms = m->config->form == ANN_METHOD_CLOSED ? closed(m, code) : by_gradients(m, code);
    return ann_add(g, loss, ann_mul_const(g, ann_method_batch_mean(m, norms), m->config->weight));
}

const ann_method_info anni_method_contractive = {
    .name = "contractive", .needs = ANN_METHOD_PRETRAIN, .steps = 1, .build = build};
