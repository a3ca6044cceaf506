/* memplan: where each value lies.

   Values whose lifetimes do not meet share memory: offsets are chosen greedily, largest first (Pisarchyk and
   Lee, "Efficient memory management for deep neural net inference", 2020). Kept apart, alive for ever:
   constants (filled once), packs (gradients are computed right in place), and outputs. What is sent to other
   ranks has a block of its own, which they can read: packs, and the results of other reductions. */
#include "pass/rewrite.h"

#include <stdlib.h>

#include "kernel/fused.h"

#define SLACK_BYTES 64 /* behind every value: the slots of a message */

typedef struct value {
    int64_t bytes;
    int32_t birth, death; /* node ids */
    bool forever;
    int32_t merged_into; /* in place of another value: its id, else -1 */
    int64_t offset;
} value;

typedef struct planner {
    const ann_graph *g;
    int32_t count;
    uint8_t *live;
    int32_t *uses;
    ann_place *place;
    value *values;  /* [count] */
    int32_t *order; /* [count]: values by size */
} planner;

static int64_t bytes_of(const ann_graph *g, ann_node n) {
    const int64_t bytes =
        ann_shape_elems(ann_node_shape(g, n)) * (int64_t)ann_dtype_bytes(ann_node_dtype(g, n));
    return (int64_t)ann_align_up((size_t)bytes + SLACK_BYTES, ANN_ALIGN_BYTES);
}

/* A message is longer than the chunk of it that is the value. */
static int64_t value_bytes(const ann_graph *g, ann_node n) {
    return bytes_of(g, ann_node_op(g, n) == ANN_OP_REDUCE_SCATTER ? anni_in(g, n, 0) : n);
}

/* Where a value begins in its memory. */
static int64_t start_of(const ann_graph *g, ann_node n) {
    const ann_op op = ann_node_op(g, n);
    const int64_t size = (int64_t)ann_dtype_bytes(ann_node_dtype(g, n));
    if (op == ANN_OP_REDUCE_SCATTER) return ann_node_attrs(g, n)->chunk.begin * size;
    return op == ANN_OP_VIEW ? ann_node_attrs(g, n)->view.offset * size : 0;
}

static bool is_collective(const ann_graph *g, ann_node n) {
    return (anni_op_info(ann_node_op(g, n))->flags & ANNI_COLLECTIVE) != 0;
}

/* ---- kinds ---- */

static void alias_to(planner *p, int32_t id, int32_t of, int64_t offset) {
    const ann_place *target = &p->place[of];
    if (target->kind == ANN_PLACE_ALIAS)
        p->place[id] = (ann_place){ANN_PLACE_ALIAS, target->offset_bytes + offset, target->root};
    else p->place[id] = (ann_place){ANN_PLACE_ALIAS, offset, of};
}

/* May this reduction work right in its input's memory? Only if nothing else ever looks at it. */
static bool reduces_in_place(const planner *p, ann_node in) {
    const ann_place *place = &p->place[in.id];
    return p->uses[in.id] == 1 && place->kind == ANN_PLACE_ARENA && ann_node_op(p->g, in) != ANN_OP_FILL;
}

static void place_node(planner *p, int32_t id) {
    const ann_node n = {id};
    const ann_op op = ann_node_op(p->g, n);
    anni_range writes[ANN_FUSED_MAX_STORE];
    p->place[id] = (ann_place){ANN_PLACE_ARENA, 0, id};
    if (op == ANN_OP_STORE || op == ANN_OP_BLOCK) p->place[id].kind = ANN_PLACE_STORE;
    else if (op == ANN_OP_INPUT) p->place[id].kind = ANN_PLACE_INPUT;
    else if (anni_op_info(op)->flags & ANNI_ALIAS) alias_to(p, id, anni_in(p->g, n, 0).id, start_of(p->g, n));
    else if ((op == ANN_OP_ALLREDUCE || op == ANN_OP_REDUCE_SCATTER) &&
             reduces_in_place(p, anni_in(p->g, n, 0)))
        alias_to(p, id, anni_in(p->g, n, 0).id, start_of(p->g, n));
    else if (anni_writes(p->g, n, writes)) p->place[id].kind = ANN_PLACE_NONE;
}

