/* What methods share: blocks, statistics over the global batch, pieces of losses. */
#include "method/method.h"

#include <stdio.h>
#include <string.h>

#define ANN_METHOD(NAME, name) extern const ann_method_info anni_method_##name;
#include "method/methods.def"
#undef ANN_METHOD

const ann_method_info *ann_method_info_of(ann_method_kind kind) {
    static const ann_method_info *const infos[ANN_METHOD_COUNT] = {
#define ANN_METHOD(NAME, name) [ANN_METHOD_##NAME] = &anni_method_##name,
#include "method/methods.def"
#undef ANN_METHOD
    };
    return infos[kind];
}

static ann_node in_scope(ann_method *m, const ann_method_info *info, ann_node (*make)(ann_method *m)) {
    ann_scope_push(m->nn->graph, info->name);
    const ann_node made = make(m);
    ann_scope_pop(m->nn->graph);
    return made;
}

ann_node ann_method_build(ann_method *m) {
    const ann_method_info *info = ann_method_info_of(m->config->kind);
    return in_scope(m, info, info->build);
}
ann_node ann_method_evaluate(ann_method *m) {
    const ann_method_info *info = ann_method_info_of(m->config->kind);
    return in_scope(m, info, info->evaluate);
}

/* ---- blocks ---- */

ann_node ann_method_block(const ann_method *m, ann_nn *nn, const char *block, ann_node x) {
    return m->blocks->apply(m->blocks->of, nn, block, x);
}

int ann_method_feature_blocks(const ann_method *m) {
    int n = 1;
    if (!m->config->features) return n;
    while (n < m->blocks->model_count && strcmp(m->blocks->model[n - 1], m->config->features) != 0) n++;
    return n;
}

static ann_node apply_range(const ann_method *m, ann_nn *nn, int from, int to, ann_node x) {
    for (int i = from; i < to; i++) x = ann_method_block(m, nn, m->blocks->model[i], x);
    return x;
}

ann_node ann_method_features(const ann_method *m, ann_nn *nn, ann_node x) {
    return apply_range(m, nn, 0, ann_method_feature_blocks(m), x);
}
ann_node ann_method_head(const ann_method *m, ann_nn *nn, ann_node features) {
    return apply_range(m, nn, ann_method_feature_blocks(m), m->blocks->model_count, features);
}

ann_method_sight ann_method_part(const ann_method_sight *all, bool target) {
    ann_method_sight part = *all;
    int64_t first = 0;
    while (all->domains > 1 && first < all->samples && all->domain[first] < all->domains - 1) first++;
    part.samples = target ? all->samples - first : first;
    if (!target) return part;
    part.features += first * all->width;
    part.logits += first * all->classes;
    part.labels += first;
    part.domain += first;
    return part;
}

void ann_method_put_labels(float *values, const ann_method_sight *all, const int32_t *labels) {
    const int64_t source = all->samples - ann_method_part(all, true).samples;
    for (int64_t i = 0; i < all->samples; i++) values[i] = i < source ? -1 : (float)labels[i - source];
}

ann_node ann_method_tensor(const ann_method *m, const char *name, ann_shape shape, ann_role role,
                           ann_init init) {
    ann_graph *g = m->nn->graph;
    ann_tensor tensor;
    const ann_status status =
        ann_store_declare(&tensor, ann_graph_store(g), name, m->nn->dtype, &shape, role, init);
    if (status != ANN_OK) return ann_graph_fail(g, status, "%s", ann_error_text());
    return ann_load(g, tensor);
}

ann_node ann_method_model(const ann_method *m, ann_nn *nn, ann_node x) {
    return apply_range(m, nn, 0, m->blocks->model_count, x);
}

ann_nn ann_method_both_views(const ann_method *m, ann_node *x) {
    ann_graph *g = m->nn->graph;
    ann_nn nn = *m->nn;
    /* samples -1, -2 ... occur nowhere else; a position is exact in f64 */
    const ann_node position = ann_cast(g, nn.ids, ANN_F64);
    const ann_node second = ann_cast(g, ann_sub(g, ann_scalar(g, ANN_F64, -1), position), ANN_I64);
    nn.ids = ann_concat(g, (ann_node[]){nn.ids, second}, 2, 0);
    if (nn.batch_total > 0) {
        nn.batch_total *= 2;
        nn.batch_scale = ann_mul_const(g, nn.batch_scale, 0.5);
    }
    *x = ann_concat(g, (ann_node[]){m->x, m->x2}, 2, 0);
    return nn;
}

/* ---- teachers ---- */

ann_nn ann_method_teacher(const ann_nn *nn) {
    ann_nn teacher = *nn;
    teacher.shadow = ANN_METHOD_TEACHER;
    return teacher;
}

