/* The graph: node storage, the sticky error, scopes, roots. */
#include "graph/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

typedef struct node {
    ann_op op;
    ann_dtype dtype;
    ann_shape shape;
    ann_attrs attrs;
    ann_node *inputs;
    int n_in;
    const char *scope;
} node;

typedef struct root {
    const char *name; /* NULL: an effect */
    ann_node node;
} root;

enum { ANNI_MAX_SCOPES = 64 };

struct ann_graph {
    ann_store *store;
    ann_arena *arena;
    node *nodes;
    int32_t count, capacity;
    root *outputs, *effects;
    int n_outputs, n_effects;
    char scope[256];
    size_t scope_length[ANNI_MAX_SCOPES]; /* of the scope before each push */
    int scope_depth;
    const char *scope_kept; /* the arena's copy of scope, or NULL if it must be made */
    ann_status status;
    char error[512];
};

static const ann_op_info *const op_table[ANN_OP_COUNT] = {
#define ANN_OP(NAME, name) [ANN_OP_##NAME] = &anni_op_##name,
#include "graph/ops.def"
#undef ANN_OP
};

const ann_op_info *anni_op_info(ann_op op) { return op_table[op]; }

/* ---- life ---- */

ann_status ann_graph_new(ann_graph **out, ann_store *store) {
    *out = NULL;
    ann_graph *g = calloc(1, sizeof *g);
    if (!g) return ann_error(ANN_ERR_MEMORY, "no memory for a graph");
    const ann_status status = ann_arena_new(&g->arena);
    if (status != ANN_OK) {
        free(g);
        return status;
    }
    g->store = store;
    *out = g;
    return ANN_OK;
}

void ann_graph_free(ann_graph *graph) {
    if (!graph) return;
    ann_arena_free(graph->arena);
    free(graph->nodes);
    free(graph->outputs);
    free(graph->effects);
    free(graph);
}

ann_store *ann_graph_store(const ann_graph *graph) { return graph->store; }
ann_arena *anni_graph_arena(ann_graph *graph) { return graph->arena; }

ann_status ann_graph_status(const ann_graph *graph) {
    if (graph->status == ANN_OK) return ANN_OK;
    return ann_error(graph->status, "%s", graph->error);
}

ann_node ann_graph_fail(ann_graph *graph, ann_status status, const char *fmt, ...) {
    if (graph->status != ANN_OK) return ANN_NODE_NONE;
    graph->status = status;
    int used = 0;
    if (graph->scope[0]) used = snprintf(graph->error, sizeof graph->error, "%s: ", graph->scope);
    va_list args;
    va_start(args, fmt);
    vsnprintf(graph->error + used, sizeof graph->error - (size_t)used, fmt, args);
    va_end(args);
    return ANN_NODE_NONE;
}

/* ---- scopes ---- */

void ann_scope_push(ann_graph *graph, const char *name) {
    const size_t used = strlen(graph->scope);
    if (graph->scope_depth < ANNI_MAX_SCOPES) graph->scope_length[graph->scope_depth] = used;
    graph->scope_depth++;
    snprintf(graph->scope + used, sizeof graph->scope - used, "%s%s", used ? "/" : "", name);
    graph->scope_kept = NULL;
}

/* A name may have slashes itself, so the length before the push is what counts. */
void ann_scope_pop(ann_graph *graph) {
    if (graph->scope_depth > 0 && --graph->scope_depth < ANNI_MAX_SCOPES)
        graph->scope[graph->scope_length[graph->scope_depth]] = '\0';
    graph->scope_kept = NULL;
}

const char *anni_scope_set(ann_graph *graph, const char *scope) {
    if (!graph->scope_kept || strcmp(graph->scope, scope) != 0) {
        snprintf(graph->scope, sizeof graph->scope, "%s", scope);
        graph->scope_kept = ann_arena_strdup(graph->arena, graph->scope);
    }
    return graph->scope_kept;
}

static const char *scope_keep(ann_graph *graph) {
    if (!graph->scope_kept) graph->scope_kept = ann_arena_strdup(graph->arena, graph->scope);
    return graph->scope_kept;
}

/* ---- nodes ---- */

