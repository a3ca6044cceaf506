/* zero: the optimizer's state is cut into one part per rank (ZeRO stage 1: Rajbhandari et al., "ZeRO: memory
   optimizations toward training trillion parameter models", SC 2020).

   What is cut: nodes that are flat vectors and depend, element by element, on the sum of the gradients, down
   to the assigns they end in. Each has a *part*, of this rank's chunk, instead of the whole. What feeds them
   and could be wanted whole as well (blocks of the store, constants) gets both; dead nodes are dropped later.
   A sum over a cut vector is *partial*, and so is a sum of such sums; whoever uses it gets its sum over
   ranks.

   A range of the store that is written in chunks is right only in the own chunk when the step begins. Leaves
   that read it become views of a gather_block. */
#include "pass/rewrite.h"

#include <stdlib.h>

#include "tensor/chunk.h"

enum { CUTTABLE = 1, CUT = 2, PARTIAL = 4 };

typedef struct range {
    anni_range of;
    ann_node gather; /* in the new graph; none yet */
} range;

typedef struct cutter {
    anni_rewrite rw;
    const ann_zero_options *options;
    uint8_t *mark;   /* [count] */
    ann_node *part;  /* [count] */
    ann_node *total; /* [count]: the sum over ranks of what is partial */
    range *ranges;   /* [count]: written in chunks */
    int n_ranges;
} cutter;

/* ---- what is cut ---- */

/* The marks that all inputs of a node have. */
static uint8_t common_marks(const cutter *c, ann_node n) {
    const ann_node *in;
    const int n_in = ann_node_inputs(c->rw.from, n, &in);
    uint8_t common = n_in ? 0xff : 0;
    for (int i = 0; i < n_in; i++) common &= c->mark[in[i].id];
    return common;
}

static bool any_cut(const cutter *c, ann_node n) {
    const ann_node *in;
    const int n_in = ann_node_inputs(c->rw.from, n, &in);
    bool any = false;
    for (int i = 0; i < n_in; i++) any = any || (c->mark[in[i].id] & CUT);
    return any;
}

static bool is_flat(const ann_graph *g, ann_node n) { return ann_node_shape(g, n)->rank == 1; }

/* The sum of the gradients, as they are. */
static bool sums_gradients(const ann_graph *g, ann_node n) {
    return ann_node_op(g, n) == ANN_OP_ALLREDUCE && ann_node_attrs(g, n)->comm.wire == ANN_WIRE_NATIVE &&
           ann_node_op(g, anni_in(g, n, 0)) == ANN_OP_PACK;
}

static uint8_t mark_of(const cutter *c, ann_node n) {
    const ann_graph *g = c->rw.from;
    const ann_op op = ann_node_op(g, n);
    const uint8_t common = common_marks(c, n);
    if (op == ANN_OP_ALLREDUCE) return sums_gradients(g, n) ? CUTTABLE | CUT : 0;
    if (op == ANN_OP_REDUCE_SUM) return common & CUT ? PARTIAL : 0;
    if (common & PARTIAL) return op == ANN_OP_ADD || op == ANN_OP_RESHAPE ? PARTIAL : 0;
    if (!is_flat(g, n)) return 0;
    if (op == ANN_OP_BLOCK || op == ANN_OP_FILL) return CUTTABLE;
    if (op == ANN_OP_BCAST) return ann_shape_elems(ann_node_shape(g, anni_in(g, n, 0))) == 1 ? CUTTABLE : 0;
    if (op != ANN_OP_ASSIGN && !(anni_op_info(op)->flags & ANNI_ELEMENTWISE)) return 0;
    if (!(common & CUTTABLE)) return 0;
    if (any_cut(c, n)) return CUTTABLE | CUT;
    return op == ANN_OP_ASSIGN ? 0 : CUTTABLE;
}

