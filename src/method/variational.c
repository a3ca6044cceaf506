/* Variational autoencoder: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; beta: Higgins et
   al., "beta-VAE: learning basic visual concepts with a constrained variational framework", ICLR 2017.

       mean_b [-log p(x_b | z_b) + beta KL(q(z | x_b) || N(0, 1))],   z_b = mu_b + exp(lv_b / 2) eps_b,
       KL = -1/2 sum_j (1 + lv_j - mu_j^2 - exp(lv_j)),   eps ~ N(0, 1)

   The features F(x) [B, 2 K] are mu and lv, the mean and the logarithm of the variance of q(z | x); the rest
   of the model decodes z [B, K]. -log p(x | z), a sum over elements, is what phases[].loss says: with bce
   that of Bernoulli variables of which the model gives logits, with mse that of normal ones of variance 1,
   1/2 |x - D(z)|^2, without the constant D/2 log(2 pi). With beta 1 the loss is the negative ELBO. In
   evaluation z = mu. */
#include "method/method.h"

static ann_node columns(const ann_method *m, ann_node x, int64_t from, int64_t to) {
    return ann_slice(m->nn->graph, x, (int64_t[]){0, from}, (int64_t[]){m->local, to});
}

static ann_node draw(const ann_method *m, ann_node mu, ann_node lv) {
    ann_graph *g = m->nn->graph;
    if (!m->nn->training || !ann_node_is(mu)) return mu;
    const ann_node eps = ann_rand(g, ANN_RAND_NORMAL, m->nn->dtype, *ann_node_shape(g, mu), m->nn->ids,
                                  m->nn->seed, ann_nn_stream("variational/eps"));
    return ann_add(g, mu, ann_mul(g, ann_exp(g, ann_mul_const(g, lv, 0.5)), eps));
}

/* [B, 1] */
static ann_node divergence(ann_graph *g, ann_node mu, ann_node lv) {
    const ann_node inside =
        ann_sub(g, ann_add_const(g, lv, 1), ann_add(g, ann_square(g, mu), ann_exp(g, lv)));
    return ann_mul_const(g, ann_reduce_sum(g, inside, 2), -0.5);
}

/* mu [B, K]. */
static ann_node code(const ann_method *m, ann_node features) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(features)) return features;
    const ann_shape *shape = ann_node_shape(g, features);
    char text[128];
    if (shape->rank != 2 || shape->dim[1] % 2 != 0)
        return ann_graph_fail(g, ANN_ERR_SHAPE,
                              "the features are %s; accepted is [batch, 2 K], K means and K logarithms of "
                              "variances",
                              ann_shape_str(text, sizeof text, shape));
    return columns(m, features, 0, shape->dim[1] / 2);
}

/* Of each sample, [B]. */
static ann_node evaluate(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node features = ann_method_features(m, m->nn, m->x), mu = code(m, features);
    if (!ann_node_is(mu)) return mu;
    const int64_t k = ann_node_shape(g, mu)->dim[1];
    const ann_node lv = columns(m, features, k, 2 * k);
    const ann_node out = ann_method_head(m, m->nn, draw(m, mu, lv));
    const double factor = m->likeness == ANN_METHOD_BCE ? 1 : 0.5;
    const ann_node unlikely = ann_mul_const(g, ann_method_reconstruct(m, out, m->clean), factor);
    const ann_node far = ann_reshape(g, divergence(g, mu, lv), ANN_SHAPE(m->local));
    return ann_add(g, unlikely, ann_mul_const(g, far, m->config->beta));
}

static ann_node build(ann_method *m) { return ann_method_batch_mean(m, evaluate(m)); }

const ann_method_info anni_method_variational = {.name = "variational",
                                                 .needs = ANN_METHOD_PRETRAIN,
                                                 .steps = 1,
                                                 .build = build,
                                                 .evaluate = evaluate,
                                                 .code = code};
