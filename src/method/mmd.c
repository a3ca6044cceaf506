/* Deep adaptation network: Long, Cao, Wang, Jordan, "Learning transferable features with deep adaptation
   networks", ICML 2015.

       E_s[CE(C(F(x)), y)] + w MMD^2(F(x_s), F(x_t))

   with the mean of several Gaussian kernels (pairs.h). Quadratic: the biased estimate over all pairs of the
   global batch. Linear (Gretton et al. 2012, section 6): samples 2i and 2i + 1 of the global batch are a pair
   z_i = (s, t), if they are of the two domains, as they all are with sampling: {balance: source}; the
   estimate is the mean over i of k(s, s') + k(t, t') - k(s, t') - k(s', t) for z_2i = (s, t) and z_2i+1 =
   (s', t'). It is unbiased, and can be negative. x [B, ...], F(x) [B, K]. */
#include "method/pairs.h"

static ann_node quadratic(ann_graph *g, ann_node all, const anni_domains *of, int kernels) {
    return anni_discrepancy(g, anni_kernels(g, anni_distances(g, all), anni_spread(g, all), kernels), of);
}

/* x [G, D] times mask [G, 1], summed over the two of each pair: [P, D]. */
static ann_node of_pairs(ann_graph *g, ann_node x, ann_node mask, int64_t pairs) {
    const ann_node masked = ann_mul(g, x, mask);
    const int64_t d = ann_node_shape(g, masked)->dim[1];
    const ann_node whole = ann_slice(g, masked, (int64_t[]){0, 0}, (int64_t[]){2 * pairs, d});
    return ann_reshape(g, ann_reduce_sum(g, ann_reshape(g, whole, ANN_SHAPE(pairs, 2, d)), 2),
                       ANN_SHAPE(pairs, d));
}

/* Rows 2i + `at` of x [2 N, D]. */
static ann_node every_second(ann_graph *g, ann_node x, int64_t at) {
    const int64_t n = ann_node_shape(g, x)->dim[0] / 2, d = ann_node_shape(g, x)->dim[1];
    const ann_node split = ann_reshape(g, x, ANN_SHAPE(n, 2, d));
    return ann_reshape(g, ann_slice(g, split, (int64_t[]){0, at, 0}, (int64_t[]){n, at + 1, d}),
                       ANN_SHAPE(n, d));
}

typedef struct gauss {
    ann_graph *g;
    ann_node spread;
    int kernels;
} gauss;

/* k(a_i, b_i) of rows: [N, 1]. */
static ann_node k(const gauss *of, ann_node a, ann_node b) {
    ann_graph *g = of->g;
    return anni_kernels(g, ann_reduce_sum(g, ann_square(g, ann_sub(g, a, b)), 2), of->spread, of->kernels);
}

static ann_node linear(ann_graph *g, ann_node all, const anni_domains *of, int kernels) {
    const int64_t pairs = ann_node_shape(g, all)->dim[0] / 4 * 2;
    const ann_dtype dtype = ann_node_dtype(g, all);
    if (pairs == 0) return ann_scalar(g, dtype, 0);
    const ann_node one = ann_fill(g, dtype, *ann_node_shape(g, of->source), 1);
    const ann_node s = of_pairs(g, all, of->source, pairs), t = of_pairs(g, all, of->target, pairs);
    const ann_node mixed =
        ann_mul(g, of_pairs(g, one, of->source, pairs), of_pairs(g, one, of->target, pairs));
    const ann_node counts = ann_mul(g, every_second(g, mixed, 0), every_second(g, mixed, 1));
    const gauss kernel = {g, anni_spread(g, all), kernels};
    const ann_node s0 = every_second(g, s, 0), s1 = every_second(g, s, 1), t0 = every_second(g, t, 0),
                   t1 = every_second(g, t, 1);
    const ann_node h = ann_sub(g, ann_add(g, k(&kernel, s0, s1), k(&kernel, t0, t1)),
                               ann_add(g, k(&kernel, s0, t1), k(&kernel, s1, t0)));
    const ann_node n = ann_max(g, ann_sum_all(g, counts), ann_scalar(g, dtype, 1));
    return ann_div(g, ann_sum_all(g, ann_mul(g, h, counts)), n);
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_method_config *c = m->config;
    const ann_node features = ann_flatten(g, ann_method_features(m, m->nn, m->x));
    const ann_node loss = ann_method_classify(m, ann_method_head(m, m->nn, features));
    const ann_node all = ann_method_gather(m, features);
    const anni_domains of = anni_domains_of(m);
    if (!ann_node_is(all)) return ANN_NODE_NONE;
    const ann_node apart = c->linear ? linear(g, all, &of, c->kernels) : quadratic(g, all, &of, c->kernels);
    return ann_add(g, loss, ann_mul_const(g, ann_method_once(m, apart), c->weight));
}

const ann_method_info anni_method_mmd = {
    .name = "mmd", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
