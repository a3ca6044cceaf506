/* Steps apart: every rank trains on its own for a while, and an outer step brings the ranks together again.
   Local SGD: Stich, ICLR 2019; DiLoCo: Douillard et al. 2023. With p_r the parameters of rank r and a, the
   anchor, what they were after the last outer step:

       d = a - mean(p_r)      v = momentum v + d      a = a - lr (d + momentum v)      p_r = a

   With lr 1 and momentum 0, p_r = mean(p_r), and there is no anchor. */
#include "optim/rule.h"

#include <stdlib.h>
#include <string.h>

bool ann_optim_outer_has_anchor(const ann_optim_outer *outer) {
    return outer->lr != 1 || outer->momentum != 0; /* NOLINT: exactly the default */
}

/* ---- packed means ---- */

typedef struct packed {
    ann_node *loads; /* of the store */
    int64_t *offsets;
    int count;
    int64_t elems;
} packed;

static ann_node mean_of(ann_graph *g, const packed *p, int ranks) {
    return ann_mul_const(g, ann_allreduce(g, ann_pack(g, p->loads, p->count, p->offsets, p->elems), 0),
                         1.0 / ranks);
}

/* The block of all parameters, or that of a group. */
static bool holds_params(const char *block) {
    return strcmp(block, "params") == 0 || strncmp(block, "params.", sizeof "params." - 1) == 0;
}

static void list_params(packed *p, ann_graph *g, ann_block block) {
    const ann_store *store = ann_graph_store(g);
    p->elems = ann_store_block_elems(store, block);
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->block.id != block.id) continue;
        int at = p->count++;
        for (; at > 0 && p->offsets[at - 1] > info->offset_elems; at--) {
            p->offsets[at] = p->offsets[at - 1];
            p->loads[at] = p->loads[at - 1];
        }
        p->offsets[at] = info->offset_elems;
        p->loads[at] = ann_load(g, (ann_tensor){i});
    }
}

/* ---- running statistics: what the inner step assigns ---- */

static void list_running(packed *p, ann_graph *g, const ann_graph *inner) {
    for (int i = 0; i < ann_graph_effect_count(inner); i++) {
        const ann_node *in;
        const ann_node assign = ann_graph_effect(inner, i);
        if (ann_node_inputs(inner, assign, &in) < 1 || ann_node_op(inner, in[0]) != ANN_OP_STORE) continue;
        const ann_tensor tensor = ann_node_attrs(inner, in[0])->store.tensor;
        const ann_tensor_info *info = ann_store_info(ann_graph_store(g), tensor);
        if (info->role != ANN_ROLE_STATE) continue;
        p->loads[p->count] = ann_load(g, tensor);
        p->offsets[p->count++] = p->elems;
        p->elems += (ann_shape_elems(&info->shape) + 15) / 16 * 16;
    }
}

static void average_running(ann_graph *g, const packed *p, int ranks) {
    if (p->count == 0) return;
    const ann_node mean = mean_of(g, p, ranks);
    for (int i = 0; i < p->count; i++) {
        const ann_shape *shape = ann_node_shape(g, p->loads[i]);
        const int64_t lo = p->offsets[i], hi = lo + ann_shape_elems(shape);
        const ann_node part = ann_reshape(g, ann_slice(g, mean, &lo, &hi), *shape);
        ann_effect(g, ann_assign(g, p->loads[i], part));
    }
}

/* ---- the outer step ---- */

static void move_params(ann_graph *g, const ann_optim_outer *outer, ann_block block, ann_node mean) {
    const anni_update u = {.graph = g, .block = block, .param = ann_load_block(g, block)};
    if (!ann_optim_outer_has_anchor(outer)) {
        anni_put(&u, u.param, mean);
        return;
    }
    const ann_node anchor = anni_moment(&u, "anchor"), delta = ann_sub(g, anchor, mean);
    ann_node direction = delta;
    if (outer->momentum != 0) {
        const ann_node old = anni_moment(&u, "outer");
        const ann_node velocity = ann_add(g, ann_mul_const(g, old, outer->momentum), delta);
        anni_put(&u, old, velocity);
        direction = ann_add(g, delta, ann_mul_const(g, velocity, outer->momentum));
    }
    const ann_node moved = ann_sub(g, anchor, ann_mul_const(g, direction, outer->lr));
    anni_put(&u, anchor, moved);
    anni_put(&u, u.param, moved);
}

/* Of every group of parameters; how many there are. p: scratch. */
static int move_groups(ann_graph *g, const ann_optim_outer *outer, packed *p, int ranks) {
    const ann_store *store = ann_graph_store(g);
    int groups = 0;
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block block = {i};
        if (!holds_params(ann_store_block_name(store, block))) continue;
        p->count = 0;
        list_params(p, g, block);
        move_params(g, outer, block, mean_of(g, p, ranks));
        groups++;
    }
    return groups;
}

void ann_optim_build_outer(ann_graph *g, const ann_optim_outer *outer, const ann_graph *inner, int ranks) {
    const size_t room = (size_t)ann_store_count(ann_graph_store(g)) + 1;
    packed p = {.loads = malloc(room * sizeof *p.loads), .offsets = malloc(room * sizeof *p.offsets)};
    ann_scope_push(g, "outer");
    if (!p.loads || !p.offsets) {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for the outer step");
    } else if (move_groups(g, outer, &p, ranks) == 0) {
        ann_graph_fail(g, ANN_ERR_NOT_FOUND, "no trained parameters in the store");
    } else {
        p.count = 0;
        p.elems = 0;
        list_running(&p, g, inner);
        average_running(g, &p, ranks);
    }
    ann_scope_pop(g);
    free(p.loads);
    free(p.offsets);
}