ann_node ann_method_teachers(const ann_method *m, const char *name) {
    ann_graph *g = m->nn->graph;
    char copy[256];
    if (snprintf(copy, sizeof copy, ANN_METHOD_TEACHER "/%s", name) >= (int)sizeof copy) return ANN_NODE_NONE;
    const ann_tensor tensor = ann_store_find(ann_graph_store(g), copy);
    return tensor.id < 0 ? ANN_NODE_NONE : ann_load(g, tensor);
}

void ann_method_follow(const ann_method *m, ann_node keep) {
    ann_graph *g = m->nn->graph;
    const ann_store *store = ann_graph_store(g);
    const ann_node share = ann_add_const(g, ann_neg(g, keep), 1);
    const size_t prefix = strlen(ANN_METHOD_TEACHER "/");
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (strncmp(info->name, ANN_METHOD_TEACHER "/", prefix) != 0) continue;
        const ann_node teacher = ann_load(g, (ann_tensor){i});
        const ann_node student = ann_load(g, ann_store_find(store, info->name + prefix));
        const ann_node value = ann_add(g, ann_mul(g, teacher, keep), ann_mul(g, student, share));
        ann_effect(g, ann_assign(g, teacher, value));
    }
}

/* ---- over the global batch ---- */

/* A batch of one sample may be that of one rank, or the others have stand-ins. */
static bool has_peers(const ann_method *m) {
    return m->nn->batch_total > 0 && (m->local < m->global || m->global == 1);
}

ann_node ann_method_present(const ann_method *m) {
    return ann_mul_const(m->nn->graph, m->scale, (double)m->global);
}

static ann_node where(const ann_method *m, ann_node is) {
    ann_graph *g = m->nn->graph;
    return ann_mul(g, ann_cast(g, is, m->nn->dtype), ann_method_present(m));
}

ann_node ann_method_is_sample(const ann_method *m) {
    return ann_bcast(m->nn->graph, ann_method_present(m), ANN_SHAPE(m->local));
}
ann_node ann_method_is_target(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    if (m->domains < 2) return ann_method_is_sample(m);
    return where(m, ann_eq(g, m->domain, ann_scalar(g, ANN_I32, m->domains - 1)));
}
ann_node ann_method_is_source(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    return where(m, ann_gt(g, ann_scalar(g, ANN_I32, m->domains - 1), m->domain));
}
ann_node ann_method_is_labelled(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    return where(m, ann_gt(g, m->labels, ann_scalar(g, ANN_I32, -1)));
}

ann_node ann_method_sum(const ann_method *m, ann_node x) {
    return has_peers(m) ? ann_allreduce(m->nn->graph, x, 0) : x;
}

ann_node ann_method_mean(ann_method *m, ann_node each, ann_node mask) {
    ann_graph *g = m->nn->graph;
    const ann_node count = ann_method_sum(m, ann_sum_all(g, mask));
    const ann_node sum = ann_sum_all(g, ann_mul(g, each, mask));
    return ann_div(g, sum, ann_max(g, ann_stop_grad(g, count), ann_scalar(g, m->nn->dtype, 1)));
}

/* A stand-in is behind the last sample if this rank is the last one. */
static int64_t first_row(const ann_method *m) {
    return m->first + m->local <= m->global ? m->first : m->global - m->local;
}

ann_node ann_method_gather(const ann_method *m, ann_node x) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(x) || !has_peers(m)) return x;
    const ann_shape *shape = ann_node_shape(g, x);
    const int64_t first = first_row(m);
    int64_t before[ANN_MAX_RANK] = {first}, after[ANN_MAX_RANK] = {m->global - first - m->local};
    if (shape->rank != 2) return ann_graph_fail(g, ANN_ERR_SHAPE, "rows to gather must be [B, D]");
    return ann_allreduce(g, ann_pad(g, ann_mul(g, x, ann_method_present(m)), before, after), 0);
}

ann_node ann_method_place(const ann_method *m) {
    ann_graph *g = m->nn->graph;
    const int64_t n = m->local, first = first_row(m);
    /* a unit matrix, row after row, is 1 and n zeros over and over */
    const ann_node one = ann_fill(g, m->nn->dtype, ANN_SHAPE(n, 1), 1);
    const ann_node apart = ann_pad(g, one, (int64_t[]){0, 0}, (int64_t[]){0, n});
    const ann_node flat = ann_reshape(g, apart, ANN_SHAPE(n * (n + 1)));
    const ann_node unit = ann_slice(g, flat, (int64_t[]){0}, (int64_t[]){n * n});
    return ann_pad(g, ann_reshape(g, unit, ANN_SHAPE(n, n)), (int64_t[]){0, first},
                   (int64_t[]){0, m->global - first - n});
}

ann_node ann_method_batch_mean(const ann_method *m, ann_node each) {
    return ann_mul(m->nn->graph, ann_sum_all(m->nn->graph, each), m->scale);
}