static void mark_all(cutter *c) {
    for (int32_t id = 0; id < c->rw.count; id++) {
        const ann_node n = {id};
        if (!c->rw.live[id]) continue;
        c->mark[id] = mark_of(c, n);
        if (ann_node_op(c->rw.from, n) != ANN_OP_ASSIGN || !(c->mark[id] & CUT)) continue;
        const anni_range of = anni_leaf_range(c->rw.from, anni_in(c->rw.from, n, 0));
        c->ranges[c->n_ranges++] = (range){of, ANN_NODE_NONE};
        if (c->options->scattered)
            c->options->scattered(c->options->to, (ann_scatter){of.block, of.offset, of.elems});
    }
}

/* Nothing but sums and outer ends may use what is cut. */
static ann_status check_uses(const cutter *c) {
    const ann_graph *g = c->rw.from;
    for (int32_t id = 0; id < c->rw.count; id++) {
        const ann_node n = {id};
        if (c->rw.live[id] && !(c->mark[id] & (CUT | PARTIAL)) && any_cut(c, n))
            return ann_error(ANN_ERR_UNSUPPORTED, "zero: %s needs all of a vector that is shared out",
                             anni_op_info(ann_node_op(g, n))->name);
    }
    for (int i = 0; i < ann_graph_output_count(g); i++) {
        const char *name;
        if (c->mark[ann_graph_output(g, i, &name).id] & CUT)
            return ann_error(ANN_ERR_UNSUPPORTED, "zero: the output %s is a vector that is shared out", name);
    }
    return ANN_OK;
}

/* ---- parameters that are read whole ---- */

static ann_node gather_of(cutter *c, range *r) {
    if (ann_node_is(r->gather)) return r->gather;
    const ann_attrs leaf = {.block = {r->of.offset, r->of.elems, r->of.block}};
    ann_attrs gather = {.chunk = {.channel = 0, .elems = r->of.elems}};
    ann_chunk_of(r->of.elems, c->options->size, c->options->rank, &gather.chunk.begin, &gather.chunk.count);
    const ann_node block = anni_build(c->rw.to, ANN_OP_BLOCK, ANN_F32, NULL, &leaf, NULL, 0);
    r->gather = anni_build(c->rw.to, ANN_OP_GATHER_BLOCK, ANN_F32, NULL, &gather, &block, 1);
    return r->gather;
}

static ann_node load(cutter *c, ann_node leaf) {
    const ann_graph *g = c->rw.from;
    const anni_range read = anni_leaf_range(g, leaf);
    for (int i = 0; i < c->n_ranges; i++) {
        range *r = &c->ranges[i];
        if (!anni_ranges_overlap(&read, &r->of)) continue;
        const ann_attrs at = {.view = {read.offset - r->of.offset}};
        const ann_node gather = gather_of(c, r);
        anni_scope_set(c->rw.to, ann_node_scope(g, leaf));
        return anni_build(c->rw.to, ANN_OP_VIEW, ANN_F32, ann_node_shape(g, leaf), &at, &gather, 1);
    }
    return anni_rewrite_clone(&c->rw, leaf);
}

/* ---- building ---- */

static ann_node total_of(cutter *c, ann_node old) {
    ann_node *total = &c->total[old.id];
    if (!ann_node_is(*total)) *total = ann_allreduce(c->rw.to, c->rw.map[old.id], 0);
    return *total;
}

/* What stands for an input of a node that is not cut, nor partial itself. */
static ann_node whole(cutter *c, ann_node old) {
    return c->mark[old.id] & PARTIAL ? total_of(c, old) : c->rw.map[old.id];
}

static ann_node build_part(cutter *c, ann_node old) {
    const ann_graph *from = c->rw.from;
    const ann_op op = ann_node_op(from, old);
    ann_attrs attrs = *ann_node_attrs(from, old);
    const ann_node *in;
    const int n = ann_node_inputs(from, old, &in);
    int64_t begin, count;
    ann_chunk_of(ann_node_shape(from, old)->dim[0], c->options->size, c->options->rank, &begin, &count);
    anni_scope_set(c->rw.to, ann_node_scope(from, old));
    if (op == ANN_OP_ALLREDUCE)
        return ann_reduce_scatter(c->rw.to, c->rw.map[in[0].id], attrs.comm.channel, begin, count);
    if (op == ANN_OP_BLOCK) {
        attrs.block.offset += begin;
        attrs.block.elems = count;
    }
    for (int i = 0; i < n; i++)
        c->rw.in[i] =
            c->mark[in[i].id] & CUTTABLE && op != ANN_OP_BCAST ? c->part[in[i].id] : whole(c, in[i]);
    return anni_build(c->rw.to, op, ann_node_dtype(from, old), &ANN_SHAPE(count), &attrs, c->rw.in, n);
}

