/* Minimum class confusion: Jin, Wang, Long, Wang, "Minimum class confusion for versatile domain adaptation",
   ECCV 2020.

       E_s[CE(z, y)] + w / K sum over j of (1 - C_jj / sum over k of C_jk),   C_jk = sum over i of v_i p_ij
   p_ik

   p = softmax(z / T) on the target's samples i of the global batch, v = 1 + exp(-H(p)) without gradient, H
   the entropy. Rows of C sum up to sum over i of v_i p_ij, and so neither C itself nor the scale of v is
   needed. x [B, ...], z [B, K]. Over ranks: one reduction of 2 K elements. */
#include "method/method.h"

static ann_node confusion(const ann_method *m, ann_node z) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(z)) return z;
    const int64_t classes = ann_node_shape(g, z)->dim[1];
    const ann_node logits = ann_mul_const(g, z, 1 / m->config->temperature), p = ann_softmax(g, logits);
    const ann_node certainty = ann_exp(g, ann_neg(g, ann_stop_grad(g, ann_method_entropy(m, logits))));
    const ann_node v = ann_mul(g, ann_add_const(g, certainty, 1), ann_method_is_target(m));
    const ann_node weighted = ann_mul(g, p, ann_reshape(g, v, ANN_SHAPE(m->local, 1)));
    const ann_node rest = ann_add_const(g, ann_neg(g, p), 1);
    const ann_node each = ann_concat(g, (ann_node[]){ann_mul(g, weighted, rest), weighted}, 2, 1);
    const ann_node sums = ann_method_sum(m, ann_reduce_sum(g, each, 1));
    const ann_node other = ann_slice(g, sums, (int64_t[]){0, 0}, (int64_t[]){1, classes});
    const ann_node rows = ann_slice(g, sums, (int64_t[]){0, classes}, (int64_t[]){1, 2 * classes});
    /* a class that no sample has any probability of */
    const ann_node share = ann_div(g, other, ann_max(g, rows, ann_scalar(g, m->nn->dtype, 1e-30)));
    return ann_method_once(m, ann_mul_const(g, ann_sum_all(g, share), 1 / (double)classes));
}

static ann_node build(ann_method *m) {
    const ann_node logits = ann_method_model(m, m->nn, m->x);
    const ann_node loss = ann_method_classify(m, logits);
    return ann_method_add_term(m, loss, confusion(m, logits));
}

const ann_method_info anni_method_mcc = {
    .name = "mcc", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
