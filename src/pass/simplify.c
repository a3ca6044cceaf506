/* simplify: constants, identities, equal nodes, dead nodes. */
#include "pass/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "kernel/scalar.h"

/* ---- rules: the simpler node in `to`, or ANN_NODE_NONE to keep the op ---- */

/* A rule sees the new graph, the old node and its mapped inputs. */
typedef ann_node (*rule)(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in);

static ann_node fill_like(ann_graph *g, const ann_graph *from, ann_node old, double value) {
    const ann_dtype dtype = ann_node_dtype(from, old);
    return ann_fill(g, dtype, *ann_node_shape(from, old), dtype == ANN_F32 ? (double)(float)value : value);
}
static bool is_fill(const ann_graph *g, ann_node n, double value) {
    double v;
    return anni_fill_value(g, n, &v) && v == value;
}

static ann_node simplify_add(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    (void)from, (void)old;
    if (is_fill(g, in[0], 0)) return in[1];
    return is_fill(g, in[1], 0) ? in[0] : ANN_NODE_NONE;
}
static ann_node simplify_sub(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    (void)from, (void)old;
    if (is_fill(g, in[0], 0)) return ann_neg(g, in[1]);
    return is_fill(g, in[1], 0) ? in[0] : ANN_NODE_NONE;
}
static ann_node simplify_mul(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    for (int i = 0; i < 2; i++) {
        if (is_fill(g, in[i], 1)) return in[1 - i];
        if (is_fill(g, in[i], 0)) return fill_like(g, from, old, 0);
    }
    return ANN_NODE_NONE;
}
static ann_node simplify_div(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    (void)from, (void)old;
    return is_fill(g, in[1], 1) ? in[0] : ANN_NODE_NONE;
}
static ann_node simplify_neg(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    (void)from, (void)old;
    return ann_node_op(g, in[0]) == ANN_OP_NEG ? anni_in(g, in[0], 0) : ANN_NODE_NONE;
}
static ann_node simplify_stop_grad(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    (void)g, (void)from, (void)old;
    return in[0];
}
static ann_node simplify_cast(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    double value;
    if (ann_node_dtype(g, in[0]) == ann_node_dtype(from, old)) return in[0];
    return ann_dtype_is_float(ann_node_dtype(from, old)) && anni_fill_value(g, in[0], &value)
               ? fill_like(g, from, old, value)
               : ANN_NODE_NONE;
}
/* reshape, bcast, slice: a constant stays one; the same shape is the same tensor (a slice of equal shape is
 * whole). */
static ann_node simplify_view(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    double value;
    if (ann_shape_equal(ann_node_shape(g, in[0]), ann_node_shape(from, old))) return in[0];
    if (anni_fill_value(g, in[0], &value)) return fill_like(g, from, old, value);
    if (ann_node_op(from, old) == ANN_OP_RESHAPE && ann_node_op(g, in[0]) == ANN_OP_RESHAPE)
        return ann_reshape(g, anni_in(g, in[0], 0), *ann_node_shape(from, old));
    return ANN_NODE_NONE;
}
static ann_node simplify_same_shape(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    return ann_shape_equal(ann_node_shape(g, in[0]), ann_node_shape(from, old)) ? in[0] : ANN_NODE_NONE;
}
static ann_node simplify_permute(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    const int32_t *outer = ann_node_attrs(from, old)->permute.perm;
    const int rank = ann_node_shape(from, old)->rank;
    bool identity = true;
    for (int i = 0; i < rank; i++) identity = identity && outer[i] == i;
    if (identity) return in[0];
    if (ann_node_op(g, in[0]) != ANN_OP_PERMUTE) return ANN_NODE_NONE;
    int32_t both[ANN_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) both[i] = ann_node_attrs(g, in[0])->permute.perm[outer[i]];
    return ann_permute(g, anni_in(g, in[0], 0), both);
}
static ann_node simplify_reduce_sum(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    double value;
    if (ann_shape_equal(ann_node_shape(g, in[0]), ann_node_shape(from, old))) return in[0];
    if (!anni_fill_value(g, in[0], &value)) return ANN_NODE_NONE;
    const int64_t out = ann_shape_elems(ann_node_shape(from, old));
    return out ? fill_like(g, from, old, value * (double)(ann_shape_elems(ann_node_shape(g, in[0])) / out))
               : ANN_NODE_NONE;
}

/* If `n` swaps the last two axes of its input, that input. */
static ann_node transposed(const ann_graph *g, ann_node n) {
    if (ann_node_op(g, n) != ANN_OP_PERMUTE) return ANN_NODE_NONE;
    const int rank = ann_node_shape(g, n)->rank;
    const int32_t *perm = ann_node_attrs(g, n)->permute.perm;
    for (int i = 0; i < rank - 2; i++)
        if (perm[i] != i) return ANN_NODE_NONE;
    return perm[rank - 1] == rank - 2 ? anni_in(g, n, 0) : ANN_NODE_NONE;
}
static ann_node simplify_matmul(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in) {
    const ann_attrs *attrs = ann_node_attrs(from, old);
    const ann_node a = transposed(g, in[0]), b = transposed(g, in[1]);
    if (!ann_node_is(a) && !ann_node_is(b)) return ANN_NODE_NONE;
    return ann_matmul(g, ann_node_is(a) ? a : in[0], ann_node_is(b) ? b : in[1],
                      attrs->matmul.trans_a != ann_node_is(a), attrs->matmul.trans_b != ann_node_is(b));
}

