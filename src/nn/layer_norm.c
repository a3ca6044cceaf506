/* Layer normalisation: Ba, Kiros and Hinton, "Layer normalization", 2016. Nothing is over the batch, so that
   there are no running statistics, and training and evaluation are alike. */
#include "nn/nn.h"

/* Over the last axis: [.., 1]. */
static ann_node mean_of_last(ann_graph *g, ann_node x) {
    const ann_shape *shape = ann_node_shape(g, x);
    const int last = shape->rank - 1;
    const double extent = (double)shape->dim[last];
    return ann_mul_const(g, ann_reduce_sum(g, x, 1u << last), 1.0 / extent);
}

ann_node ann_nn_layer_norm(ann_nn *nn, const char *name, ann_node x, double eps) {
    ann_graph *g = nn->graph;
    if (!ann_node_is(x)) return x;
    const ann_shape *shape = ann_node_shape(g, x);
    if (shape->rank < 2)
        return ann_graph_fail(g, ANN_ERR_SHAPE, "layer norm %s: the input must be [B, .., C]", name);
    const ann_shape per_channel = ANN_SHAPE(shape->dim[shape->rank - 1]);
    const ann_init zero = {ANN_INIT_ZERO, 0}, one = {ANN_INIT_CONST, 1};
    ann_scope_push(g, name);
    const ann_node gamma = anni_nn_tensor(nn, name, "gamma", per_channel, ANN_ROLE_PARAM, one);
    const ann_node beta = anni_nn_tensor(nn, name, "beta", per_channel, ANN_ROLE_PARAM, zero);
    const ann_node centred = ann_sub(g, x, mean_of_last(g, x));
    const ann_node var = mean_of_last(g, ann_square(g, centred));
    const ann_node inverse_std = ann_recip(g, ann_sqrt(g, ann_add_const(g, var, eps)));
    const ann_node y = ann_add(g, ann_mul(g, ann_mul(g, centred, inverse_std), gamma), beta);
    ann_scope_pop(g);
    return y;
}
