/* Steps of several micro-batches: sums that are kept between them, and running statistics that move once per
   step. */
#include "optim/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int trailing_ones(int index) {
    int n = 0;
    while (index >> n & 1) n++;
    return n;
}

ann_optim_part ann_optim_part_of(int index, int count) {
    if (index == count - 1) return (ann_optim_part){.fold = (uint32_t)index, .keep = -1};
    const int ones = trailing_ones(index);
    return (ann_optim_part){.fold = (1u << ones) - 1u, .keep = ones};
}

int ann_optim_part_kind(int index, int count) { return index == count - 1 ? 0 : 1 + trailing_ones(index); }

int ann_optim_part_kinds(int count) {
    int kinds = 1;
    while ((1 << (kinds - 1)) < count) kinds++; /* index 2^j - 1 is the first with j trailing ones */
    return kinds;
}

static ann_node load_sum(ann_graph *g, ann_block block, int j) {
    ann_store *store = ann_graph_store(g);
    char prefix[32], name[96];
    snprintf(prefix, sizeof prefix, "sum%d", j);
    snprintf(name, sizeof name, "%s/%s", prefix, ann_store_block_name(store, block));
    ann_block sum = anni_find_block(store, name);
    if (sum.id < 0) {
        const ann_status status = ann_store_scratch_like(&sum, store, prefix, block);
        if (status != ANN_OK) return ann_graph_fail(g, status, "%s", ann_error_text());
    }
    return ann_load_block(g, sum);
}

ann_node anni_fold_sums(ann_graph *g, const ann_optim_part *part, ann_block block, ann_node grad) {
    for (int j = 0; part->fold >> j; j++)
        if (part->fold >> j & 1) grad = ann_add(g, load_sum(g, block, j), grad);
    return grad;
}

void anni_keep_sum(ann_graph *g, const ann_optim_part *part, ann_block block, ann_node sum) {
    ann_effect(g, ann_assign(g, load_sum(g, block, part->keep), sum));
}

/* ---- running statistics ---- */

/* Sum number j of all that moves, packed: a tensor of its own. */
static ann_node load_moving_sum(ann_graph *g, ann_dtype dtype, int64_t elems, int j) {
    ann_tensor tensor;
    char name[32];
    snprintf(name, sizeof name, "sum%d/moving", j);
    const ann_status status = ann_store_declare(&tensor, ann_graph_store(g), name, dtype, &ANN_SHAPE(elems),
                                                ANN_ROLE_SCRATCH, (ann_init){.kind = ANN_INIT_ZERO});
    if (status != ANN_OK) return ann_graph_fail(g, status, "%s", ann_error_text());
    return ann_load(g, tensor);
}

static void move_one(ann_graph *g, const ann_optim_part *part, const ann_nn_moving *m, ann_node mean) {
    ann_node sum = ann_mul_const(g, mean, m->momentum * part->moving_scale);
    ann_effect(g,
               ann_assign(g, m->running, ann_add(g, ann_mul_const(g, m->running, 1.0 - m->momentum), sum)));
}

static void move_packed(ann_graph *g, const ann_optim_part *part, const ann_node *values,
                        const int64_t *offsets, int64_t elems) {
    const ann_dtype dtype = ann_node_dtype(g, values[0]);
    ann_node sum = ann_pack(g, values, part->moving_count, offsets, elems);
    for (int j = 0; part->fold >> j; j++)
        if (part->fold >> j & 1) sum = ann_add(g, load_moving_sum(g, dtype, elems, j), sum);
    if (part->keep >= 0) {
        ann_effect(g, ann_assign(g, load_moving_sum(g, dtype, elems, part->keep), sum));
        return;
    }
    sum = ann_allreduce(g, sum, 0);
    for (int i = 0; i < part->moving_count; i++) {
        const int64_t n = ann_shape_elems(ann_node_shape(g, part->moving[i].running));
        move_one(g, part, &part->moving[i], ann_slice(g, sum, &offsets[i], &(int64_t){offsets[i] + n}));
    }
}

void anni_move(ann_graph *g, const ann_optim_part *part) {
    const size_t n = (size_t)part->moving_count;
    ann_node *values = malloc(n * sizeof *values);
    int64_t *offsets = malloc(n * sizeof *offsets), end = 0;
    if (values && offsets && n > 0) {
        for (size_t i = 0; i < n; i++) {
            values[i] = ann_stop_grad(g, part->moving[i].batch);
            offsets[i] = end;
            end += (ann_shape_elems(ann_node_shape(g, values[i])) + 15) / 16 * 16; /* whole cache lines */
        }
        move_packed(g, part, values, offsets, end);
    } else if (n > 0) {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for running statistics");
    }
    free(values);
    free(offsets);
}