static node *node_append(ann_graph *g) {
    if (g->count == g->capacity) {
        const int32_t capacity = g->capacity ? 2 * g->capacity : 256;
        node *grown = realloc(g->nodes, (size_t)capacity * sizeof *grown);
        if (!grown) return NULL;
        g->nodes = grown;
        g->capacity = capacity;
    }
    node *fresh = &g->nodes[g->count];
    memset(fresh, 0, sizeof *fresh);
    return fresh;
}

static ann_status infer(ann_graph *g, const ann_op_info *info, node *n) {
    if (n->n_in < info->min_in || n->n_in > info->max_in)
        return ann_error(ANN_ERR_ARG, "%d inputs given", n->n_in);
    anni_infer rule = {.graph = g,
                       .attrs = &n->attrs,
                       .n = n->n_in,
                       .inputs = n->inputs,
                       .shape = n->shape,
                       .dtype = n->dtype};
    for (int i = 0; i < n->n_in && i < 4; i++) {
        rule.in[i] = &g->nodes[n->inputs[i].id].shape;
        rule.in_dtype[i] = g->nodes[n->inputs[i].id].dtype;
    }
    ANN_TRY(info->infer(&rule));
    n->shape = rule.shape;
    n->dtype = rule.dtype;
    return ANN_OK;
}

static void fail_with_shapes(ann_graph *g, ann_status status, const ann_op_info *info, const node *n) {
    char text[256] = "", shape[128];
    for (int i = 0; i < n->n_in && i < 4; i++) {
        const size_t used = strlen(text);
        const node *in = &g->nodes[n->inputs[i].id];
        snprintf(text + used, sizeof text - used, "%s%s%s", i ? ", " : "", ann_dtype_name(in->dtype),
                 ann_shape_str(shape, sizeof shape, &in->shape));
    }
    ann_graph_fail(g, status, "%s(%s): %s", info->name, text, ann_error_text());
}

ann_node anni_build(ann_graph *g, ann_op op, ann_dtype dtype, const ann_shape *shape, const ann_attrs *attrs,
                    const ann_node *inputs, int n_in) {
    if (g->status != ANN_OK) return ANN_NODE_NONE;
    const ann_op_info *info = anni_op_info(op);
    for (int i = 0; i < n_in; i++)
        if (inputs[i].id < 0 || inputs[i].id >= g->count)
            return ann_graph_fail(g, ANN_ERR_ARG, "%s: input %d is not a node of this graph", info->name, i);
    node *n = node_append(g);
    ann_node *kept = ann_arena_alloc(g->arena, (size_t)(n_in ? n_in : 1) * sizeof *kept);
    const char *scope = scope_keep(g);
    if (!n || !kept || !scope) return ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for a node");
    if (n_in) memcpy(kept, inputs, (size_t)n_in * sizeof *kept);
    n->op = op;
    n->dtype = dtype;
    if (shape) n->shape = *shape;
    if (attrs) memcpy(&n->attrs, attrs, info->attr_bytes);
    n->inputs = kept;
    n->n_in = n_in;
    n->scope = scope;
    ann_status status = infer(g, info, n);
    if (status == ANN_OK && info->own_attrs) status = info->own_attrs(g->arena, &n->attrs, n_in);
    if (status != ANN_OK) {
        fail_with_shapes(g, status, info, n);
        return ANN_NODE_NONE;
    }
    return (ann_node){g->count++};
}

ann_node anni_clone(ann_graph *to, const ann_graph *from, ann_node which, const ann_node *inputs) {
    const node n = from->nodes[which.id];
    anni_scope_set(to, n.scope);
    return anni_build(to, n.op, n.dtype, &n.shape, &n.attrs, inputs, n.n_in);
}

int32_t ann_graph_count(const ann_graph *graph) { return graph->count; }
ann_op ann_node_op(const ann_graph *graph, ann_node n) { return graph->nodes[n.id].op; }
ann_dtype ann_node_dtype(const ann_graph *graph, ann_node n) {
    return n.id < 0 ? ANN_F32 : graph->nodes[n.id].dtype;
}
const ann_attrs *ann_node_attrs(const ann_graph *graph, ann_node n) { return &graph->nodes[n.id].attrs; }
const char *ann_node_scope(const ann_graph *graph, ann_node n) { return graph->nodes[n.id].scope; }

