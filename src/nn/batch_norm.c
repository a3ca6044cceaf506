/* Batch normalisation: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by
   reducing internal covariate shift", ICML 2015. The statistics are those of the global batch, so that
   training does not depend on the number of ranks. */
#include "nn/batch_norm.h"

#include <stdio.h>

/* All axes but the last. */
static uint32_t channel_axes(const ann_shape *shape) { return (1u << (shape->rank - 1)) - 1u; }

/* The mean of x per channel over the batch: [1, .., 1, C]. */
static ann_node batch_mean(const ann_nn *nn, ann_node x) {
    ann_graph *g = nn->graph;
    const ann_shape *shape = ann_node_shape(g, x);
    const double per_channel = (double)(ann_shape_elems(shape) / shape->dim[shape->rank - 1]);
    const double per_sample = per_channel / (double)shape->dim[0];
    const ann_node sum = ann_reduce_sum(g, x, channel_axes(shape));
    if (nn->batch_total <= 0) return ann_mul_const(g, sum, 1.0 / per_channel);
    const ann_node scale = ann_cast(g, ann_mul_const(g, nn->batch_scale, 1.0 / per_sample), nn->dtype);
    return ann_allreduce(g, ann_mul(g, sum, scale), 0);
}

/* running = (1 - momentum) running + momentum * batch */
static void move_running(ann_nn *nn, ann_node running, ann_node batch, double momentum) {
    ann_graph *g = nn->graph;
    if (nn->shadow) return;
    if (nn->moving) {
        if (nn->moving_count < nn->moving_room)
            nn->moving[nn->moving_count++] = (ann_nn_moving){running, batch, momentum};
        else ann_graph_fail(g, ANN_ERR_INTERNAL, "no room for running statistics");
        return;
    }
    const ann_node seen = ann_stop_grad(g, batch);
    if (nn->momentum) {
        const ann_node share = ann_cast(g, *nn->momentum, nn->dtype);
        ann_effect(g,
                   ann_assign(g, running, ann_add(g, running, ann_mul(g, share, ann_sub(g, seen, running)))));
        return;
    }
    const ann_node value =
        ann_add(g, ann_mul_const(g, running, 1.0 - momentum), ann_mul_const(g, seen, momentum));
    ann_effect(g, ann_assign(g, running, value));
}

/* n / (n - 1): from the variance of the sample to the unbiased estimate that is kept. */
static double bessel(const ann_nn *nn, const ann_shape *shape) {
    double n = (double)(ann_shape_elems(shape) / shape->dim[shape->rank - 1]);
    if (nn->batch_total > 0) n = n / (double)shape->dim[0] * nn->batch_total;
    return n > 1 ? n / (n - 1) : 1;
}

/* By the statistics of the batch, by which the running ones are moved, or by the running ones. */
static anni_nn_normal normal_of(ann_nn *nn, const char *name, ann_node x, double momentum, bool counted) {
    ann_graph *g = nn->graph;
    const ann_shape *shape = ann_node_shape(g, x);
    const ann_shape per_channel = ANN_SHAPE(shape->dim[shape->rank - 1]);
    const double correction = bessel(nn, shape);
    const ann_init zero = {ANN_INIT_ZERO, 0}, one = {ANN_INIT_CONST, 1};
    const ann_node mean = anni_nn_tensor(nn, name, "mean", per_channel, ANN_ROLE_STATE, zero);
    const ann_node var = anni_nn_tensor(nn, name, "var", per_channel, ANN_ROLE_STATE, one);
    if (!counted) return (anni_nn_normal){ann_sub(g, x, mean), var};
    const ann_node of_batch = batch_mean(nn, x);
    const ann_node centred = ann_sub(g, x, of_batch);
    const ann_node spread = batch_mean(nn, ann_square(g, centred));
    move_running(nn, mean, ann_reshape(g, of_batch, per_channel), momentum);
    move_running(nn, var, ann_mul_const(g, ann_reshape(g, spread, per_channel), correction), momentum);
    return (anni_nn_normal){centred, spread};
}

ann_node ann_nn_batch_norm(ann_nn *nn, const char *name, ann_node x, double momentum, double eps) {
    ann_graph *g = nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *shape = ann_node_shape(g, x);
    if (shape->rank < 2)
        return ann_graph_fail(g, ANN_ERR_SHAPE, "batch norm %s: the input must be [B, .., C]", name);
    char gamma_name[256];
    snprintf(gamma_name, sizeof gamma_name, "%s/gamma", name);
    const bool frozen = nn->trained && !ann_name_matches(nn->trained, gamma_name);
    const bool counted = nn->training && !frozen;
    const ann_shape per_channel = ANN_SHAPE(shape->dim[shape->rank - 1]);
    const ann_init zero = {ANN_INIT_ZERO, 0}, one = {ANN_INIT_CONST, 1};
    ann_scope_push(g, name);
    const anni_nn_normal x_normal = nn->domain_count > 0
                                        ? anni_nn_normal_by_domain(nn, name, x, momentum, counted)
                                        : normal_of(nn, name, x, momentum, counted);
    const ann_node gamma = anni_nn_tensor(nn, name, "gamma", per_channel, ANN_ROLE_PARAM, one);
    const ann_node beta = anni_nn_tensor(nn, name, "beta", per_channel, ANN_ROLE_PARAM, zero);
    const ann_node inverse_std = ann_recip(g, ann_sqrt(g, ann_add_const(g, x_normal.var, eps)));
    const ann_node y = ann_add(g, ann_mul(g, x_normal.centred, ann_mul(g, inverse_std, gamma)), beta);
    ann_scope_pop(g);
    return y;
}
