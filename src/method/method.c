/* What methods share: blocks, statistics over the global batch, pieces of losses. */
#include "method/method.h"

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

/* Blocks of the model that make the features. */
static int feature_blocks(const ann_method *m) {
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
    return apply_range(m, nn, 0, feature_blocks(m), x);
}
ann_node ann_method_head(const ann_method *m, ann_nn *nn, ann_node features) {
    return apply_range(m, nn, feature_blocks(m), m->blocks->model_count, features);
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

/* ---- over the global batch ---- */

/* A batch of one sample may be that of one rank, or the others have stand-ins. */
static bool has_peers(const ann_method *m) {
    return m->nn->batch_total > 0 && (m->local < m->global || m->global == 1);
}

/* 1, or 0 for a stand-in. */
static ann_node present(const ann_method *m) {
    return ann_mul_const(m->nn->graph, m->scale, (double)m->global);
}

static ann_node where(const ann_method *m, ann_node is) {
    ann_graph *g = m->nn->graph;
    return ann_mul(g, ann_cast(g, is, m->nn->dtype), present(m));
}

ann_node ann_method_is_target(const ann_method *m) {
    ann_graph *g = m->nn->graph;
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
    return ann_allreduce(g, ann_pad(g, ann_mul(g, x, present(m)), before, after), 0);
}

ann_node ann_method_rows(const ann_method *m, ann_node x) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(x)) return x;
    const int64_t first = first_row(m), columns = ann_node_shape(g, x)->dim[1];
    return ann_slice(g, x, (int64_t[]){first, 0}, (int64_t[]){first + m->local, columns});
}

ann_node ann_method_batch_mean(const ann_method *m, ann_node each) {
    return ann_mul(m->nn->graph, ann_sum_all(m->nn->graph, each), m->scale);
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

ann_node ann_method_discriminate(ann_method *m, ann_nn *nn, ann_node features) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_block(m, nn, m->config->discriminator, features);
    const ann_node flat = ann_reshape(g, logits, ANN_SHAPE(m->local));
    const ann_node source = ann_method_is_source(m);
    const ann_node each = ann_bce_logits(g, flat, source);
    return ann_add(g, ann_method_mean(m, each, source), ann_method_mean(m, each, ann_method_is_target(m)));
}

ann_node ann_method_reconstruct(const ann_method *m, ann_node out, ann_node target) {
    ann_graph *g = m->nn->graph;
    if (!ann_node_is(out) || !ann_node_is(target)) return ANN_NODE_NONE;
    const ann_node flat = ann_flatten(g, target);
    out = ann_reshape(g, out, *ann_node_shape(g, flat));
    const ann_node each =
        m->likeness == ANN_METHOD_BCE ? ann_bce_logits(g, out, flat) : ann_squared_error(g, out, flat);
    return ann_reshape(g, ann_reduce_sum(g, each, 2), ANN_SHAPE(m->local));
}

ann_node ann_method_error(const ann_method *m, ann_node out, ann_node target) {
    ann_graph *g = m->nn->graph;
    const double elems = (double)(ann_shape_elems(ann_node_shape(g, target)) / m->local);
    return ann_mul_const(g, ann_method_reconstruct(m, out, target), 1 / elems);
}

ann_node ann_method_reverse(ann_graph *g, ann_node x, ann_node factor) {
    const ann_node turned = ann_mul(g, x, factor);
    return ann_add(g, ann_stop_grad(g, x), ann_sub(g, ann_stop_grad(g, turned), turned));
}

ann_node ann_method_ramp(const ann_method *m) {
    return ann_tanh(m->nn->graph, ann_mul_const(m->nn->graph, m->progress, 5));
}
