#include "method/pairs.h"

#include <math.h>

anni_domains anni_domains_of(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_shape column = ANN_SHAPE(m->local, 1);
    const ann_node masks[] = {ann_reshape(g, ann_method_is_source(m), column),
                              ann_reshape(g, ann_method_is_target(m), column)};
    const ann_node all = ann_method_gather(m, ann_concat(g, masks, 2, 1));
    const ann_node one = ann_scalar(g, m->nn->dtype, 1);
    anni_domains d;
    d.source = ann_slice(g, all, (int64_t[]){0, 0}, (int64_t[]){m->global, 1});
    d.target = ann_slice(g, all, (int64_t[]){0, 1}, (int64_t[]){m->global, 2});
    const ann_node sources = ann_sum_all(g, d.source), targets = ann_sum_all(g, d.target);
    d.sources = ann_max(g, sources, one);
    d.targets = ann_max(g, targets, one);
    d.both = ann_mul(g, ann_min(g, sources, one), ann_min(g, targets, one));
    return d;
}

ann_node anni_distances(ann_graph *g, ann_node x) {
    if (!ann_node_is(x)) return x;
    const int64_t n = ann_node_shape(g, x)->dim[0];
    const ann_node squares = ann_reduce_sum(g, ann_square(g, x), 2);
    const ann_node sums = ann_add(g, squares, ann_reshape(g, squares, ANN_SHAPE(1, n)));
    const ann_node d = ann_sub(g, sums, ann_mul_const(g, ann_matmul(g, x, x, false, true), 2));
    return ann_relu(g, d); /* rounding can make it negative */
}

ann_node anni_spread(ann_graph *g, ann_node x) {
    if (!ann_node_is(x)) return x;
    const double n = (double)ann_node_shape(g, x)->dim[0];
    x = ann_stop_grad(g, x);
    const ann_node squares = ann_sum_all(g, ann_square(g, x));
    const ann_node square = ann_sum_all(g, ann_square(g, ann_reduce_sum(g, x, 1)));
    const ann_node sum = ann_sub(g, ann_mul_const(g, squares, n), square);
    const ann_node mean = ann_mul_const(g, sum, 2 / fmax(n * n - n, 1));
    return ann_max(g, mean, ann_scalar(g, ann_node_dtype(g, x), 1e-12));
}

ann_node anni_kernels(ann_graph *g, ann_node d, ann_node spread, int kernels) {
    const ann_node scaled = ann_neg(g, ann_div(g, d, spread));
    ann_node sum = ANN_NODE_NONE;
    for (int k = 0; k < kernels; k++) {
        const ann_node one = ann_exp(g, ann_mul_const(g, scaled, ldexp(1, kernels / 2 - k)));
        sum = k == 0 ? one : ann_add(g, sum, one);
    }
    return ann_mul_const(g, sum, 1.0 / kernels);
}

ann_node anni_discrepancy(ann_graph *g, ann_node kernel, const anni_domains *of) {
    const ann_node a = ann_sub(g, ann_div(g, of->source, of->sources), ann_div(g, of->target, of->targets));
    const ann_node rows = ann_matmul(g, kernel, a, false, false);
    return ann_mul(g, ann_sum_all(g, ann_mul(g, a, rows)), of->both);
}
