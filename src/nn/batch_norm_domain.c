/* Batch normalisation with statistics for each domain: Chang, You, Seo, Kwak and Han, "Domain-specific batch
   normalization for unsupervised domain adaptation", CVPR 2019, with one gamma and beta for all of them, as
   in Li, Wang, Shi, Liu and Hou, "Revisiting batch normalization for practical domain adaptation", 2016.

   Whatever is per domain is a matrix [D, C], and a sample's is picked by its row of `member` [B, D], which is
   1 for its domain and 0 for others. All sums are over the global batch. */
#include "nn/batch_norm.h"

#include <stdio.h>

typedef struct domains {
    ann_node member; /* [B, D] */
    ann_node count;  /* [D, 1]: elements of a channel that are of the domain */
} domains;

static ann_node over_ranks(const ann_nn *nn, ann_node sum) {
    if (nn->batch_total <= 0) return sum;
    ann_graph *g = nn->graph;
    const ann_node counts = ann_cast(g, ann_mul_const(g, nn->batch_scale, nn->batch_total), nn->dtype);
    return ann_allreduce(g, ann_mul(g, sum, counts), 0);
}

static domains domains_of(const ann_nn *nn, ann_node x) {
    ann_graph *g = nn->graph;
    const ann_shape *shape = ann_node_shape(g, x);
    const int64_t positions = ann_shape_elems(shape) / shape->dim[0] / shape->dim[shape->rank - 1];
    const ann_node member = ann_one_hot(g, nn->domain, nn->domain_count, nn->dtype);
    const ann_node samples = over_ranks(nn, ann_reduce_sum(g, member, 1));
    return (domains){
        member, ann_mul_const(g, ann_reshape(g, samples, ANN_SHAPE(nn->domain_count, 1)), (double)positions)};
}

/* [D, C]: the mean of x [B, .., C] over each domain; 0 for one that is absent. */
static ann_node mean_of_each(const ann_nn *nn, const domains *d, ann_node x) {
    ann_graph *g = nn->graph;
    const ann_shape *shape = ann_node_shape(g, x);
    const uint32_t positions = ((1u << (shape->rank - 1)) - 1u) & ~1u;
    const ann_shape rows = ANN_SHAPE(shape->dim[0], shape->dim[shape->rank - 1]);
    const ann_node sums = ann_matmul(
        g, d->member, ann_reshape(g, positions ? ann_reduce_sum(g, x, positions) : x, rows), true, false);
    const ann_node at_least_one = ann_max(g, d->count, ann_scalar(g, nn->dtype, 1));
    return ann_div(g, over_ranks(nn, sums), at_least_one);
}

/* [B, 1, .., C]: to each sample of x its domain's row of statistics [D, C]. */
static ann_node pick(const ann_nn *nn, const domains *d, ann_node statistics, ann_node x) {
    ann_graph *g = nn->graph;
    ann_shape shape = *ann_node_shape(g, x);
    for (int i = 1; i < shape.rank - 1; i++) shape.dim[i] = 1;
    return ann_reshape(g, ann_matmul(g, d->member, statistics, false, false), shape);
}

typedef struct statistic {
    const char *part; /* name of the tensor of eval_domain, which is called as without domains */
    ann_init init;
} statistic;
static const statistic the_mean = {"mean", {ANN_INIT_ZERO, 0}}, the_var = {"var", {ANN_INIT_CONST, 1}};

/* The running tensor of a domain, [C]. */
static ann_node running_of(const ann_nn *nn, const char *name, const statistic *of, int domain,
                           int64_t channels) {
    char part[32];
    snprintf(part, sizeof part, domain == nn->eval_domain ? "%s" : "%s%d", of->part, domain);
    return anni_nn_tensor(nn, name, part, ANN_SHAPE(channels), ANN_ROLE_STATE, of->init);
}

/* [D, C]; each[d] is what it is made of. */
static ann_node running_of_all(const ann_nn *nn, const char *name, const statistic *of, int64_t channels,
                               ann_node *each) {
    ann_node rows[ANN_NN_DOMAINS];
    for (int d = 0; d < nn->domain_count; d++) {
        each[d] = running_of(nn, name, of, d, channels);
        rows[d] = ann_reshape(nn->graph, each[d], ANN_SHAPE(1, channels));
    }
    return ann_concat(nn->graph, rows, nn->domain_count, 0);
}

