/* bucket: cuts the reduction of a packed gradient, and the elementwise update behind it, into contiguous
   ranges.

   The optimizer writes its update once, on flat vectors of the whole block: pack -> compression -> allreduce
   -> elementwise ops with flat vectors of the store -> assigns. All these nodes have the shape [elems] of the
   pack. This pass replaces each such *flat* node by one clone per bucket; a sum over a flat vector becomes
   the sum of the buckets' sums, and the largest k elements become the largest of each bucket, in proportion
   to its size. What feeds them and depends on no gradient (blocks of the store, constants) may be wanted
   whole as well, by the update of another group of parameters of just that size, and gets both; dead nodes
   are dropped later. There is a pack for each group of parameters: they are cut one after the other. */
#include "pass/rewrite.h"

#include <stdlib.h>

enum {
    FLAT = 1, /* has a clone per bucket */
    CUT = 2   /* and nothing else: it depends on the pack */
};

typedef struct split {
    anni_rewrite rw;
    int64_t elems; /* of the flat vectors */
    int n_buckets;
    int64_t *bounds;  /* [n_buckets + 1] */
    int *first_input; /* [n_buckets + 1]: inputs of the pack */
    uint8_t *flat;    /* [count]: FLAT, CUT */
    ann_node *parts;  /* [count * n_buckets] */
} split;

/* ---- which nodes are flat ---- */

static bool has_flat_shape(const ann_graph *g, ann_node n, int64_t elems) {
    const ann_shape *shape = ann_node_shape(g, n);
    return shape->rank == 1 && shape->dim[0] == elems;
}

static uint8_t mark_of(const split *s, ann_node n, ann_node pack) {
    const ann_graph *g = s->rw.from;
    if (!has_flat_shape(g, n, s->elems)) return 0;
    const ann_op op = ann_node_op(g, n);
    if (n.id == pack.id) return FLAT | CUT;
    if (op == ANN_OP_BLOCK || op == ANN_OP_FILL) return FLAT;
    if (op == ANN_OP_BCAST) return ann_shape_elems(ann_node_shape(g, anni_in(g, n, 0))) == 1 ? FLAT : 0;
    const bool cuts = op == ANN_OP_ALLREDUCE || op == ANN_OP_ASSIGN || op == ANN_OP_TOPK;
    if (!cuts && !(anni_op_info(op)->flags & ANNI_ELEMENTWISE)) return 0;
    const ann_node *in;
    const int n_in = ann_node_inputs(g, n, &in);
    uint8_t mark = 0;
    for (int i = 0; i < n_in; i++) {
        if (!s->flat[in[i].id]) return 0;
        mark |= s->flat[in[i].id];
    }
    return cuts && !(mark & CUT) ? 0 : mark;
}

/* Every use of a node that is cut must be one that can be cut too. */
static bool can_split(const split *s) {
    const ann_graph *g = s->rw.from;
    for (int32_t id = 0; id < s->rw.count; id++) {
        const ann_node *in;
        if (!s->rw.live[id] || s->flat[id] || ann_node_op(g, (ann_node){id}) == ANN_OP_REDUCE_SUM) continue;
        const int n = ann_node_inputs(g, (ann_node){id}, &in);
        for (int i = 0; i < n; i++)
            if (s->flat[in[i].id] & CUT) return false;
    }
    for (int i = 0; i < ann_graph_output_count(g); i++)
        if (s->flat[ann_graph_output(g, i, NULL).id] & CUT) return false;
    return true;
}

/* ---- where to cut ---- */

/* Cuts lie at the offsets of the pack's inputs; a bucket is closed before the input that would make it too
   large, and once it is half full, so that what is computed last does not keep back much. */
static ann_status choose_bounds(split *s, ann_node pack, const ann_bucket_options *options) {
    const ann_graph *g = s->rw.from;
    const ann_node *in;
    const int n = ann_node_inputs(g, pack, &in);
    const int64_t *offsets = ann_node_attrs(g, pack)->pack.offsets;
    const int64_t size = (int64_t)ann_dtype_bytes(ann_node_dtype(g, pack));
    s->bounds = calloc((size_t)n + 1, sizeof *s->bounds);
    s->first_input = calloc((size_t)n + 1, sizeof *s->first_input);
    if (!s->bounds || !s->first_input) return ann_error(ANN_ERR_MEMORY, "no memory for buckets");
    for (int i = 1; i < n; i++) {
        const int64_t limit = s->n_buckets == 0 ? options->first_bytes : options->bucket_bytes;
        const int64_t end = i + 1 < n ? offsets[i + 1] : s->elems;
        const int64_t begin = s->bounds[s->n_buckets];
        if ((end - begin) * size <= limit && (offsets[i] - begin) * size < limit / 2) continue;
        s->n_buckets++;
        s->bounds[s->n_buckets] = offsets[i];
        s->first_input[s->n_buckets] = i;
    }
    s->n_buckets++;
    s->bounds[s->n_buckets] = s->elems;
    s->first_input[s->n_buckets] = n;
    return ANN_OK;
}