static const rule rules[ANN_OP_COUNT] = {
    [ANN_OP_ADD] = simplify_add,         [ANN_OP_SUB] = simplify_sub,
    [ANN_OP_MUL] = simplify_mul,         [ANN_OP_DIV] = simplify_div,
    [ANN_OP_NEG] = simplify_neg,         [ANN_OP_STOP_GRAD] = simplify_stop_grad,
    [ANN_OP_CAST] = simplify_cast,       [ANN_OP_RESHAPE] = simplify_view,
    [ANN_OP_BCAST] = simplify_view,      [ANN_OP_SLICE] = simplify_view,
    [ANN_OP_PAD] = simplify_same_shape,  [ANN_OP_CONCAT] = simplify_same_shape,
    [ANN_OP_PERMUTE] = simplify_permute, [ANN_OP_REDUCE_SUM] = simplify_reduce_sum,
    [ANN_OP_MATMUL] = simplify_matmul,
};

static ann_node fold(ann_graph *g, const ann_graph *from, ann_node old, const ann_node *in, int n) {
    const anni_scalar_fn f = anni_scalar(ann_node_op(from, old));
    double v[3] = {0};
    if (!f || !ann_dtype_is_float(ann_node_dtype(from, old))) return ANN_NODE_NONE;
    for (int i = 0; i < n; i++)
        if (!anni_fill_value(g, in[i], &v[i])) return ANN_NODE_NONE;
    return fill_like(g, from, old, f(v[0], v[1], v[2]));
}

/* ---- equal nodes ---- */

typedef struct table {
    int32_t *slot; /* node id + 1, 0 empty; open addressing */
    uint32_t mask;
} table;

static uint64_t node_hash(const ann_graph *g, ann_node n) {
    const ann_node *in;
    const int n_in = ann_node_inputs(g, n, &in);
    const ann_op op = ann_node_op(g, n);
    const ann_dtype dtype = ann_node_dtype(g, n);
    const ann_shape *shape = ann_node_shape(g, n);
    uint64_t h = ann_hash(&op, sizeof op, (uint64_t)dtype);
    h = ann_hash(shape->dim, (size_t)shape->rank * sizeof shape->dim[0], h);
    h = ann_hash(ann_node_attrs(g, n), anni_op_info(op)->attr_bytes, h);
    return ann_hash(in, (size_t)n_in * sizeof *in, h);
}
static bool node_equal(const ann_graph *g, ann_node a, ann_node b) {
    const ann_node *ia, *ib;
    const int na = ann_node_inputs(g, a, &ia), nb = ann_node_inputs(g, b, &ib);
    const ann_op op = ann_node_op(g, a);
    return op == ann_node_op(g, b) && na == nb && ann_node_dtype(g, a) == ann_node_dtype(g, b) &&
           ann_shape_equal(ann_node_shape(g, a), ann_node_shape(g, b)) &&
           memcmp(ann_node_attrs(g, a), ann_node_attrs(g, b), anni_op_info(op)->attr_bytes) == 0 &&
           memcmp(ia, ib, (size_t)na * sizeof *ia) == 0;
}

/* The first node equal to n, which may be n itself. */
static ann_node unique(table *t, const ann_graph *g, ann_node n) {
    if (!ann_node_is(n) || (anni_op_info(ann_node_op(g, n))->flags & ANNI_UNIQUE)) return n;
    for (uint32_t i = (uint32_t)node_hash(g, n) & t->mask;; i = (i + 1) & t->mask) {
        if (!t->slot[i]) {
            t->slot[i] = n.id + 1;
            return n;
        }
        const ann_node other = {t->slot[i] - 1};
        if (node_equal(g, other, n)) return other;
    }
}

/* ---- the pass ---- */

static void visit(anni_rewrite *rw, table *t, ann_node old) {
    const int n = anni_rewrite_inputs(rw, old);
    const rule simplify = rules[ann_node_op(rw->from, old)];
    anni_scope_set(rw->to, ann_node_scope(rw->from, old));
    ann_node made = fold(rw->to, rw->from, old, rw->in, n);
    if (!ann_node_is(made) && simplify) made = simplify(rw->to, rw->from, old, rw->in);
    if (!ann_node_is(made)) made = anni_clone(rw->to, rw->from, old, rw->in);
    rw->map[old.id] = unique(t, rw->to, made);
}

ann_status ann_pass_simplify(ann_graph **out, const ann_graph *graph) {
    anni_rewrite rw;
    ANN_TRY(anni_rewrite_begin(&rw, graph));
    table t = {.mask = 1023};
    while ((int32_t)t.mask < 8 * rw.count) t.mask = 2 * t.mask + 1;
    t.slot = calloc((size_t)t.mask + 1, sizeof *t.slot);
    if (!t.slot)
        return anni_rewrite_end(&rw, out, ann_error(ANN_ERR_MEMORY, "no memory to simplify a graph"));
    for (int32_t id = 0; id < rw.count && ann_graph_status(rw.to) == ANN_OK; id++)
        if (rw.live[id]) visit(&rw, &t, (ann_node){id});
    anni_copy_roots(rw.to, graph, rw.map);
    free(t.slot);
    return anni_rewrite_end(&rw, out, ANN_OK);
}
