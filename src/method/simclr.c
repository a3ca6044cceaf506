/* SimCLR: Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual
   representations", ICML 2020.

       mean over i of  -log(exp(z_i z_j(i) / T) / sum over k != i of exp(z_i z_k / T))

   (NT-Xent), i and k over both views of all samples of the global batch, j(i) the other view of i's sample,
   z = P(F(x)) of length 1. x, x2 [B, ...], P(F(x)) [B, D]. Both views go through the layers as one batch,
   over which batch norm is, too. Over ranks: one reduction of 2 G D elements, and one in the gradient. */
#include "method/method.h"

/* a [B, K] and b [B, K] -> [2 B, 2 K], zeros elsewhere; swapped: a is on the right and b on the left. */
static ann_node blocks(ann_graph *g, ann_node a, bool swapped) {
    if (!ann_node_is(a)) return a;
    const int64_t none[2] = {0, 0}, width[2] = {0, ann_node_shape(g, a)->dim[1]};
    const ann_node left = ann_pad(g, a, none, width), right = ann_pad(g, a, width, none);
    return ann_concat(g, (ann_node[]){swapped ? right : left, swapped ? left : right}, 2, 0);
}

/* z [2 B, D], a view after the other -> those of all ranks, [2 G, D]. */
static ann_node gather_views(const ann_method *m, ann_node z) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(z)) return z;
    const int64_t b = m->local, n = m->global, d = ann_node_shape(g, z)->dim[1];
    const ann_node views[] = {ann_slice(g, z, (int64_t[]){0, 0}, (int64_t[]){b, d}),
                              ann_slice(g, z, (int64_t[]){b, 0}, (int64_t[]){2 * b, d})};
    const ann_node all = ann_method_gather(m, ann_concat(g, views, 2, 1));
    const ann_node rows[] = {ann_slice(g, all, (int64_t[]){0, 0}, (int64_t[]){n, d}),
                             ann_slice(g, all, (int64_t[]){0, d}, (int64_t[]){n, 2 * d})};
    return ann_concat(g, rows, 2, 0);
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_node x;
    ann_nn nn = ann_method_both_views(m, &x);
    const ann_node h = ann_method_model(m, &nn, x);
    const ann_node z = ann_method_normalize(g, ann_method_block(m, &nn, m->config->projector, h));
    const ann_node cosines = ann_matmul(g, z, gather_views(m, z), false, true);
    const ann_node place = ann_method_place(m);
    const ann_node itself = blocks(g, place, false), partner = ann_argmax(g, blocks(g, place, true));
    const ann_node never = ann_scalar(g, m->nn->dtype, -1e30); /* its exponential is 0 */
    const ann_node logits =
        ann_select(g, itself, never, ann_mul_const(g, cosines, 1 / m->config->temperature));
    return ann_mul_const(g, ann_method_batch_mean(m, ann_cross_entropy(g, logits, partner)), 0.5);
}

const ann_method_info anni_method_simclr = {.name = "simclr",
                                            .needs = ANN_METHOD_PRETRAIN | ANN_METHOD_TWO_VIEWS |
                                                     ANN_METHOD_OWN_LOSS,
                                            .steps = 1,
                                            .build = build};
