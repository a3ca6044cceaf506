/* expand: composites become math ops, repeatedly, since an expansion may contain composites. */
#include "pass/rewrite.h"

#include "kernel/kernel.h"

static bool must_expand(const ann_graph *g, ann_node n, ann_expand which) {
    const ann_op op = ann_node_op(g, n);
    if (!anni_op_info(op)->expand) return false;
    return which == ANN_EXPAND_ALL || !ann_kernel_list(op, ann_node_dtype(g, n), 0);
}

static ann_status expand_once(ann_graph **out, const ann_graph *graph, ann_expand which, bool *again) {
    anni_rewrite rw;
    *again = false;
    ANN_TRY(anni_rewrite_begin(&rw, graph));
    for (int32_t id = 0; id < rw.count; id++) {
        if (!rw.live[id]) continue;
        const ann_node made = anni_rewrite_clone(&rw, (ann_node){id});
        if (!ann_node_is(made)) break;
        if (!must_expand(rw.to, made, which)) continue;
        rw.map[id] = anni_op_info(ann_node_op(rw.to, made))->expand(rw.to, made);
        *again = true;
    }
    anni_copy_roots(rw.to, graph, rw.map);
    return anni_rewrite_end(&rw, out, ANN_OK);
}

ann_status ann_pass_expand(ann_graph **out, const ann_graph *graph, ann_expand which) {
    bool again;
    ann_graph *now;
    ANN_TRY(expand_once(&now, graph, which, &again));
    while (again) {
        ann_graph *next;
        const ann_status status = expand_once(&next, now, which, &again);
        ann_graph_free(now);
        ANN_TRY(status);
        now = next;
    }
    *out = now;
    return ANN_OK;
}
