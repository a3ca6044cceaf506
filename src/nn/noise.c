/* Layers that draw random numbers: dropout and kinds of noise. All are the identity outside training. */
#include "nn/nn.h"

#include "base/hash.h"

uint32_t ann_nn_stream(const char *name) {
    const uint64_t hash = ann_hash_str(name);
    return (uint32_t)(hash ^ (hash >> 32));
}

ann_node ann_nn_dropout(ann_nn *nn, const char *name, ann_node x, double p) {
    if (!nn->training || p <= 0) return x;
    ann_scope_push(nn->graph, name);
    const ann_node y = ann_dropout(nn->graph, x, nn->ids, p, nn->seed, ann_nn_stream(name));
    ann_scope_pop(nn->graph);
    return y;
}

static ann_node draw(const ann_nn *nn, const char *name, ann_node x, ann_rand_kind kind) {
    return ann_rand(nn->graph, kind, ann_node_dtype(nn->graph, x), *ann_node_shape(nn->graph, x), nn->ids,
                    nn->seed, ann_nn_stream(name));
}

static bool is_quiet(const ann_nn *nn, ann_node x, double amount) {
    return !nn->training || amount <= 0 || !ann_node_is(x);
}

/* value where a uniform draw u is below p, else x. */
static ann_node put_below(ann_graph *g, ann_node u, double p, double value, ann_node x) {
    const ann_dtype dtype = ann_node_dtype(g, x);
    return ann_select(g, ann_gt(g, ann_scalar(g, dtype, p), u), ann_scalar(g, dtype, value), x);
}

ann_node ann_nn_mask_noise(ann_nn *nn, const char *name, ann_node x, double p) {
    if (is_quiet(nn, x, p)) return x;
    ann_scope_push(nn->graph, name);
    const ann_node y = put_below(nn->graph, draw(nn, name, x, ANN_RAND_UNIFORM), p, 0, x);
    ann_scope_pop(nn->graph);
    return y;
}

ann_node ann_nn_salt_pepper(ann_nn *nn, const char *name, ann_node x, double p) {
    ann_graph *g = nn->graph;
    if (is_quiet(nn, x, p)) return x;
    ann_scope_push(g, name);
    const ann_node u = draw(nn, name, x, ANN_RAND_UNIFORM);
    const ann_node y = put_below(g, u, p / 2, 0, put_below(g, u, p, 1, x));
    ann_scope_pop(g);
    return y;
}

ann_node ann_nn_gaussian_noise(ann_nn *nn, const char *name, ann_node x, double sigma) {
    ann_graph *g = nn->graph;
    if (is_quiet(nn, x, sigma)) return x;
    ann_scope_push(g, name);
    const ann_node y = ann_add(g, x, ann_mul_const(g, draw(nn, name, x, ANN_RAND_NORMAL), sigma));
    ann_scope_pop(g);
    return y;
}
