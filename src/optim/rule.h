/* What an update rule gets and gives: all vectors are flat, of the layout of a block of parameters. */
#ifndef ANN_OPTIM_RULE_H
#define ANN_OPTIM_RULE_H

#include "optim/optim.h"

typedef struct anni_update {
    ann_graph *graph;
    const ann_optim *optim;
    ann_block block;      /* the parameters */
    ann_node param, grad; /* [elems] */
    ann_node lr, step;    /* f64 scalars; step is 1 at the first update */
} anni_update;

/* This rank's gradients of the tensors of a block. */
typedef struct anni_gradient {
    int n;
    const ann_tensor *tensors; /* [n] */
    const ann_node *grads;     /* [n], of the tensors' shapes */
    const int64_t *offsets;    /* [n] in the block */
    int64_t elems;             /* of the block */
} anni_gradient;

/* The sum over ranks of a flat gradient v as u->optim->compress has it sent, for all methods but POWERSGD;
   writes of the residuals. Of u, graph, optim and block are used. */
ann_node anni_sum_over_ranks(const anni_update *u, ann_node v);
/* The same for POWERSGD, of gradients of matrices; flat. */
ann_node anni_powersgd(const anni_update *u, const anni_gradient *gradient);
/* x times a scalar input of the host. */
ann_node anni_scaled(ann_graph *g, ann_node x, const char *input);

/* The block of that name, or id -1. */
ann_block anni_find_block(const ann_store *store, const char *name);
/* Loads the block "prefix/BLOCK" of moments, made on first use. */
ann_node anni_moment(const anni_update *u, const char *prefix);
/* Assigns `value` to what `target` loaded, at the end of the step. */
static inline void anni_put(const anni_update *u, ann_node target, ann_node value) {
    ann_effect(u->graph, ann_assign(u->graph, target, value));
}
/* A f64 scalar of the graph in the parameters' dtype. */
static inline ann_node anni_scalar_of(const anni_update *u, ann_node scalar) {
    return ann_cast(u->graph, scalar, ann_node_dtype(u->graph, u->param));
}

/* ---- part.c ---- */

/* The flat gradient of this micro-batch with the kept sums that it folds in. */
ann_node anni_fold_sums(ann_graph *g, const ann_optim_part *part, ann_block block, ann_node grad);
/* Keeps it instead of an update. */
void anni_keep_sum(ann_graph *g, const ann_optim_part *part, ann_block block, ann_node sum);
/* The same of part->moving: kept, or moved. */
void anni_move(ann_graph *g, const ann_optim_part *part);

void anni_update_sgd(const anni_update *u);
void anni_update_adam(const anni_update *u);
/* Adds l1 and l2. */
ann_node anni_penalise(ann_graph *g, const ann_optim *optim, ann_node param, ann_node grad);
/* Clips the gradients of all groups; adds the output "grad_norm" if clip_norm is on. */
void anni_clip(ann_graph *g, const ann_optim *optim, ann_node *grads, int n);

#endif
