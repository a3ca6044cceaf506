/* fuse: elementwise nodes become loops.

   A *group* is a set of elementwise nodes of one shape that is run as one loop. It ends either in one value
   (its root) or in up to ANN_FUSED_MAX_STORE assigns of one range. A node joins a group if all its users are
   in it: then no path leads out of the group and back, and its value need not be in memory. Constants,
   broadcasts and conversions from integers that feed a group are not computed at all: they become ways of
   reading an input. */
#include "pass/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/fused.h"

typedef struct group {
    ann_shape shape;
    ann_dtype dtype;
    int32_t members[ANN_FUSED_MAX_CODE]; /* elementwise nodes, latest first */
    int n_members;
    int32_t assigns[ANN_FUSED_MAX_STORE];
    int n_assigns;
    int32_t emit_at; /* old id at which the loop is built: its root, or its last assign */
} group;

typedef struct fuser {
    anni_rewrite rw;
    int32_t *group_of; /* [count]: -1 none */
    uint8_t *bias_act; /* [count]: 1 is the add of a bias, 2 the activation behind it, 3 swallowed by that */
    uint8_t *output;   /* [count] */
    int32_t *user;     /* [count]: a user, if there is only one */
    group *groups;
    int n_groups;
} fuser;

/* ---- inputs of a loop ---- */

typedef struct loop_input {
    ann_node source; /* old node whose memory is read; for constants the fill */
    ann_access access;
    int64_t inner; /* what ROW and COL need; 0: any */
} loop_input;

/* How a broadcast from `from` to `to` reads: a scalar, a row, a column, or none of these. */
static bool classify_bcast(const ann_shape *from, const ann_shape *to, ann_access *access, int64_t *inner) {
    if (ann_shape_elems(from) == 1) {
        *access = ANN_ACCESS_SCALAR;
        *inner = 0;
        return true;
    }
    for (int row = 0; row < 2; row++)
        for (int cut = 1; cut < to->rank; cut++) {
            bool fits = true;
            int64_t tail = 1;
            for (int i = 0; i < to->rank; i++) {
                const bool kept = row ? i >= cut : i < cut;
                fits = fits && from->dim[i] == (kept ? to->dim[i] : 1);
                if (i >= cut) tail *= to->dim[i];
            }
            if (!fits) continue;
            *access = row ? ANN_ACCESS_ROW : ANN_ACCESS_COL;
            *inner = tail;
            return true;
        }
    return false;
}

/* The input that an operand of a group becomes; inner_fixed: the loop's inner extent if it is already
 * decided, else 0. */
static loop_input read_operand(const ann_graph *g, ann_node operand, ann_dtype dtype, int64_t inner_fixed) {
    loop_input in = {.source = operand, .access = ANN_ACCESS_FULL};
    const ann_op op = ann_node_op(g, operand);
    if (op == ANN_OP_FILL) in.access = ANN_ACCESS_SCALAR;
    if (op == ANN_OP_CAST && !ann_dtype_is_float(ann_node_dtype(g, anni_in(g, operand, 0))) &&
        ann_node_dtype(g, operand) == dtype)
        in.source = anni_in(g, operand, 0);
    if (op == ANN_OP_BCAST) {
        const ann_node source = anni_in(g, operand, 0);
        ann_access access;
        int64_t inner;
        if (classify_bcast(ann_node_shape(g, source), ann_node_shape(g, operand), &access, &inner) &&
            (!inner || !inner_fixed || inner == inner_fixed))
            in = (loop_input){source, access, inner};
    }
    return in;
}

typedef struct loop {
    loop_input in[ANN_FUSED_MAX_IN + 1];
    int n_in;
    int64_t inner;
    bool overflow;
} loop;

static int loop_add(loop *l, const ann_graph *g, ann_node operand, ann_dtype dtype) {
    const loop_input in = read_operand(g, operand, dtype, l->inner);
    if (in.inner) l->inner = in.inner;
    for (int i = 0; i < l->n_in; i++)
        if (l->in[i].source.id == in.source.id && l->in[i].access == in.access) return i;
    if (l->n_in >= ANN_FUSED_MAX_IN) {
        l->overflow = true;
        return -1;
    }
    l->in[l->n_in] = in;
    return l->n_in++;
}

