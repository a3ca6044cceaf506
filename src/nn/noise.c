/* Layers that draw random numbers: dropout and masking noise. Both are the identity outside training. */
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

ann_node ann_nn_mask_noise(ann_nn *nn, const char *name, ann_node x, double p) {
    ann_graph *g = nn->graph;
    if (!nn->training || p <= 0 || !ann_node_is(x)) return x;
    const ann_dtype dtype = ann_node_dtype(g, x);
    ann_scope_push(g, name);
    const ann_node u =
        ann_rand(g, ANN_RAND_UNIFORM, dtype, *ann_node_shape(g, x), nn->ids, nn->seed, ann_nn_stream(name));
    const ann_node masked = ann_gt(g, ann_scalar(g, dtype, p), u);
    const ann_node y = ann_select(g, masked, ann_scalar(g, dtype, 0), x);
    ann_scope_pop(g);
    return y;
}