/* Gradients are computed in the pack, where they are used by nothing else. */
static void place_in_pack(planner *p, int32_t id) {
    const ann_node pack = {id};
    const ann_node *in;
    const int n = ann_node_inputs(p->g, pack, &in);
    const int64_t *offsets = ann_node_attrs(p->g, pack)->pack.offsets;
    const int64_t size = (int64_t)ann_dtype_bytes(ann_node_dtype(p->g, pack));
    for (int i = 0; i < n; i++) {
        ann_node root = in[i];
        bool alone = p->uses[root.id] == 1;
        while (alone && (anni_op_info(ann_node_op(p->g, root))->flags & ANNI_ALIAS)) {
            root = anni_in(p->g, root, 0);
            alone = p->uses[root.id] == 1;
        }
        const ann_op op = ann_node_op(p->g, root);
        if (!alone || p->place[root.id].kind != ANN_PLACE_ARENA || op == ANN_OP_FILL || op == ANN_OP_PACK)
            continue;
        alias_to(p, root.id, id, offsets[i] * size);
    }
}

/* Aliases of a value that has itself become an alias must point to the final root. */
static void resolve(planner *p) {
    for (int32_t id = 0; id < p->count; id++) {
        ann_place *place = &p->place[id];
        if (!p->live[id] || place->kind != ANN_PLACE_ALIAS) continue;
        while (p->place[place->root].kind == ANN_PLACE_ALIAS) {
            place->offset_bytes += p->place[place->root].offset_bytes;
            place->root = p->place[place->root].root;
        }
    }
}

static int32_t root_of(const planner *p, int32_t id) {
    return p->place[id].kind == ANN_PLACE_ALIAS ? p->place[id].root : id;
}

static void share_messages(planner *p) {
    for (int32_t id = 0; id < p->count; id++)
        if (p->live[id] && is_collective(p->g, (ann_node){id})) {
            ann_place *root = &p->place[root_of(p, id)];
            if (root->kind == ANN_PLACE_ARENA) root->kind = ANN_PLACE_SHARED;
        }
}

/* ---- lifetimes ---- */

static bool is_block(ann_place_kind kind) { return kind == ANN_PLACE_ARENA || kind == ANN_PLACE_SHARED; }

static void live_ranges(planner *p) {
    for (int32_t id = 0; id < p->count; id++) {
        const ann_node *in;
        p->values[id] = (value){.birth = id, .death = id, .merged_into = -1};
        if (!p->live[id]) continue;
        const ann_op op = ann_node_op(p->g, (ann_node){id});
        p->values[id].bytes = is_block(p->place[id].kind) ? value_bytes(p->g, (ann_node){id}) : 0;
        p->values[id].forever =
            op == ANN_OP_FILL || op == ANN_OP_PACK || p->place[id].kind == ANN_PLACE_SHARED;
        const int n = ann_node_inputs(p->g, (ann_node){id}, &in);
        for (int i = 0; i < n; i++) p->values[root_of(p, in[i].id)].death = id;
    }
    for (int i = 0; i < ann_graph_output_count(p->g); i++)
        p->values[root_of(p, ann_graph_output(p->g, i, NULL).id)].forever = true;
}

/* The input whose memory node id may take over: read element by element, of equal size, dead afterwards. -1:
 * none. */
static int32_t in_place_of(const planner *p, int32_t id) {
    const ann_node n = {id};
    const ann_node *in;
    const int n_in = ann_node_inputs(p->g, n, &in);
    const ann_op op = ann_node_op(p->g, n);
    const ann_fused *f = op == ANN_OP_FUSED ? ann_node_attrs(p->g, n)->fused : NULL;
    const int candidates = f ? n_in : (anni_op_info(op)->flags & ANNI_INPLACE) ? 1 : 0;
    for (int i = 0; i < candidates; i++) {
        const int32_t root = root_of(p, in[i].id);
        const value *v = &p->values[root];
        bool fits =
            p->place[root].kind == ANN_PLACE_ARENA && !v->forever && v->death == id &&
            ann_shape_elems(ann_node_shape(p->g, in[i])) == ann_shape_elems(ann_node_shape(p->g, n)) &&
            ann_node_dtype(p->g, in[i]) == ann_node_dtype(p->g, n) && v->bytes == p->values[id].bytes &&
            (p->place[in[i].id].kind != ANN_PLACE_ALIAS || p->place[in[i].id].offset_bytes == 0);
        for (int j = 0; j < n_in && fits; j++)
            if (root_of(p, in[j].id) == root && (f ? f->access[j] != ANN_ACCESS_FULL : j != i)) fits = false;
        if (fits) return root;
    }
    return -1;
}