/* All inputs of a group: what its members and assigns read from outside. */
static loop loop_of(const fuser *f, const group *gr, int32_t index) {
    const ann_graph *g = f->rw.from;
    loop l = {0};
    for (int m = gr->n_members - 1; m >= 0; m--) {
        const ann_node *in;
        const int n = ann_node_inputs(g, (ann_node){gr->members[m]}, &in);
        for (int i = 0; i < n; i++)
            if (f->group_of[in[i].id] != index) loop_add(&l, g, in[i], gr->dtype);
    }
    for (int a = 0; a < gr->n_assigns; a++) {
        const ann_node value = anni_in(g, (ann_node){gr->assigns[a]}, 1);
        loop_add(&l, g, anni_in(g, (ann_node){gr->assigns[a]}, 0), gr->dtype);
        if (f->group_of[value.id] != index) loop_add(&l, g, value, gr->dtype);
    }
    return l;
}

/* ---- forming groups ---- */

static bool fusable(const fuser *f, ann_node n) {
    const ann_graph *g = f->rw.from;
    return (anni_op_info(ann_node_op(g, n))->flags & ANNI_ELEMENTWISE) &&
           ann_dtype_is_float(ann_node_dtype(g, n)) && !f->bias_act[n.id];
}

static int32_t new_group(fuser *f, ann_node n) {
    group *gr = &f->groups[f->n_groups];
    *gr = (group){
        .shape = *ann_node_shape(f->rw.from, n), .dtype = ann_node_dtype(f->rw.from, n), .emit_at = n.id};
    return f->n_groups++;
}

static void group_assign(fuser *f, ann_node n) {
    const ann_graph *g = f->rw.from;
    const anni_range range = anni_leaf_range(g, anni_in(g, n, 0));
    for (int32_t i = f->n_groups - 1; i >= 0; i--) {
        group *gr = &f->groups[i];
        if (!gr->n_assigns || gr->n_assigns == ANN_FUSED_MAX_STORE || gr->dtype != ann_node_dtype(g, n) ||
            !ann_shape_equal(&gr->shape, ann_node_shape(g, n)))
            continue;
        const anni_range other = anni_leaf_range(g, anni_in(g, (ann_node){gr->assigns[0]}, 0));
        if (other.offset != range.offset || other.elems != range.elems || range.block.id < 0 ||
            other.block.id < 0)
            continue;
        gr->assigns[gr->n_assigns++] = n.id;
        f->group_of[n.id] = i;
        if (!loop_of(f, gr, i).overflow) return;
        gr->n_assigns--;
    }
    const int32_t i = new_group(f, n);
    f->groups[i].assigns[f->groups[i].n_assigns++] = n.id;
    f->group_of[n.id] = i;
}

static void group_elementwise(fuser *f, ann_node n) {
    const ann_graph *g = f->rw.from;
    int32_t joint = -2; /* the group of all users; -2 none seen yet, -1 none */
    if (f->output[n.id]) joint = -1;
    for (int32_t id = n.id + 1; id < f->rw.count && joint != -1; id++) {
        const ann_node *in;
        if (!f->rw.live[id]) continue;
        const int n_in = ann_node_inputs(g, (ann_node){id}, &in);
        for (int i = 0; i < n_in; i++)
            if (in[i].id == n.id) joint = joint == -2 || joint == f->group_of[id] ? f->group_of[id] : -1;
    }
    group *gr = joint >= 0 ? &f->groups[joint] : NULL;
    if (gr && gr->n_members < ANN_FUSED_MAX_CODE && gr->dtype == ann_node_dtype(g, n) &&
        ann_shape_equal(&gr->shape, ann_node_shape(g, n))) {
        gr->members[gr->n_members++] = n.id;
        f->group_of[n.id] = joint;
        if (!loop_of(f, gr, joint).overflow) return;
        gr->n_members--;
        f->group_of[n.id] = -1;
    }
    const int32_t i = new_group(f, n);
    f->groups[i].members[f->groups[i].n_members++] = n.id;
    f->group_of[n.id] = i;
}

/* ---- bias + activation ---- */

/* What biases are added to: contractions, and max pooling, which is taken before the bias. */
static bool takes_bias(const ann_graph *g, ann_node n) {
    const ann_op op = ann_node_op(g, n);
    return op == ANN_OP_MATMUL || op == ANN_OP_CONV || op == ANN_OP_MAX_POOL;
}

