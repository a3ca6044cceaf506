#include "pass/rewrite.h"

#include <stdlib.h>

#include "kernel/fused.h"

static void rewrite_free(anni_rewrite *rw) {
    free(rw->live);
    free(rw->map);
    free(rw->in);
    free(rw->uses);
    *rw = (anni_rewrite){0};
}

static ann_status allocate(anni_rewrite *rw) {
    int most = 1;
    for (int32_t id = 0; id < rw->count; id++) {
        const ann_node *in;
        const int n = ann_node_inputs(rw->from, (ann_node){id}, &in);
        if (n > most) most = n;
    }
    ANN_TRY(anni_live(rw->from, &rw->live));
    rw->map = malloc((size_t)(rw->count + 1) * sizeof *rw->map);
    rw->in = malloc((size_t)most * sizeof *rw->in);
    rw->uses = calloc((size_t)rw->count + 1, sizeof *rw->uses);
    if (!rw->map || !rw->in || !rw->uses) return ann_error(ANN_ERR_MEMORY, "no memory to rewrite a graph");
    return ann_graph_new(&rw->to, ann_graph_store(rw->from));
}

static void count_uses(anni_rewrite *rw) {
    for (int32_t id = 0; id < rw->count; id++) {
        const ann_node *in;
        rw->map[id] = ANN_NODE_NONE;
        if (!rw->live[id]) continue;
        const int n = ann_node_inputs(rw->from, (ann_node){id}, &in);
        for (int i = 0; i < n; i++) rw->uses[in[i].id]++;
    }
    for (int i = 0; i < ann_graph_output_count(rw->from); i++)
        rw->uses[ann_graph_output(rw->from, i, NULL).id]++;
    for (int i = 0; i < ann_graph_effect_count(rw->from); i++) rw->uses[ann_graph_effect(rw->from, i).id]++;
}

ann_status anni_rewrite_begin(anni_rewrite *rw, const ann_graph *from) {
    *rw = (anni_rewrite){.from = from, .count = ann_graph_count(from)};
    ANN_TRY(ann_graph_status(from));
    const ann_status status = allocate(rw);
    if (status != ANN_OK) {
        rewrite_free(rw);
        return status;
    }
    count_uses(rw);
    return ANN_OK;
}

int anni_rewrite_inputs(anni_rewrite *rw, ann_node node) {
    const ann_node *in;
    const int n = ann_node_inputs(rw->from, node, &in);
    for (int i = 0; i < n; i++) rw->in[i] = rw->map[in[i].id];
    return n;
}

ann_node anni_rewrite_clone(anni_rewrite *rw, ann_node node) {
    anni_rewrite_inputs(rw, node);
    return rw->map[node.id] = anni_clone(rw->to, rw->from, node, rw->in);
}

ann_status anni_rewrite_end(anni_rewrite *rw, ann_graph **out, ann_status status) {
    ann_graph *made = rw->to;
    rewrite_free(rw);
    if (status == ANN_OK) status = ann_graph_status(made);
    if (status != ANN_OK) {
        ann_graph_free(made);
        return status;
    }
    *out = made;
    return ANN_OK;
}

bool anni_fill_value(const ann_graph *g, ann_node node, double *value) {
    if (!ann_node_is(node) || ann_node_op(g, node) != ANN_OP_FILL) return false;
    *value = ann_node_attrs(g, node)->fill.value;
    return true;
}

ann_node anni_alias_root(const ann_graph *g, ann_node node) {
    while (anni_op_info(ann_node_op(g, node))->flags & ANNI_ALIAS) node = anni_in(g, node, 0);
    return node;
}

anni_range anni_leaf_range(const ann_graph *g, ann_node leaf) {
    const ann_attrs *attrs = ann_node_attrs(g, leaf);
    if (ann_node_op(g, leaf) == ANN_OP_BLOCK)
        return (anni_range){attrs->block.block, attrs->block.offset, attrs->block.elems};
    const ann_tensor_info *info = ann_store_info(ann_graph_store(g), attrs->store.tensor);
    /* A tensor that is in no group yet will be alone in its block: its own id, negated, tells such ranges
     * apart. */
    if (info->block.id < 0)
        return (anni_range){{-1 - attrs->store.tensor.id}, 0, ann_shape_elems(&info->shape)};
    return (anni_range){info->block, info->offset_elems, ann_shape_elems(&info->shape)};
}

int anni_writes(const ann_graph *g, ann_node node, anni_range *ranges) {
    const ann_op op = ann_node_op(g, node);
    if (op == ANN_OP_ASSIGN) {
        ranges[0] = anni_leaf_range(g, anni_in(g, node, 0));
        return 1;
    }
    if (op != ANN_OP_FUSED) return 0;
    const ann_fused *f = ann_node_attrs(g, node)->fused;
    for (int i = 0; i < f->n_store; i++) ranges[i] = anni_leaf_range(g, anni_in(g, node, f->store[i].in));
    return f->n_store;
}