static void merge_in_place(planner *p) {
    for (int32_t id = 0; id < p->count; id++) {
        if (!p->live[id] || p->place[id].kind != ANN_PLACE_ARENA || p->values[id].forever) continue;
        int32_t root = in_place_of(p, id);
        if (root < 0) continue;
        while (p->values[root].merged_into >= 0) root = p->values[root].merged_into;
        p->values[id].merged_into = root;
        if (p->values[id].death > p->values[root].death) p->values[root].death = p->values[id].death;
    }
}

/* ---- offsets ---- */

static int larger_first(const void *a, const void *b, void *values) {
    const value *x = (const value *)values + *(const int32_t *)a,
                *y = (const value *)values + *(const int32_t *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->birth < y->birth ? -1 : x->birth > y->birth;
}

static bool meet(const value *a, const value *b) { return a->birth <= b->death && b->birth <= a->death; }

/* The lowest gap among the placed values that are alive at the same time. `placed` is sorted by offset. */
static int64_t lowest_gap(const planner *p, const value *v, const int32_t *placed, int n) {
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        const value *other = &p->values[placed[i]];
        if (!meet(v, other)) continue;
        if (at + v->bytes <= other->offset) break;
        if (other->offset + other->bytes > at) at = other->offset + other->bytes;
    }
    return at;
}

static void assign_offsets(ann_memplan *out, planner *p, int32_t *placed) {
    int n = 0, n_placed = 0;
    int64_t top = 0;
    for (int32_t id = 0; id < p->count; id++)
        if (p->values[id].bytes && !p->values[id].forever && p->values[id].merged_into < 0)
            p->order[n++] = id;
    qsort_r(p->order, (size_t)n, sizeof *p->order, larger_first, p->values);
    for (int k = 0; k < n; k++) {
        value *v = &p->values[p->order[k]];
        v->offset = lowest_gap(p, v, placed, n_placed);
        if (v->offset + v->bytes > top) top = v->offset + v->bytes;
        int at = n_placed++;
        for (; at > 0 && p->values[placed[at - 1]].offset > v->offset; at--) placed[at] = placed[at - 1];
        placed[at] = p->order[k];
    }
    out->arena_bytes = (size_t)top;
    for (int32_t id = 0; id < p->count; id++) {
        value *v = &p->values[id];
        if (!v->bytes || !v->forever) continue;
        size_t *end = p->place[id].kind == ANN_PLACE_SHARED ? &out->shared_bytes : &out->arena_bytes;
        v->offset = (int64_t)*end;
        *end += (size_t)v->bytes;
    }
}

static void publish(planner *p) {
    for (int32_t id = 0; id < p->count; id++) {
        if (!p->live[id]) p->place[id] = (ann_place){ANN_PLACE_NONE, 0, id};
        if (!is_block(p->place[id].kind)) continue;
        int32_t from = id;
        while (p->values[from].merged_into >= 0) from = p->values[from].merged_into;
        p->place[id].offset_bytes = p->values[from].offset + start_of(p->g, (ann_node){id});
    }
}

static void plan(ann_memplan *out, planner *p, anni_rewrite *rw, int32_t *placed) {
    p->live = rw->live;
    p->uses = rw->uses;
    for (int32_t id = 0; id < p->count; id++)
        if (p->live[id]) place_node(p, id);
    for (int32_t id = 0; id < p->count; id++)
        if (p->live[id] && ann_node_op(p->g, (ann_node){id}) == ANN_OP_PACK) place_in_pack(p, id);
    resolve(p);
    share_messages(p);
    live_ranges(p);
    merge_in_place(p);
    assign_offsets(out, p, placed);
    publish(p);
    out->place = p->place;
}

ann_status ann_pass_memplan(ann_memplan *out, const ann_graph *graph) {
    anni_rewrite rw; /* for its marks and counts alone */
    *out = (ann_memplan){0};
    ANN_TRY(anni_rewrite_begin(&rw, graph));
    planner p = {.g = graph, .count = rw.count};
    const size_t count = (size_t)rw.count + 1;
    p.place = calloc(count, sizeof *p.place);
    p.values = calloc(count, sizeof *p.values);
    p.order = malloc(count * sizeof *p.order);
    int32_t *placed = malloc(count * sizeof *placed);
    ann_status status = ANN_OK;
    if (p.place && p.values && p.order && placed) plan(out, &p, &rw, placed);
    else status = ann_error(ANN_ERR_MEMORY, "no memory to plan memory");
    if (status != ANN_OK) free(p.place);
    free(p.values);
    free(p.order);
    free(placed);
    ann_graph *unused = NULL;
    const ann_status end = anni_rewrite_end(&rw, &unused, ANN_OK);
    ann_graph_free(unused);
    return status != ANN_OK ? status : end;
}