/* ---- clones ---- */

static ann_node part_of_pack(split *s, ann_node pack, int b) {
    const ann_node *in;
    ann_node_inputs(s->rw.from, pack, &in);
    const int lo = s->first_input[b], n = s->first_input[b + 1] - lo;
    const int64_t *offsets = ann_node_attrs(s->rw.from, pack)->pack.offsets;
    int64_t *shifted = ann_arena_alloc(anni_graph_arena(s->rw.to), (size_t)n * sizeof *shifted);
    if (!shifted) return ann_graph_fail(s->rw.to, ANN_ERR_MEMORY, "no memory for offsets");
    for (int i = 0; i < n; i++) {
        s->rw.in[i] = s->rw.map[in[lo + i].id];
        shifted[i] = offsets[lo + i] - s->bounds[b];
    }
    return ann_pack(s->rw.to, s->rw.in, n, shifted, s->bounds[b + 1] - s->bounds[b]);
}

/* Of `count` elements of the whole vector, a bucket's share: at least one, if there is any. */
static int64_t share_of(const split *s, int64_t count, int b) {
    const int64_t elems = s->bounds[b + 1] - s->bounds[b];
    const int64_t share = (int64_t)((double)count * (double)elems / (double)s->elems + 0.5);
    return count == 0 ? 0 : share < 1 ? 1 : share > elems ? elems : share;
}

static ann_node part(split *s, ann_node old, int b) {
    const ann_graph *from = s->rw.from;
    const ann_shape shape = ANN_SHAPE(s->bounds[b + 1] - s->bounds[b]);
    const ann_op op = ann_node_op(from, old);
    ann_attrs attrs = *ann_node_attrs(from, old);
    const ann_node *in;
    const int n = ann_node_inputs(from, old, &in);
    anni_scope_set(s->rw.to, ann_node_scope(from, old));
    if (op == ANN_OP_PACK) return part_of_pack(s, old, b);
    if (op == ANN_OP_BLOCK) {
        attrs.block.offset += s->bounds[b];
        attrs.block.elems = shape.dim[0];
    }
    if (op == ANN_OP_TOPK) attrs.topk.k = share_of(s, attrs.topk.k, b);
    if (op == ANN_OP_ALLREDUCE) attrs.comm.most = share_of(s, attrs.comm.most, b);
    for (int i = 0; i < n; i++)
        s->rw.in[i] = s->flat[in[i].id] ? s->parts[in[i].id * s->n_buckets + b] : s->rw.map[in[i].id];
    return anni_build(s->rw.to, op, ann_node_dtype(from, old), &shape, &attrs, s->rw.in, n);
}

static ann_node sum_of_parts(split *s, ann_node old) {
    const ann_node whole = anni_in(s->rw.from, old, 0);
    ann_node sum = ANN_NODE_NONE;
    for (int b = 0; b < s->n_buckets; b++) {
        const ann_node term = ann_reduce_sum(s->rw.to, s->parts[whole.id * s->n_buckets + b], 1);
        sum = b ? ann_add(s->rw.to, sum, term) : term;
    }
    return sum;
}

static void copy_effects(split *s) {
    const ann_graph *from = s->rw.from;
    for (int i = 0; i < ann_graph_output_count(from); i++) {
        const char *name;
        const ann_node n = ann_graph_output(from, i, &name);
        ann_output(s->rw.to, name, s->rw.map[n.id]);
    }
    for (int i = 0; i < ann_graph_effect_count(from); i++) {
        const ann_node n = ann_graph_effect(from, i);
        const bool cut = s->flat[n.id] & CUT;
        for (int b = 0; b < (cut ? s->n_buckets : 1); b++)
            ann_effect(s->rw.to, cut ? s->parts[n.id * s->n_buckets + b] : s->rw.map[n.id]);
    }
}

