/* Compression of gradients with error feedback. Compression is a projection C in the graph, so that a message
   carries only what its wire format holds, and what is lost is known:

       v = g + e        q = C(v)        e = v - q        gradient = sum of q over ranks

   On one rank it is applied as well, so that its effect on training can be seen there. */
#include "optim/rule.h"

static ann_node project(ann_graph *g, const ann_compress *c, ann_node v, int64_t k) {
    switch (c->method) {
    case ANN_COMPRESS_BF16: return ann_round_bf16(g, v);
    case ANN_COMPRESS_F16: return ann_round_f16(g, v);
    case ANN_COMPRESS_TOPK: return ann_topk(g, v, k);
    default: return v;
    }
}

/* That of f64, which only tests use, is always the native one. */
static ann_wire wire_of(const ann_compress *c, ann_dtype dtype) {
    static const ann_wire wires[] = {[ANN_COMPRESS_NONE] = ANN_WIRE_NATIVE,
                                     [ANN_COMPRESS_BF16] = ANN_WIRE_BF16,
                                     [ANN_COMPRESS_F16] = ANN_WIRE_F16,
                                     [ANN_COMPRESS_TOPK] = ANN_WIRE_SPARSE};
    return dtype == ANN_F32 ? wires[c->method] : ANN_WIRE_NATIVE;
}

/* At least one element, so that something is learned. */
static int64_t kept_elems(const ann_compress *c, int64_t elems) {
    const int64_t k = (int64_t)(c->fraction * (double)elems + 0.5);
    return k < 1 ? 1 : k > elems ? elems : k;
}

/* A scalar of the host times x, where the loss is scaled; residuals are kept without the scale, which
 * changes. */
static ann_node scaled(const anni_update *u, ann_node x, const char *input) {
    return u->optim->loss_scaled ? anni_scaled(u->graph, x, input) : x;
}

ann_node anni_sum_over_ranks(const anni_update *u, ann_node v) {
    ann_graph *g = u->graph;
    const ann_compress *c = &u->optim->compress;
    if (!ann_node_is(v)) return ANN_NODE_NONE;
    const bool feedback = c->error_feedback && c->method != ANN_COMPRESS_NONE;
    const ann_node error = feedback ? anni_moment(u, "error") : ANN_NODE_NONE;
    const int64_t k = kept_elems(c, ann_shape_elems(ann_node_shape(g, v)));
    if (feedback) v = ann_add(g, v, scaled(u, error, "loss_scale"));
    const ann_node q = project(g, c, v, k);
    if (feedback) anni_put(u, error, scaled(u, ann_sub(g, v, q), "loss_unscale"));
    const ann_wire wire = wire_of(c, ann_node_dtype(g, v));
    return ann_allreduce_as(g, q, 0, wire, wire == ANN_WIRE_SPARSE ? k : 0);
}