ann_node ann_method_rows(const ann_method *m, ann_node x) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(x)) return x;
    const int64_t first = first_row(m), columns = ann_node_shape(g, x)->dim[1];
    return ann_slice(g, x, (int64_t[]){first, 0}, (int64_t[]){first + m->local, columns});
}

ann_node ann_method_once(const ann_method *m, ann_node loss) {
    ann_graph *g = m->nn->graph;
    return ann_mul(g, loss, ann_mul_const(g, m->scale, (double)m->local));
}

/* ---- pieces of losses ---- */

ann_node ann_method_classify(ann_method *m, ann_node logits) {
    m->logits = logits;
    return ann_method_mean(m, ann_cross_entropy(m->nn->graph, logits, m->labels), ann_method_is_labelled(m));
}

ann_node ann_method_discriminate(ann_method *m, ann_nn *nn, ann_node features, ann_node weights) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_block(m, nn, m->config->discriminator, features);
    const ann_node flat = ann_reshape(g, logits, ANN_SHAPE(m->local));
    ann_node source = ann_method_is_source(m), target = ann_method_is_target(m);
    const ann_node each = ann_bce_logits(g, flat, source);
    if (ann_node_is(weights)) {
        source = ann_mul(g, source, weights);
        target = ann_mul(g, target, weights);
    }
    return ann_add(g, ann_method_mean(m, each, source), ann_method_mean(m, each, target));
}

ann_node ann_method_entropy(const ann_method *m, ann_node logits) {
    ann_graph *g = m->nn->graph;
    const ann_node log_p = ann_log_softmax(g, logits);
    const ann_node terms = ann_mul(g, ann_exp(g, log_p), log_p);
    return ann_reshape(g, ann_neg(g, ann_reduce_sum(g, terms, 2)), ANN_SHAPE(m->local));
}

ann_node ann_method_compare(const ann_method *m, ann_node out, ann_node target) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(out) || !ann_node_is(target)) return ANN_NODE_NONE;
    const ann_node flat = ann_flatten(g, target);
    out = ann_reshape(g, out, *ann_node_shape(g, flat));
    return m->likeness == ANN_METHOD_BCE ? ann_bce_logits(g, out, flat) : ann_squared_error(g, out, flat);
}

ann_node ann_method_reconstruct(const ann_method *m, ann_node out, ann_node target) {
    ann_graph *g = m->nn->graph;
    return ann_reshape(g, ann_reduce_sum(g, ann_method_compare(m, out, target), 2), ANN_SHAPE(m->local));
}

ann_node ann_method_normalize(ann_graph *g, ann_node x) {
    if (!ann_node_is(x)) return x;
    const double least = 1e-24; /* of a squared length: rows of zeros stay zeros */
    const ann_node square = ann_reduce_sum(g, ann_square(g, x), 2);
    const ann_node length = ann_sqrt(g, ann_max(g, square, ann_scalar(g, ann_node_dtype(g, x), least)));
    return ann_mul(g, x, ann_recip(g, length));
}

ann_node ann_method_error(const ann_method *m, ann_node out, ann_node target) {
    ann_graph *g = m->nn->graph;
    const double elems = (double)(ann_shape_elems(ann_node_shape(g, target)) / m->local);
    return ann_mul_const(g, ann_method_reconstruct(m, out, target), 1 / elems);
}

ann_node ann_method_marginal(const ann_method *m, ann_node logits, ann_node mask) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(logits)) return ANN_NODE_NONE;
    const ann_node rows = ann_reshape(g, mask, ANN_SHAPE(m->local, 1));
    const ann_node sum = ann_method_sum(m, ann_reduce_sum(g, ann_mul(g, ann_softmax(g, logits), rows), 1));
    const ann_node count = ann_method_sum(m, ann_sum_all(g, mask));
    const ann_node q = ann_div(g, sum, ann_max(g, ann_stop_grad(g, count), ann_scalar(g, m->nn->dtype, 1)));
    /* q log q is 0 at 0 */
    const ann_node log_q = ann_log(g, ann_max(g, q, ann_scalar(g, m->nn->dtype, 1e-30)));
    return ann_method_once(m, ann_neg(g, ann_sum_all(g, ann_mul(g, q, log_q))));
}

ann_node ann_method_reverse(ann_graph *g, ann_node x, ann_node factor) {
    const ann_node turned = ann_mul(g, x, factor);
    return ann_add(g, ann_stop_grad(g, x), ann_sub(g, ann_stop_grad(g, turned), turned));
}

ann_node ann_method_ramp(const ann_method *m) {
    return ann_tanh(m->nn->graph, ann_mul_const(m->nn->graph, m->progress, 5));
}

ann_node ann_method_add_term(const ann_method *m, ann_node loss, ann_node term) {
    ann_graph *g = m->nn->graph;
    const ann_node weighted = ann_mul_const(g, term, m->config->weight);
    return ann_add(g, loss, m->config->ramp ? ann_mul(g, weighted, ann_method_ramp(m)) : weighted);
}
