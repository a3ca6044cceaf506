/* Deep adaptation networks: Long, Cao, Wang, Jordan, "Learning transferable features with deep adaptation
   networks", ICML 2015; maximum mean discrepancy: Gretton, Borgwardt, Rasch, Schoelkopf, Smola, "A kernel
   two-sample test", JMLR 13, 2012.

       E_s[CE(C(f), y)] + w MMD^2(f_s, f_t),   k = mean over u of exp(-|f - f'|^2 / (2^(u - n/2) b))

   with n kernels, b the mean of |f - f'|^2 in the batch. quadratic: the biased estimate over all pairs of the
   global batch (gaussian.h). linear (section 6 of the latter paper): the mean over i of

       k(s_2i, s_2i+1) + k(t_2i, t_2i+1) - k(s_2i, t_2i+1) - k(s_2i+1, t_2i)

   s_j, t_j the j-th sample of a domain, so far as both have them; it is without bias and may be negative; b
   is over these pairs. With `logits`, the same of C(f) is added. A batch without one of the domains has the
   cross-entropy alone. x [B, ...], f [B, ...]. */
#include "method/gaussian.h"

/* ---- linear ---- */

static ann_node column(const ann_method *m, ann_node x) {
    return ann_reshape(m->nn->graph, x, ANN_SHAPE(m->local, 1));
}

/* of: [B, 1], 1 for samples of a domain; before: [B, 1], how many of it stand before -> [B, slots], 1 in the
   column of so many. */
static ann_node slots_of(const ann_method *m, ann_node of, ann_node before, int64_t slots) {
    ann_graph *g = m->nn->graph;
    const ann_node slot = ann_select(g, of, before, ann_scalar(g, m->nn->dtype, -1));
    const ann_node index = ann_reshape(g, ann_cast(g, slot, ANN_I32), ANN_SHAPE(m->local));
    return ann_one_hot(g, index, slots, m->nn->dtype);
}

/* [B, 2 slots]: 1 where sample b is the j-th of the source, and behind them of the target. Over ranks: one
   reduction of 3 G elements. */
static ann_node assign_slots(const ann_method *m, int64_t slots) {
    ann_graph *g = m->nn->graph;
    const int64_t n = m->global;
    const ann_node source = column(m, ann_method_is_source(m)), target = column(m, ann_method_is_target(m));
    const ann_node place = column(m, ann_cast(g, ann_argmax(g, ann_method_place(m)), m->nn->dtype));
    const ann_node all = ann_method_gather(m, ann_concat(g, (ann_node[]){place, source, target}, 3, 1));
    const ann_node places = ann_slice(g, all, (int64_t[]){0, 0}, (int64_t[]){n, 1});
    const ann_node domains = ann_slice(g, all, (int64_t[]){0, 1}, (int64_t[]){n, 3});
    const ann_node earlier = ann_gt(g, place, ann_transpose(g, places));
    const ann_node before = ann_matmul(g, earlier, domains, false, false);
    const ann_node sources = ann_slice(g, before, (int64_t[]){0, 0}, (int64_t[]){m->local, 1});
    const ann_node targets = ann_slice(g, before, (int64_t[]){0, 1}, (int64_t[]){m->local, 2});
    const ann_node parts[] = {slots_of(m, source, sources, slots), slots_of(m, target, targets, slots)};
    return ann_concat(g, parts, 2, 1);
}

/* Squared distances, [pairs, 1]. */
static ann_node apart(ann_graph *g, ann_node a, ann_node b) {
    return ann_reduce_sum(g, ann_square(g, ann_sub(g, a, b)), 2);
}

/* x [2, pairs, 2, D + 1]: of a domain and of a pair's first or second sample, columns from .. to. */
static ann_node member(ann_graph *g, ann_node x, int domain, int which, int64_t from, int64_t to) {
    const int64_t pairs = ann_node_shape(g, x)->dim[1];
    const ann_node part =
        ann_slice(g, x, (int64_t[]){domain, 0, which, from}, (int64_t[]){domain + 1, pairs, which + 1, to});
    return ann_reshape(g, part, ANN_SHAPE(pairs, to - from));
}

/* Cost over ranks: two reductions, of 3 G and G (D + 1) elements. */
static ann_node linear(const ann_method *m, ann_node z) {
    ann_graph *g = m->nn->graph;
    const ann_node flat = ann_flatten(g, z);
    const int64_t pairs = m->global < 8 ? 1 : m->global / 4, d = ann_node_shape(g, flat)->dim[1];
    const ann_node there = ann_fill(g, m->nn->dtype, ANN_SHAPE(m->local, 1), 1);
    const ann_node rows = ann_concat(g, (ann_node[]){flat, there}, 2, 1);
    const ann_node sorted = ann_method_sum(m, ann_matmul(g, assign_slots(m, 2 * pairs), rows, true, false));
    const ann_node all = ann_reshape(g, sorted, ANN_SHAPE(2, pairs, 2, d + 1));
    ann_node of[2][2];
    for (int i = 0; i < 4; i++) of[i / 2][i % 2] = member(g, all, i / 2, i % 2, 0, d);
    const ann_node valid = ann_mul(g, member(g, all, 0, 1, d, d + 1), member(g, all, 1, 1, d, d + 1));
    const ann_node distances[] = {apart(g, of[0][0], of[0][1]), apart(g, of[1][0], of[1][1]),
                                  apart(g, of[0][0], of[1][1]), apart(g, of[0][1], of[1][0])};
    const ann_node each = ann_mul(g, ann_concat(g, distances, 4, 1), valid);
    const ann_node count = ann_max(g, ann_sum_all(g, valid), ann_scalar(g, m->nn->dtype, 1));
    const ann_node bandwidth = ann_div(g, ann_sum_all(g, each), ann_mul_const(g, count, 4));
    const ann_node k = ann_mul(g, anni_gaussian_kernel(g, each, bandwidth, m->config->kernels), valid);
    const ann_node within = ann_slice(g, k, (int64_t[]){0, 0}, (int64_t[]){pairs, 2});
    const ann_node between = ann_slice(g, k, (int64_t[]){0, 2}, (int64_t[]){pairs, 4});
    return ann_method_once(m, ann_div(g, ann_sum_all(g, ann_sub(g, within, between)), count));
}

/* ---- the loss ---- */

static ann_node discrepancy(const ann_method *m, ann_node z) {
    if (!ann_node_is(z)) return z;
    if (m->config->estimate == ANN_METHOD_LINEAR) return linear(m, z);
    return anni_gaussian_discrepancy(m, anni_gaussian_rows(m, z, m->config->kernels));
}

static ann_node build(ann_method *m) {
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node logits = ann_method_head(m, m->nn, features);
    const ann_node loss = ann_method_classify(m, logits);
    ann_node term = discrepancy(m, features);
    if (m->config->logits) term = ann_add(m->nn->graph, term, discrepancy(m, logits));
    return ann_method_add_term(m, loss, term);
}

const ann_method_info anni_method_mmd = {
    .name = "mmd", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