/* add(x, bcast(bias)): the bias, else none. */
static ann_node bias_of(const ann_graph *g, ann_node add, ann_node *x) {
    for (int i = 0; i < 2; i++) {
        const ann_node row = anni_in(g, add, i);
        *x = anni_in(g, add, 1 - i);
        if (ann_node_op(g, row) != ANN_OP_BCAST || !takes_bias(g, *x)) continue;
        const ann_node bias = anni_in(g, row, 0);
        const ann_shape *shape = ann_node_shape(g, add);
        const int64_t channels = shape->dim[shape->rank - 1];
        if (ann_shape_elems(ann_node_shape(g, bias)) == channels &&
            ann_node_shape(g, bias)->dim[shape->rank - 1] == channels)
            return bias;
    }
    return ANN_NODE_NONE;
}

static ann_act act_of(ann_op op) {
    return op == ANN_OP_RELU      ? ANN_ACT_RELU
           : op == ANN_OP_SIGMOID ? ANN_ACT_SIGMOID
           : op == ANN_OP_TANH    ? ANN_ACT_TANH
                                  : ANN_ACT_NONE;
}

static void find_bias_acts(fuser *f) {
    const ann_graph *g = f->rw.from;
    for (int32_t id = 0; id < f->rw.count; id++) {
        ann_node x;
        if (!f->rw.live[id] || ann_node_op(g, (ann_node){id}) != ANN_OP_ADD ||
            !ann_node_is(bias_of(g, (ann_node){id}, &x)))
            continue;
        f->bias_act[id] = 1;
        const int32_t user = f->user[id];
        if (user >= 0 && !f->output[id] && act_of(ann_node_op(g, (ann_node){user})) != ANN_ACT_NONE) {
            f->bias_act[id] = 3;
            f->bias_act[user] = 2;
        }
    }
}

/* ---- building ---- */

static ann_node build_bias_act(fuser *f, ann_node n) {
    const ann_graph *g = f->rw.from;
    const ann_node add = f->bias_act[n.id] == 2 ? anni_in(g, n, 0) : n;
    ann_node x;
    const ann_node bias = bias_of(g, add, &x);
    const ann_attrs attrs = {.bias_act = {act_of(ann_node_op(g, n))}};
    const ann_node in[2] = {f->rw.map[x.id], f->rw.map[bias.id]};
    anni_scope_set(f->rw.to, ann_node_scope(g, n));
    return anni_build(f->rw.to, ANN_OP_BIAS_ACT, ANN_F32, NULL, &attrs, in, 2);
}

static int16_t reg_of(const fuser *f, const group *gr, int32_t index, loop *l, ann_node operand) {
    if (f->group_of[operand.id] != index) return (int16_t)loop_add(l, f->rw.from, operand, gr->dtype);
    for (int m = 0; m < gr->n_members; m++)
        if (gr->members[m] == operand.id) return (int16_t)(l->n_in + gr->n_members - 1 - m);
    return -1;
}

static ann_node map_input(fuser *f, const loop_input *in, ann_dtype dtype) {
    double value;
    if (in->access == ANN_ACCESS_SCALAR && anni_fill_value(f->rw.from, in->source, &value))
        return ann_scalar(f->rw.to, dtype, value);
    return f->rw.map[in->source.id];
}

static ann_node build_group(fuser *f, int32_t index) {
    const ann_graph *g = f->rw.from;
    const group *gr = &f->groups[index];
    loop l = loop_of(f, gr, index);
    const int64_t elems = ann_shape_elems(&gr->shape);
    ann_fused program = {.dtype = gr->dtype,
                         .n_in = (int16_t)l.n_in,
                         .n_code = (int16_t)gr->n_members,
                         .has_value = !gr->n_assigns};
    program.inner = l.inner ? l.inner : elems;
    program.outer = program.inner ? elems / program.inner : 0;
    ann_node in[ANN_FUSED_MAX_IN];
    for (int i = 0; i < l.n_in; i++) {
        program.access[i] = l.in[i].access;
        in[i] = map_input(f, &l.in[i], gr->dtype);
    }
    for (int k = 0; k < gr->n_members; k++) {
        const ann_node member = {gr->members[gr->n_members - 1 - k]};
        int16_t reg[3] = {-1, -1, -1};
        const ann_node *operands;
        const int n = ann_node_inputs(g, member, &operands);
        for (int i = 0; i < n; i++) reg[i] = reg_of(f, gr, index, &l, operands[i]);
        program.code[k] = (ann_fused_instr){ann_node_op(g, member), reg[0], reg[1], reg[2]};
    }
    program.value = (int16_t)(l.n_in + gr->n_members - 1);
    for (int a = 0; a < gr->n_assigns; a++) {
        const ann_node assign = {gr->assigns[a]};
        program.store[a].in = (int16_t)loop_add(&l, g, anni_in(g, assign, 0), gr->dtype);
        program.store[a].reg = reg_of(f, gr, index, &l, anni_in(g, assign, 1));
    }
    program.n_store = (int16_t)gr->n_assigns;
    const ann_attrs attrs = {.fused = &program};
    anni_scope_set(f->rw.to, ann_node_scope(g, (ann_node){gr->emit_at}));
    return anni_build(f->rw.to, ANN_OP_FUSED, gr->dtype, program.has_value ? &gr->shape : &ANN_SHAPE(0),
                      &attrs, in, l.n_in);
}

