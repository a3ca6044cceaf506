/* Correlation alignment: Sun and Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV
   workshops 2016.

       E_s[CE(C(f), y)] + w / (4 D^2) |Cov_s(f) - Cov_t(f)|^2

   the squared Frobenius norm, of the covariances (over n - 1) of the features of each domain in the global
   batch; without the second term in a batch with less than two samples of a domain. x [B, ...], f [B, ...] of
   D elements. Over ranks: two reductions, of 2 (D + 1) and D^2 elements, and one of D^2 in the gradient. */
#include "method/method.h"

typedef struct domains {
    ann_node masks, counts, means; /* [B, 2], [2, 1], [2, D]: source, target */
} domains;

static domains measure(const ann_method *m, ann_node f) {
    ann_graph *g = m->nn->graph;
    const int64_t d = ann_node_shape(g, f)->dim[1];
    const ann_shape column = ANN_SHAPE(m->local, 1);
    const ann_node masks[] = {ann_reshape(g, ann_method_is_source(m), column),
                              ann_reshape(g, ann_method_is_target(m), column)};
    const ann_node counted[] = {f, ann_fill(g, m->nn->dtype, column, 1)};
    domains of = {.masks = ann_concat(g, masks, 2, 1)};
    const ann_node sums =
        ann_method_sum(m, ann_matmul(g, of.masks, ann_concat(g, counted, 2, 1), true, false));
    of.counts = ann_slice(g, sums, (int64_t[]){0, d}, (int64_t[]){2, d + 1});
    of.means = ann_div(g, ann_slice(g, sums, (int64_t[]){0, 0}, (int64_t[]){2, d}),
                       ann_max(g, of.counts, ann_scalar(g, m->nn->dtype, 1)));
    return of;
}

/* [B, 1]: 1 / (n_s - 1), -1 / (n_t - 1), or 0 for all where a covariance does not exist. */
static ann_node weigh(const ann_method *m, const domains *of) {
    ann_graph *g = m->nn->graph;
    const ann_node one = ann_scalar(g, m->nn->dtype, 1);
    const ann_node sign[] = {ann_fill(g, m->nn->dtype, ANN_SHAPE(1, 1), 1),
                             ann_fill(g, m->nn->dtype, ANN_SHAPE(1, 1), -1)};
    const ann_node free = ann_relu(g, ann_sub(g, of->counts, one));
    const ann_node least = ann_neg(g, ann_reduce_max(g, ann_neg(g, free), 1));
    const ann_node share = ann_div(g, ann_concat(g, sign, 2, 0), ann_max(g, free, one));
    return ann_matmul(g, of->masks, ann_mul(g, share, ann_min(g, least, one)), false, false);
}

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x);
    const ann_node loss = ann_method_classify(m, ann_method_head(m, m->nn, features));
    if (!ann_node_is(loss)) return loss;
    const ann_node f = ann_flatten(g, features);
    const double d = (double)ann_node_shape(g, f)->dim[1];
    /* the derivative by a mean is 0, as deviations from it sum up to 0 */
    const domains of = measure(m, ann_stop_grad(g, f));
    const ann_node centred = ann_sub(g, f, ann_matmul(g, of.masks, of.means, false, false));
    const ann_node weighted = ann_mul(g, centred, weigh(m, &of));
    const ann_node difference = ann_method_sum(m, ann_matmul(g, centred, weighted, true, false));
    const ann_node term = ann_mul_const(g, ann_sum_all(g, ann_square(g, difference)), 1 / (4 * d * d));
    return ann_method_add_term(m, loss, ann_method_once(m, term));
}

const ann_method_info anni_method_coral = {
    .name = "coral", .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET, .steps = 1, .build = build};
