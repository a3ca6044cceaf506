/* MoCo: He, Fan, Wu, Xie, Girshick, "Momentum contrast for unsupervised visual representation learning", CVPR
   2020.

       mean over b of  -log(exp(q_b k_b / T) / (exp(q_b k_b / T) + sum over rows r of the queue of exp(q_b r /
   T)))

   (InfoNCE) with q = P(F(x)) and k = P'(F'(x2)), both of length 1; the tensors of F' and P' are moving
   averages of the model's, and no gradient goes through k. The queue "moco/queue" [K, D] holds the keys of
   the last batches of all ranks, newest first; it begins with random directions. x, x2 [B, ...].

   The paper shuffles the keys' samples among GPUs, since its batch norm is over those of one GPU, and that a
   key shares its statistics with its query would tell them apart from others. Here statistics are over the
   global batch and the same for all of its samples, so there is nothing to shuffle. Over ranks: one reduction
   of G D elements. */
#include "method/method.h"

static ann_node project(const ann_method *m, ann_nn *nn, ann_node x) {
    const ann_node h = ann_method_model(m, nn, x);
    return ann_method_normalize(m->nn->graph, ann_method_block(m, nn, m->config->projector, h));
}

/* The keys k [B, D] of all ranks move in, and as many of the oldest out. */
static void enqueue(const ann_method *m, ann_node queue, ann_node k) {
    ann_graph *g = m->nn->graph;
    const int64_t rows = m->config->queue, d = ann_node_shape(g, k)->dim[1], none[2] = {0, 0};
    const int64_t come = rows < m->global ? rows : m->global;
    const ann_node all = ann_method_gather(m, k);
    const ann_node newest = ann_slice(g, all, none, (int64_t[]){come, d});
    ann_node value = newest;
    if (come < rows) {
        const ann_node others = ann_slice(g, queue, none, (int64_t[]){rows - come, d});
        value = ann_concat(g, (ann_node[]){newest, others}, 2, 0);
    }
    ann_effect(g, ann_assign(g, queue, value));
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    ann_nn teacher = ann_method_teacher(m->nn);
    const ann_node q = project(m, m->nn, m->x);
    const ann_node k = ann_stop_grad(g, project(m, &teacher, m->x2));
    if (!ann_node_is(k)) return k;
    const ann_shape shape = ANN_SHAPE(m->config->queue, ann_node_shape(g, k)->dim[1]);
    const ann_node queue =
        ann_method_tensor(m, "moco/queue", shape, ANN_ROLE_STATE, (ann_init){ANN_INIT_NORMAL, 1});
    const ann_node positive = ann_reduce_sum(g, ann_mul(g, q, k), 2);
    const ann_node negative = ann_matmul(g, q, ann_method_normalize(g, queue), false, true);
    const ann_node cosines = ann_concat(g, (ann_node[]){positive, negative}, 2, 1);
    const ann_node first = ann_fill(g, ANN_I32, ANN_SHAPE(m->local), 0);
    enqueue(m, queue, k);
    ann_method_follow(m, ann_scalar(g, m->nn->dtype, m->config->momentum));
    return ann_method_batch_mean(
        m, ann_cross_entropy(g, ann_mul_const(g, cosines, 1 / m->config->temperature), first));
}

const ann_method_info anni_method_moco = {.name = "moco",
                                          .needs = ANN_METHOD_PRETRAIN | ANN_METHOD_TWO_VIEWS |
                                                   ANN_METHOD_OWN_LOSS,
                                          .steps = 1,
                                          .build = build};
