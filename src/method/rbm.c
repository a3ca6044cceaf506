/* Restricted Boltzmann machine, trained by contrastive divergence: Hinton, "Training products of experts by
   minimizing contrastive divergence", Neural Computation 14, 2002; with persistent chains: Tieleman,
   "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008.

       F(v) = -v a - sum_j log(1 + exp(v W + b)_j),   descent of mean_b [F(v_b) - F(v'_b)]

   where v' is what k steps of Gibbs sampling, h ~ sigmoid(v W + b), v ~ sigmoid(h W^T + a), make of v (CD-k),
   or of what they made of it in the update before (persistent; chains begin at 0). A draw has no gradient.
   All units are binary; inputs from 0 to 1 stand for their probabilities. Over ranks, chains are those of the
   global batch, as many as phases[].batch: one reduction of batch D elements where they persist. */
#include "method/rbm.h"

#include <stdio.h>

enum { NAME_BYTES = 256 };

anni_rbm anni_rbm_of(const ann_method *m, const char *block, ann_node v, ann_node h) {
    ann_graph *g = m->nn->graph;
    anni_rbm rbm = {.block = block, .v = ANN_NODE_NONE, .h = h, .visible_bias = ANN_NODE_NONE};
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s/visible/bias", block);
    if (!ann_method_is_sigmoid_layer(m, v, h, &rbm.weight, &rbm.bias)) {
        ann_graph_fail(
            g, ANN_ERR_ARG,
            "block %s: accepted as a Boltzmann machine is one dense layer with activation: sigmoid", block);
        return rbm;
    }
    const int64_t visible = ann_node_shape(g, rbm.weight)->dim[0];
    rbm.visible_bias =
        ann_method_tensor(m, name, ANN_SHAPE(visible), ANN_ROLE_PARAM, (ann_init){ANN_INIT_ZERO, 0});
    rbm.v = ann_reshape(g, v, ANN_SHAPE(m->local, visible));
    return rbm;
}

static ann_node hidden_logits(ann_graph *g, const anni_rbm *rbm, ann_node v) {
    return ann_add(g, ann_matmul(g, v, rbm->weight, false, false), rbm->bias);
}
static ann_node visible_logits(ann_graph *g, const anni_rbm *rbm, ann_node h) {
    return ann_add(g, ann_matmul(g, h, rbm->weight, false, true), rbm->visible_bias);
}

/* [B, 1] */
static ann_node free_energy(ann_graph *g, const anni_rbm *rbm, ann_node v) {
    const ann_node seen = ann_reduce_sum(g, ann_mul(g, v, rbm->visible_bias), 2);
    const ann_node hidden = ann_reduce_sum(g, ann_softplus(g, hidden_logits(g, rbm, v)), 2);
    return ann_neg(g, ann_add(g, seen, hidden));
}

/* Units that are 1 with probability sigmoid(logits). */
static ann_node sample(const ann_method *m, const anni_rbm *rbm, const char *units, int step,
                       ann_node logits) {
    ann_graph *g = m->nn->graph;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s/%s%d", rbm->block, units, step);
    if (!ann_node_is(logits)) return logits;
    const ann_node u = ann_rand(g, ANN_RAND_UNIFORM, m->nn->dtype, *ann_node_shape(g, logits), m->nn->ids,
                                m->nn->seed, ann_nn_stream(name));
    return ann_gt(g, ann_sigmoid(g, logits), u);
}

static ann_node gibbs(const ann_method *m, const anni_rbm *rbm, ann_node v) {
    ann_graph *g = m->nn->graph;
    for (int k = 0; k < m->config->gibbs_steps; k++) {
        const ann_node h = sample(m, rbm, "hidden", k, hidden_logits(g, rbm, v));
        v = sample(m, rbm, "visible", k, visible_logits(g, rbm, h));
    }
    return v;
}

/* The chains of the whole batch take the rows of this one; those of a smaller batch leave the others. */
static void move_chains(const ann_method *m, ann_node chains, ann_node rows) {
    ann_graph *g = m->nn->graph;
    ann_node all = ann_method_gather(m, rows);
    if (!ann_node_is(all)) return;
    const int64_t visible = ann_node_shape(g, all)->dim[1];
    if (m->global < m->whole) {
        const ann_node rest = ann_slice(g, chains, (int64_t[]){m->global, 0}, (int64_t[]){m->whole, visible});
        all = ann_concat(g, (ann_node[]){all, rest}, 2, 0);
    }
    ann_effect(g, ann_assign(g, chains, all));
}

static ann_node persistent(const ann_method *m, const anni_rbm *rbm, bool moves) {
    ann_graph *g = m->nn->graph;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s/chain", rbm->block);
    const ann_shape shape = ANN_SHAPE(m->whole, ann_node_shape(g, rbm->v)->dim[1]);
    const ann_node chains = ann_method_tensor(m, name, shape, ANN_ROLE_STATE, (ann_init){ANN_INIT_ZERO, 0});
    const ann_node v = gibbs(m, rbm, ann_method_rows(m, chains));
    if (moves) move_chains(m, chains, v);
    return v;
}

ann_node anni_rbm_loss(const ann_method *m, const anni_rbm *rbm, bool moves) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(rbm->v)) return rbm->v;
    const ann_node end = m->config->persistent ? persistent(m, rbm, moves) : gibbs(m, rbm, rbm->v);
    const ann_node fall = ann_sub(g, free_energy(g, rbm, rbm->v), free_energy(g, rbm, end));
    return ann_method_batch_mean(m, fall);
}

ann_node anni_rbm_error(const ann_method *m, const anni_rbm *rbm) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(rbm->v)) return rbm->v;
    const ann_node logits = visible_logits(g, rbm, rbm->h);
    const ann_node out = m->likeness == ANN_METHOD_BCE ? logits : ann_sigmoid(g, logits);
    return ann_method_error(m, out, rbm->v);
}