static void build(fuser *f) {
    for (int32_t id = 0; id < f->rw.count && ann_graph_status(f->rw.to) == ANN_OK; id++) {
        if (!f->rw.live[id] || f->bias_act[id] == 3) continue;
        const int32_t index = f->group_of[id];
        if (f->bias_act[id]) f->rw.map[id] = build_bias_act(f, (ann_node){id});
        else if (index < 0) anni_rewrite_clone(&f->rw, (ann_node){id});
        else if (f->groups[index].emit_at == id) f->rw.map[id] = build_group(f, index);
    }
}

/* Each loop is one effect, however many assigns it holds. */
static void copy_roots(fuser *f) {
    const ann_graph *g = f->rw.from;
    for (int i = 0; i < ann_graph_output_count(g); i++) {
        const char *name;
        const ann_node n = ann_graph_output(g, i, &name);
        ann_output(f->rw.to, name, f->rw.map[n.id]);
    }
    for (int i = 0; i < ann_graph_effect_count(g); i++) {
        const ann_node n = ann_graph_effect(g, i);
        const int32_t index = f->group_of[n.id];
        if (index < 0 || f->groups[index].emit_at == n.id) ann_effect(f->rw.to, f->rw.map[n.id]);
    }
}

static void scan(fuser *f) {
    const ann_graph *g = f->rw.from;
    for (int32_t id = 0; id < f->rw.count; id++) {
        f->group_of[id] = -1;
        f->user[id] = -1;
    }
    for (int i = 0; i < ann_graph_output_count(g); i++) f->output[ann_graph_output(g, i, NULL).id] = 1;
    for (int32_t id = 0; id < f->rw.count; id++) {
        const ann_node *in;
        if (!f->rw.live[id]) continue;
        const int n = ann_node_inputs(g, (ann_node){id}, &in);
        for (int i = 0; i < n; i++) f->user[in[i].id] = f->rw.uses[in[i].id] == 1 ? id : -1;
    }
    find_bias_acts(f);
    for (int32_t id = f->rw.count - 1; id >= 0; id--) {
        const ann_node n = {id};
        if (!f->rw.live[id]) continue;
        if (ann_node_op(g, n) == ANN_OP_ASSIGN && ann_dtype_is_float(ann_node_dtype(g, n)))
            group_assign(f, n);
        else if (fusable(f, n)) group_elementwise(f, n);
    }
}

ann_status ann_pass_fuse(ann_graph **out, const ann_graph *graph) {
    fuser f = {0};
    ANN_TRY(anni_rewrite_begin(&f.rw, graph));
    const size_t count = (size_t)f.rw.count + 1;
    f.group_of = calloc(count, sizeof *f.group_of);
    f.user = malloc(count * sizeof *f.user);
    f.bias_act = calloc(count, 1);
    f.output = calloc(count, 1);
    f.groups = calloc(count, sizeof *f.groups);
    ann_status status = ANN_OK;
    if (f.group_of && f.user && f.bias_act && f.output && f.groups) {
        scan(&f);
        build(&f);
        copy_roots(&f);
    } else {
        status = ann_error(ANN_ERR_MEMORY, "no memory to fuse a graph");
    }
    free(f.group_of);
    free(f.user);
    free(f.bias_act);
    free(f.output);
    free(f.groups);
    return anni_rewrite_end(&f.rw, out, status);
}