const ann_shape *ann_node_shape(const ann_graph *graph, ann_node n) {
    static const ann_shape scalar = {0};
    return n.id < 0 ? &scalar : &graph->nodes[n.id].shape;
}

int ann_node_inputs(const ann_graph *graph, ann_node n, const ann_node **inputs) {
    *inputs = graph->nodes[n.id].inputs;
    return graph->nodes[n.id].n_in;
}

double anni_node_flops(const ann_graph *g, ann_node n) {
    const ann_op_info *info = anni_op_info(g->nodes[n.id].op);
    return info->flops ? info->flops(g, n) : (double)ann_shape_elems(&g->nodes[n.id].shape);
}

ann_node anni_zeros_like(ann_graph *g, ann_node x) {
    return ann_fill(g, ann_node_dtype(g, x), *ann_node_shape(g, x), 0);
}

/* ---- roots ---- */

static void root_append(ann_graph *g, root **list, int *n, const char *name, ann_node which) {
    if (g->status != ANN_OK) return;
    if (!ann_node_is(which)) {
        ann_graph_fail(g, ANN_ERR_ARG, "%s is not a node", name ? name : "an effect");
        return;
    }
    root *grown = realloc(*list, (size_t)(*n + 1) * sizeof *grown);
    if (!grown) {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for a root");
        return;
    }
    *list = grown;
    grown[(*n)++] = (root){name ? ann_arena_strdup(g->arena, name) : NULL, which};
}

void ann_output(ann_graph *graph, const char *name, ann_node n) {
    root_append(graph, &graph->outputs, &graph->n_outputs, name, n);
}
void ann_effect(ann_graph *graph, ann_node assign) {
    root_append(graph, &graph->effects, &graph->n_effects, NULL, assign);
}
int ann_graph_output_count(const ann_graph *graph) { return graph->n_outputs; }
int ann_graph_effect_count(const ann_graph *graph) { return graph->n_effects; }
ann_node ann_graph_effect(const ann_graph *graph, int i) { return graph->effects[i].node; }
ann_node ann_graph_output(const ann_graph *graph, int i, const char **name) {
    if (name) *name = graph->outputs[i].name;
    return graph->outputs[i].node;
}

ann_status anni_live(const ann_graph *g, uint8_t **out) {
    uint8_t *live = calloc((size_t)g->count + 1, 1);
    if (!live) return ann_error(ANN_ERR_MEMORY, "no memory for %d marks", g->count);
    for (int i = 0; i < g->n_outputs; i++) live[g->outputs[i].node.id] = 1;
    for (int i = 0; i < g->n_effects; i++) live[g->effects[i].node.id] = 1;
    for (int32_t id = g->count - 1; id >= 0; id--)
        if (live[id])
            for (int i = 0; i < g->nodes[id].n_in; i++) live[g->nodes[id].inputs[i].id] = 1;
    *out = live;
    return ANN_OK;
}

void anni_copy_roots(ann_graph *to, const ann_graph *from, const ann_node *map) {
    for (int i = 0; i < from->n_outputs; i++)
        ann_output(to, from->outputs[i].name, map[from->outputs[i].node.id]);
    for (int i = 0; i < from->n_effects; i++) ann_effect(to, map[from->effects[i].node.id]);
}

int64_t anni_message_elems(const ann_graph *g, ann_node n) {
    const node *of = &g->nodes[n.id];
    return of->op == ANN_OP_ALLREDUCE ? ann_shape_elems(&of->shape) : of->attrs.chunk.elems;
}

uint64_t ann_graph_comm_hash(const ann_graph *graph) {
    uint64_t hash = 0;
    for (int32_t id = 0; id < graph->count; id++) {
        const node *n = &graph->nodes[id];
        if (!(anni_op_info(n->op)->flags & ANNI_COLLECTIVE)) continue;
        const bool whole = n->op == ANN_OP_ALLREDUCE;
        const int64_t fact[6] = {n->op,
                                 whole ? n->attrs.comm.channel : n->attrs.chunk.channel,
                                 anni_message_elems(graph, (ann_node){id}),
                                 n->dtype,
                                 whole ? (int64_t)n->attrs.comm.wire : 0,
                                 whole ? n->attrs.comm.most : 0};
        hash = ann_hash(fact, sizeof fact, hash);
    }
    return hash;
}