static ann_status split_graph(split *s, ann_node pack, const ann_bucket_options *options) {
    ANN_TRY(choose_bounds(s, pack, options));
    s->parts = calloc((size_t)s->rw.count * (size_t)s->n_buckets, sizeof *s->parts);
    if (!s->parts) return ann_error(ANN_ERR_MEMORY, "no memory for buckets");
    for (int32_t id = 0; id < s->rw.count; id++) {
        const ann_node old = {id};
        if (!s->rw.live[id]) continue;
        for (int b = 0; b < s->n_buckets && s->flat[id]; b++)
            s->parts[id * s->n_buckets + b] = part(s, old, b);
        if (s->flat[id] & CUT) continue;
        if (ann_node_op(s->rw.from, old) == ANN_OP_REDUCE_SUM &&
            s->flat[anni_in(s->rw.from, old, 0).id] & CUT)
            s->rw.map[id] = sum_of_parts(s, old);
        else anni_rewrite_clone(&s->rw, old);
    }
    copy_effects(s);
    return ANN_OK;
}

static ann_status copy_graph(anni_rewrite *rw) {
    for (int32_t id = 0; id < rw->count; id++)
        if (rw->live[id]) anni_rewrite_clone(rw, (ann_node){id});
    anni_copy_roots(rw->to, rw->from, rw->map);
    return ANN_OK;
}

/* ---- what to cut ---- */

/* The pack from which `n` is made by elementwise ops and selections alone, or none. */
static ann_node pack_behind(const ann_graph *g, ann_node n) {
    const ann_op op = ann_node_op(g, n);
    if (op == ANN_OP_PACK) return n;
    if (op != ANN_OP_TOPK && !(anni_op_info(op)->flags & ANNI_ELEMENTWISE)) return ANN_NODE_NONE;
    const ann_node *in;
    const int n_in = ann_node_inputs(g, n, &in);
    for (int i = 0; i < n_in; i++) {
        const ann_node pack = pack_behind(g, in[i]);
        if (ann_node_is(pack)) return pack;
    }
    return ANN_NODE_NONE;
}

/* Marks what is flat around `pack`; false if it does not end in writes to the store or cannot be cut. */
static bool mark_flat(split *s, ann_node pack) {
    const ann_graph *g = s->rw.from;
    bool writes = false;
    s->elems = ann_shape_elems(ann_node_shape(g, pack));
    for (int32_t id = 0; id < s->rw.count; id++) {
        s->flat[id] = s->rw.live[id] ? mark_of(s, (ann_node){id}, pack) : 0;
        writes = writes || (s->flat[id] && ann_node_op(g, (ann_node){id}) == ANN_OP_ASSIGN);
    }
    return writes && can_split(s);
}

/* The pack of the first reduction that can be cut, around which s->flat is marked, or none. The first *passed
   reductions are not looked at; it becomes the number of those before that one. */
static ann_node find_pack(split *s, int *passed) {
    const ann_graph *g = s->rw.from;
    int number = 0;
    for (int32_t id = 0; id < s->rw.count; id++) {
        if (!s->rw.live[id] || ann_node_op(g, (ann_node){id}) != ANN_OP_ALLREDUCE) continue;
        if (number++ < *passed) continue;
        const ann_node pack = pack_behind(g, anni_in(g, (ann_node){id}, 0));
        if (!ann_node_is(pack) || !mark_flat(s, pack)) continue;
        *passed = number - 1;
        return pack;
    }
    return ANN_NODE_NONE;
}

/* Cuts one pack, behind the first *passed reductions, which then are the buckets' too; *last: there was none.
 */
static ann_status split_next(ann_graph **out, const ann_graph *graph, const ann_bucket_options *options,
                             int *passed, bool *last) {
    split s = {0};
    ANN_TRY(anni_rewrite_begin(&s.rw, graph));
    ann_status status = ANN_OK;
    s.flat = calloc((size_t)s.rw.count + 1, 1);
    if (s.flat) {
        const ann_node pack = find_pack(&s, passed);
        *last = !ann_node_is(pack);
        status = *last ? copy_graph(&s.rw) : split_graph(&s, pack, options);
        *passed += s.n_buckets;
    } else {
        status = ann_error(ANN_ERR_MEMORY, "no memory for marks");
    }
    free(s.flat);
    free(s.bounds);
    free(s.first_input);
    free(s.parts);
    return anni_rewrite_end(&s.rw, out, status);
}

ann_status ann_pass_bucket(ann_graph **out, const ann_graph *graph, const ann_bucket_options *options) {
    ann_bucket_options next = *options;
    ann_graph *made = NULL;
    int passed = 0;
    for (bool last = false; !last;) {
        ann_graph *cut;
        const ann_status status = split_next(&cut, made ? made : graph, &next, &passed, &last);
        ann_graph_free(made);
        ANN_TRY(status);
        made = cut;
        next.first_bytes = next.bucket_bytes;
    }
    *out = made;
    return ANN_OK;
}
