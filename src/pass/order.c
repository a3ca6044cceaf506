/* order: the sequence in which nodes will run.

   Forward and backward keep the order in which they were built (backward is built in reverse order of use).
   Scalars that depend on no tensor come first, and so do gathers of parameters; a pack, its reduction, and
   what lies between them (compression) come as soon as the gradients are there, as does what of one
   reduction's result goes into another; writes to the store, and what only serves them, come either as soon
   as possible or after everything else. A write always follows every read of the memory it changes. */
#include "pass/rewrite.h"

#include <stdlib.h>

#include "kernel/fused.h"

enum { PRELUDE = 1, MAIN, SOON, UPDATE };

typedef struct orderer {
    anni_rewrite rw;
    uint8_t *kind;  /* [count] */
    uint8_t *feeds; /* [count]: 1 if some reduction needs it, or is it */
    bool eager;
} orderer;

/* ---- classes ---- */

static bool is_reduction(const ann_graph *g, ann_node n) {
    const ann_op op = ann_node_op(g, n);
    return op == ANN_OP_ALLREDUCE || op == ANN_OP_REDUCE_SCATTER;
}

static void find_feeds(orderer *o) {
    for (int32_t id = o->rw.count - 1; id >= 0; id--) {
        const ann_node *in;
        if (!o->rw.live[id]) continue;
        if (is_reduction(o->rw.from, (ann_node){id})) o->feeds[id] = 1;
        const int n = o->feeds[id] ? ann_node_inputs(o->rw.from, (ann_node){id}, &in) : 0;
        for (int i = 0; i < n; i++) o->feeds[in[i].id] = 1;
    }
}

static void classify(orderer *o) {
    const ann_graph *g = o->rw.from;
    anni_range writes[ANN_FUSED_MAX_STORE];
    for (int32_t id = 0; id < o->rw.count; id++) {
        const ann_node n = {id};
        const ann_node *in;
        if (!o->rw.live[id]) continue;
        const int n_in = ann_node_inputs(g, n, &in);
        const bool write = anni_writes(g, n, writes) > 0;
        bool prelude = n_in == 0 || ann_shape_elems(ann_node_shape(g, n)) == 1,
             packed = write || ann_node_op(g, n) == ANN_OP_PACK; /* or made of what is */
        for (int i = 0; i < n_in; i++) {
            prelude = prelude && o->kind[in[i].id] == PRELUDE;
            packed = packed || o->kind[in[i].id] == SOON || o->kind[in[i].id] == UPDATE;
        }
        if (ann_node_op(g, n) == ANN_OP_GATHER_BLOCK) o->kind[id] = PRELUDE;
        else if (packed) o->kind[id] = o->feeds[id] && !write ? SOON : UPDATE;
        else o->kind[id] = prelude && !is_reduction(g, n) ? PRELUDE : MAIN;
    }
}

/* ---- what must come before a node ---- */

/* Does `reader` read memory of the store that lies in `range`? */
static bool reads(const ann_graph *g, ann_node reader, const anni_range *range) {
    const ann_node *in;
    const int n = ann_node_inputs(g, reader, &in);
    for (int i = 0; i < n; i++) {
        const ann_node root = anni_alias_root(g, in[i]);
        const ann_op op = ann_node_op(g, root);
        if (op != ANN_OP_STORE && op != ANN_OP_BLOCK) continue;
        const anni_range read = anni_leaf_range(g, root);
        if (anni_ranges_overlap(&read, range)) return true;
    }
    return false;
}

static bool ready(const orderer *o, ann_node n) {
    const ann_graph *g = o->rw.from;
    const ann_node *in;
    anni_range writes[ANN_FUSED_MAX_STORE];
    const int n_in = ann_node_inputs(g, n, &in);
    for (int i = 0; i < n_in; i++)
        if (!ann_node_is(o->rw.map[in[i].id])) return false;
    const int n_writes = anni_writes(g, n, writes);
    for (int w = 0; w < n_writes; w++)
        for (int32_t id = 0; id < o->rw.count; id++)
            if (o->rw.live[id] && id != n.id && !ann_node_is(o->rw.map[id]) &&
                reads(g, (ann_node){id}, &writes[w]))
                return false;
    return true;
}

/* ---- emission ---- */

static void emit_ready(orderer *o, uint8_t kind) {
    for (bool again = true; again;) {
        again = false;
        for (int32_t id = 0; id < o->rw.count; id++) {
            if (!o->rw.live[id] || o->kind[id] != kind || ann_node_is(o->rw.map[id]) ||
                !ready(o, (ann_node){id}))
                continue;
            anni_rewrite_clone(&o->rw, (ann_node){id});
            again = ann_graph_status(o->rw.to) == ANN_OK;
        }
    }
}

static ann_status emit_all(orderer *o) {
    emit_ready(o, PRELUDE);
    for (int32_t id = 0; id < o->rw.count && ann_graph_status(o->rw.to) == ANN_OK; id++) {
        if (!o->rw.live[id] || o->kind[id] != MAIN) continue;
        if (!ready(o, (ann_node){id}))
            return ann_error(ANN_ERR_INTERNAL, "node %d depends on the update of this step", id);
        anni_rewrite_clone(&o->rw, (ann_node){id});
        emit_ready(o, SOON);
        if (o->eager) emit_ready(o, UPDATE);
    }
    emit_ready(o, SOON);
    emit_ready(o, UPDATE);
    for (int32_t id = 0; id < o->rw.count && ann_graph_status(o->rw.to) == ANN_OK; id++)
        if (o->rw.live[id] && !ann_node_is(o->rw.map[id]))
            return ann_error(ANN_ERR_INTERNAL, "node %d can never run", id);
    return ANN_OK;
}

ann_status ann_pass_order(ann_graph **out, const ann_graph *graph, bool eager_updates) {
    orderer o = {.eager = eager_updates};
    ANN_TRY(anni_rewrite_begin(&o.rw, graph));
    ann_status status = ANN_OK;
    o.kind = calloc((size_t)o.rw.count + 1, 1);
    o.feeds = calloc((size_t)o.rw.count + 1, 1);
    if (o.kind && o.feeds) {
        find_feeds(&o);
        classify(&o);
        status = emit_all(&o);
        if (status == ANN_OK) anni_copy_roots(o.rw.to, graph, o.rw.map);
    } else {
        status = ann_error(ANN_ERR_MEMORY, "no memory to order a graph");
    }
    free(o.kind);
    free(o.feeds);
    return anni_rewrite_end(&o.rw, out, status);
}