static ann_node build_partial(cutter *c, ann_node old) {
    const ann_node *in;
    const int n = ann_node_inputs(c->rw.from, old, &in);
    for (int i = 0; i < n; i++)
        c->rw.in[i] = c->mark[in[i].id] & CUT ? c->part[in[i].id] : c->rw.map[in[i].id];
    return anni_clone(c->rw.to, c->rw.from, old, c->rw.in);
}

static ann_node build_whole(cutter *c, ann_node old) {
    const ann_op op = ann_node_op(c->rw.from, old);
    if (op == ANN_OP_STORE || op == ANN_OP_BLOCK) return load(c, old);
    const ann_node *in;
    const int n = ann_node_inputs(c->rw.from, old, &in);
    for (int i = 0; i < n; i++) c->rw.in[i] = whole(c, in[i]);
    return anni_clone(c->rw.to, c->rw.from, old, c->rw.in);
}

/* An assign's target is named, not read. */
static ann_node build_assign(cutter *c, ann_node old) {
    const ann_node target = anni_in(c->rw.from, old, 0);
    c->rw.in[0] = anni_clone(c->rw.to, c->rw.from, target, NULL);
    c->rw.in[1] = whole(c, anni_in(c->rw.from, old, 1));
    return anni_clone(c->rw.to, c->rw.from, old, c->rw.in);
}

static void build(cutter *c) {
    for (int32_t id = 0; id < c->rw.count && ann_graph_status(c->rw.to) == ANN_OK; id++) {
        const ann_node old = {id};
        if (!c->rw.live[id]) continue;
        const uint8_t mark = c->mark[id];
        if (mark & CUTTABLE) c->part[id] = build_part(c, old);
        if (mark & PARTIAL) c->rw.map[id] = build_partial(c, old);
        else if (ann_node_op(c->rw.from, old) == ANN_OP_ASSIGN && !(mark & CUT))
            c->rw.map[id] = build_assign(c, old);
        else if (!(mark & CUT)) c->rw.map[id] = build_whole(c, old);
    }
}

static void copy_roots(cutter *c) {
    const ann_graph *from = c->rw.from;
    for (int i = 0; i < ann_graph_output_count(from); i++) {
        const char *name;
        const ann_node n = ann_graph_output(from, i, &name);
        ann_output(c->rw.to, name, whole(c, n));
    }
    for (int i = 0; i < ann_graph_effect_count(from); i++) {
        const ann_node n = ann_graph_effect(from, i);
        ann_effect(c->rw.to, c->mark[n.id] & CUT ? c->part[n.id] : c->rw.map[n.id]);
    }
}

static ann_status allocate(cutter *c) {
    const size_t count = (size_t)c->rw.count + 1;
    c->mark = calloc(count, sizeof *c->mark);
    c->part = calloc(count, sizeof *c->part);
    c->total = calloc(count, sizeof *c->total);
    c->ranges = calloc(count, sizeof *c->ranges);
    if (!c->mark || !c->part || !c->total || !c->ranges)
        return ann_error(ANN_ERR_MEMORY, "no memory to cut a graph");
    for (size_t i = 0; i < count; i++) c->part[i] = c->total[i] = ANN_NODE_NONE;
    return ANN_OK;
}

ann_status ann_pass_zero(ann_graph **out, const ann_graph *graph, const ann_zero_options *options) {
    cutter c = {.options = options};
    ANN_TRY(anni_rewrite_begin(&c.rw, graph));
    ann_status status = allocate(&c);
    if (status == ANN_OK) {
        mark_all(&c);
        status = check_uses(&c);
    }
    if (status == ANN_OK) {
        build(&c);
        copy_roots(&c);
    }
    free(c.mark);
    free(c.part);
    free(c.total);
    free(c.ranges);
    return anni_rewrite_end(&c.rw, out, status);
}