/* running += momentum (batch - running), of the domains that the batch has. */
static void move_each(const ann_nn *nn, const domains *d, const ann_node *each, ann_node running,
                      ann_node batch, double momentum) {
    ann_graph *g = nn->graph;
    if (nn->shadow || !ann_node_is(batch)) return;
    const int64_t channels = ann_node_shape(g, batch)->dim[1];
    const ann_node share =
        nn->momentum ? ann_cast(g, *nn->momentum, nn->dtype) : ann_scalar(g, nn->dtype, momentum);
    const ann_node step = ann_mul(g, ann_step(g, d->count), share);
    const ann_node moved =
        ann_add(g, running, ann_mul(g, step, ann_sub(g, ann_stop_grad(g, batch), running)));
    for (int64_t i = 0; i < nn->domain_count; i++) {
        const ann_node row = ann_slice(g, moved, (int64_t[]){i, 0}, (int64_t[]){i + 1, channels});
        ann_effect(g, ann_assign(g, each[i], ann_reshape(g, row, ANN_SHAPE(channels))));
    }
}

/* n / (n - 1) of each domain, [D, 1]: from the variance of the sample to the unbiased estimate that is kept.
 */
static ann_node bessel_of_each(const ann_nn *nn, const domains *d) {
    ann_graph *g = nn->graph;
    return ann_div(g, d->count, ann_max(g, ann_add_const(g, d->count, -1), ann_scalar(g, nn->dtype, 1)));
}

static anni_nn_normal of_one(const ann_nn *nn, const char *name, ann_node x, int domain) {
    const ann_shape *shape = ann_node_shape(nn->graph, x);
    const int64_t channels = shape->dim[shape->rank - 1];
    const ann_node mean = running_of(nn, name, &the_mean, domain, channels),
                   var = running_of(nn, name, &the_var, domain, channels);
    return (anni_nn_normal){ann_sub(nn->graph, x, mean), var};
}

anni_nn_normal anni_nn_normal_by_domain(ann_nn *nn, const char *name, ann_node x, double momentum,
                                        bool counted) {
    ann_graph *g = nn->graph;
    const anni_nn_normal none = {ANN_NODE_NONE, ANN_NODE_NONE};
    if (nn->domain_count > ANN_NN_DOMAINS || nn->eval_domain < 0 || nn->eval_domain >= nn->domain_count) {
        ann_graph_fail(g, ANN_ERR_ARG, "batch norm %s: domain %d of %d, accepted are at most %d domains",
                       name, nn->eval_domain, nn->domain_count, ANN_NN_DOMAINS);
        return none;
    }
    if (!nn->training) return of_one(nn, name, x, nn->eval_domain);
    if (counted && nn->moving) {
        ann_graph_fail(g, ANN_ERR_ARG, "batch norm %s: statistics of domains are moved by the layer alone",
                       name);
        return none;
    }
    const ann_shape *shape = ann_node_shape(g, x);
    const int64_t channels = shape->dim[shape->rank - 1];
    ann_node means[ANN_NN_DOMAINS], vars[ANN_NN_DOMAINS];
    const ann_node mean = running_of_all(nn, name, &the_mean, channels, means),
                   var = running_of_all(nn, name, &the_var, channels, vars);
    const domains d = domains_of(nn, x);
    if (!counted) {
        const ann_node centred = ann_sub(g, x, pick(nn, &d, mean, x));
        return (anni_nn_normal){centred, pick(nn, &d, var, x)};
    }
    const ann_node batch_mean = mean_of_each(nn, &d, x);
    const ann_node centred = ann_sub(g, x, pick(nn, &d, batch_mean, x));
    const ann_node batch_var = mean_of_each(nn, &d, ann_square(g, centred));
    move_each(nn, &d, means, mean, batch_mean, momentum);
    move_each(nn, &d, vars, var, ann_mul(g, batch_var, bessel_of_each(nn, &d)), momentum);
    return (anni_nn_normal){centred, pick(nn, &d, batch_var, x)};
}
