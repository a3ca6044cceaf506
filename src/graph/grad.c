/* Gradients, graph to graph: reverse accumulation (Griewank and Walther, "Evaluating Derivatives", 2008) that
   appends nodes. Since rules use math ops only, its results can be differentiated again. */
#include "graph/node.h"

#include <stdlib.h>
#include <string.h>

/* One reverse sweep from `root`, whose adjoint is `seed`. */
typedef struct sweep {
    ann_graph *g;
    ann_node root;
    bool stop_at_wrt;  /* partial derivatives: do not go through a wrt node to another */
    ann_node *adjoint; /* [root.id + 1] */
    uint8_t *depends;  /* [root.id + 1]: 1 depends on a wrt, 2 is one */
} sweep;

static void run_sweep(ann_graph *g, ann_node root, ann_node seed, const ann_node *wrt, int n,
                      bool stop_at_wrt, ann_node *grads);

static void mark(sweep *s, const ann_node *wrt, int n) {
    int32_t first = s->root.id + 1;
    for (int i = 0; i < n; i++)
        if (wrt[i].id <= s->root.id) {
            s->depends[wrt[i].id] = 2;
            if (wrt[i].id < first) first = wrt[i].id;
        }
    for (int32_t id = first; id <= s->root.id; id++) {
        const ann_node *in;
        const ann_node self = {id};
        if (s->depends[id] || (anni_op_info(ann_node_op(s->g, self))->flags & ANNI_ZERO_GRAD)) continue;
        const int n_in = ann_node_inputs(s->g, self, &in);
        for (int i = 0; i < n_in && !s->depends[id]; i++) s->depends[id] = s->depends[in[i].id] != 0;
    }
}

static void accumulate(sweep *s, ann_node to, ann_node value) {
    if (!ann_node_is(value)) return;
    ann_node *adjoint = &s->adjoint[to.id];
    *adjoint = ann_node_is(*adjoint) ? ann_add(s->g, *adjoint, value) : value;
}

/* Adjoints of one node's inputs by its rule, or through its expansion. */
static void visit(sweep *s, ann_node self) {
    ann_graph *g = s->g;
    const ann_op_info *info = anni_op_info(ann_node_op(g, self));
    const ann_node *in;
    const int n = ann_node_inputs(g, self, &in);
    ann_arena *arena = anni_graph_arena(g);
    ann_node *dx = ann_arena_alloc(arena, (size_t)n * sizeof *dx);
    bool *wanted = ann_arena_alloc(arena, (size_t)n * sizeof *wanted);
    if (!dx || !wanted) {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for a gradient");
        return;
    }
    for (int i = 0; i < n; i++) {
        dx[i] = ANN_NODE_NONE;
        wanted[i] = s->depends[in[i].id] != 0;
    }
    anni_scope_set(g, ann_node_scope(g, self));
    if (info->vjp) info->vjp(g, self, s->adjoint[self.id], wanted, dx);
    else if (info->expand) run_sweep(g, info->expand(g, self), s->adjoint[self.id], in, n, true, dx);
    else ann_graph_fail(g, ANN_ERR_UNSUPPORTED, "%s has no gradient rule", info->name);
    ann_node_inputs(g, self, &in);
    for (int i = 0; i < n; i++)
        if (wanted[i]) accumulate(s, in[i], dx[i]);
}

static void run_sweep(ann_graph *g, ann_node root, ann_node seed, const ann_node *wrt, int n,
                      bool stop_at_wrt, ann_node *grads) {
    for (int i = 0; i < n; i++) grads[i] = ANN_NODE_NONE;
    if (!ann_node_is(root) || !ann_node_is(seed)) return;
    const size_t count = (size_t)root.id + 1;
    sweep s = {.g = g, .root = root, .stop_at_wrt = stop_at_wrt};
    s.adjoint = malloc(count * sizeof *s.adjoint);
    s.depends = calloc(count, 1);
    if (s.adjoint && s.depends) {
        for (size_t i = 0; i < count; i++) s.adjoint[i] = ANN_NODE_NONE;
        mark(&s, wrt, n);
        s.adjoint[root.id] = seed;
        for (int32_t id = root.id; id >= 0 && ann_graph_status(g) == ANN_OK; id--) {
            const ann_node *in;
            const bool stop = !s.depends[id] || (s.stop_at_wrt && s.depends[id] == 2);
            if (ann_node_is(s.adjoint[id]) && !stop && ann_node_inputs(g, (ann_node){id}, &in) > 0)
                visit(&s, (ann_node){id});
        }
        for (int i = 0; i < n; i++)
            if (wrt[i].id <= root.id) grads[i] = s.adjoint[wrt[i].id];
    } else {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for a gradient");
    }
    free(s.adjoint);
    free(s.depends);
}

void ann_grad(ann_graph *g, ann_node y, const ann_node *wrt, int n, ann_node *grads) {
    for (int i = 0; i < n; i++) grads[i] = ANN_NODE_NONE;
    if (!ann_node_is(y)) return;
    if (ann_shape_elems(ann_node_shape(g, y)) != 1 || !ann_dtype_is_float(ann_node_dtype(g, y))) {
        ann_graph_fail(g, ANN_ERR_SHAPE, "gradient: y must be a float scalar");
        return;
    }
    for (int i = 0; i < n; i++)
        if (!ann_node_is(wrt[i])) {
            ann_graph_fail(g, ANN_ERR_ARG, "gradient: wrt %d is not a node", i);
            return;
        }
    const char *scope = ann_node_scope(g, y);
    run_sweep(g, y, ann_fill(g, ann_node_dtype(g, y), *ann_node_shape(g, y), 1), wrt, n, false, grads);
    anni_scope_set(g, scope);
    for (int i = 0; i < n; i++)
        if (!ann_node_is(grads[i])) grads[i] = anni_zeros_like(g, wrt[i]);
}
