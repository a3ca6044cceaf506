#include "method/gaussian.h"

#include <math.h>

ann_node anni_gaussian_kernel(ann_graph *g, ann_node d, ann_node bandwidth, int kernels) {
    const double least = 1e-12; /* where all samples are alike */
    const ann_node width =
        ann_stop_grad(g, ann_max(g, bandwidth, ann_scalar(g, ann_node_dtype(g, bandwidth), least)));
    const ann_node near = ann_neg(g, ann_div(g, d, width));
    ann_node sum = ANN_NODE_NONE;
    for (int u = 0; u < kernels; u++) {
        const ann_node k = ann_exp(g, ann_mul_const(g, near, ldexp(1, kernels / 2 - u)));
        sum = u == 0 ? k : ann_add(g, sum, k);
    }
    return ann_mul_const(g, sum, 1.0 / kernels);
}

static ann_node squared_lengths(ann_graph *g, ann_node x) { return ann_reduce_sum(g, ann_square(g, x), 2); }

ann_node anni_distance_rows(const ann_method *m, ann_node z, ann_node *mean) {
    ann_graph *g = m->nn->graph;
    const double n = (double)m->global;
    const ann_node own = ann_flatten(g, z), all = ann_method_gather(m, own);
    /* distances do not depend on the origin, but their rounding does */
    const ann_node origin = ann_stop_grad(g, ann_mul_const(g, ann_reduce_sum(g, all, 1), 1 / n));
    const ann_node rows = ann_sub(g, own, origin), columns = ann_sub(g, all, origin);
    const ann_node lengths = squared_lengths(g, columns);
    const ann_node sum = ann_add(g, squared_lengths(g, rows), ann_transpose(g, lengths));
    const ann_node product = ann_mul_const(g, ann_matmul(g, rows, columns, false, true), 2);
    /* the sum over all pairs is 2 n times that of the squared lengths; n (n - 1) are of different samples */
    if (mean) *mean = ann_mul_const(g, ann_sum_all(g, lengths), 2 / fmax(n - 1, 1));
    return ann_max(g, ann_sub(g, sum, product), ann_scalar(g, m->nn->dtype, 0));
}

ann_node anni_gaussian_rows(const ann_method *m, ann_node z, int kernels) {
    ann_node bandwidth;
    const ann_node d = anni_distance_rows(m, z, &bandwidth);
    return anni_gaussian_kernel(m->nn->graph, d, bandwidth, kernels);
}

/* a [G, 1]. */
static ann_node weights_of_all(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node sign = ann_sub(g, ann_method_is_source(m), ann_method_is_target(m));
    const ann_node all = ann_method_gather(m, ann_reshape(g, sign, ANN_SHAPE(m->local, 1)));
    const ann_node source = ann_relu(g, all), target = ann_relu(g, ann_neg(g, all));
    const ann_node n_s = ann_sum_all(g, source), n_t = ann_sum_all(g, target);
    const ann_node one = ann_scalar(g, m->nn->dtype, 1);
    const ann_node both = ann_mul(g, ann_min(g, n_s, one), ann_min(g, n_t, one));
    const ann_node difference =
        ann_sub(g, ann_div(g, source, ann_max(g, n_s, one)), ann_div(g, target, ann_max(g, n_t, one)));
    return ann_mul(g, difference, both);
}

ann_node anni_gaussian_discrepancy(const ann_method *m, ann_node k) {
    ann_graph *g = m->nn->graph;
    const ann_node all = weights_of_all(m);
    const ann_node own = ann_mul(g, ann_method_rows(m, all), ann_method_present(m));
    return ann_sum_all(g, ann_mul(g, own, ann_matmul(g, k, all, false, false)));
}
