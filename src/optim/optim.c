/* The path that all optimizers share: which parameters, their gradients as one flat vector, its sum over
 * ranks. */
#include "optim/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The trained tensors in reverse order of use, and the nodes that load them (a shared one is loaded often).
 */
typedef struct trained {
    ann_tensor *tensors;
    int tensor_count;
    ann_node *loads;
    int *of_load; /* index in `tensors` of each load */
    int load_count;
} trained;

static void free_trained(trained *t) {
    free(t->tensors);
    free(t->loads);
    free(t->of_load);
}

static int index_of(const trained *t, ann_tensor tensor) {
    for (int i = 0; i < t->tensor_count; i++)
        if (t->tensors[i].id == tensor.id) return i;
    return -1;
}

static bool is_trained(const ann_graph *g, ann_node node, const char *wrt) {
    if (ann_node_op(g, node) != ANN_OP_STORE) return false;
    const ann_tensor_info *info = ann_store_info(ann_graph_store(g), ann_node_attrs(g, node)->store.tensor);
    return info->role == ANN_ROLE_PARAM && ann_name_matches(wrt, info->name);
}

/* Loads are numbered in the order in which layers make them, just before they use them. */
static ann_status find_trained(trained *t, const ann_graph *g, const char *wrt) {
    const int32_t count = ann_graph_count(g);
    *t = (trained){0};
    t->tensors = malloc((size_t)count * sizeof *t->tensors);
    t->loads = malloc((size_t)count * sizeof *t->loads);
    t->of_load = malloc((size_t)count * sizeof *t->of_load);
    if (!t->tensors || !t->loads || !t->of_load)
        return ann_error(ANN_ERR_MEMORY, "no memory for the list of trained parameters");
    for (int32_t id = 0; id < count; id++)
        if (is_trained(g, (ann_node){id}, wrt)) t->loads[t->load_count++] = (ann_node){id};
    if (t->load_count == 0)
        return ann_error(ANN_ERR_NOT_FOUND, "no parameter of the model matches \"%s\"", wrt);
    int first_use = 0;
    for (int i = 0; i < t->load_count; i++) {
        const ann_tensor tensor = ann_node_attrs(g, t->loads[i])->store.tensor;
        if (index_of(t, tensor) < 0) t->tensors[first_use++] = tensor;
        t->tensor_count = first_use;
    }
    for (int i = 0; i < first_use / 2; i++) {
        const ann_tensor swap = t->tensors[i];
        t->tensors[i] = t->tensors[first_use - 1 - i];
        t->tensors[first_use - 1 - i] = swap;
    }
    for (int i = 0; i < t->load_count; i++)
        t->of_load[i] = index_of(t, ann_node_attrs(g, t->loads[i])->store.tensor);
    return ANN_OK;
}

ann_block anni_find_block(const ann_store *store, const char *name) {
    for (int32_t i = 0; i < ann_store_block_count(store); i++)
        if (strcmp(ann_store_block_name(store, (ann_block){i}), name) == 0) return (ann_block){i};
    return (ann_block){-1};
}

/* ---- groups ---- */

typedef struct group {
    const ann_optim_group *config;
    ann_tensor *tensors; /* [n] in reverse order of use, */
    ann_node *grads;     /* and their gradients */
    int64_t *offsets;    /* and places in the block */
    int n;
    anni_update update;
} group;

static void free_groups(group *groups, int count) {
    for (int i = 0; groups && i < count; i++) {
        free(groups[i].tensors);
        free(groups[i].grads);
        free(groups[i].offsets);
    }
    free(groups);
}

static ann_status add_to_group(group *groups, int count, const ann_store *store, ann_tensor tensor) {
    const char *name = ann_store_info(store, tensor)->name;
    for (int i = 0; i < count; i++) {
        if (!ann_name_matches(groups[i].config->match, name)) continue;
        groups[i].tensors[groups[i].n++] = tensor;
        return ANN_OK;
    }
    return ann_error(ANN_ERR_NOT_FOUND, "%s is in no group of parameters", name);
}

static ann_status make_groups(group **out, int *count, const ann_store *store, const trained *t,
                              const ann_optim_part *part) {
    static const ann_optim_group all = {"", "*", 1};
    const size_t room = (size_t)t->tensor_count;
    *count = part->group_count > 0 ? part->group_count : 1;
    group *groups = *out = calloc((size_t)*count, sizeof *groups);
    if (!groups) return ann_error(ANN_ERR_MEMORY, "no memory for groups of parameters");
    for (int i = 0; i < *count; i++) {
        groups[i] = (group){.config = part->group_count > 0 ? &part->groups[i] : &all,
                            .tensors = malloc(room * sizeof(ann_tensor)),
                            .grads = malloc(room * sizeof(ann_node)),
                            .offsets = malloc(room * sizeof(int64_t))};
        if (!groups[i].tensors || !groups[i].grads || !groups[i].offsets)
            return ann_error(ANN_ERR_MEMORY, "no memory for groups of parameters");
    }
    for (int i = 0; i < t->tensor_count; i++) ANN_TRY(add_to_group(groups, *count, store, t->tensors[i]));
    return ANN_OK;
}

/* Whether all of the block, which an earlier graph made, is trained here. */
static ann_status check_whole(const group *of, const ann_store *store, ann_block block) {
    int32_t in_block = 0;
    for (int32_t i = 0; i < ann_store_count(store); i++)
        in_block += ann_store_info(store, (ann_tensor){i})->block.id == block.id;
    for (int i = 0; i < of->n; i++) {
        const ann_tensor_info *info = ann_store_info(store, of->tensors[i]);
        if (info->block.id != block.id)
            return ann_error(ANN_ERR_ARG, "%s is not in the store's block of trained parameters", info->name);
    }
    if (in_block == of->n) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "%d of the %d tensors of %s are trained, accepted is all of them", of->n,
                     (int)in_block, ann_store_block_name(store, block));
}

/* The group's block: made for the first graph over a store, found by those that follow it. */
static ann_status place_group(group *of, ann_store *store) {
    char name[64];
    const char *suffix = of->config->name;
    if (snprintf(name, sizeof name, "params%s%s", suffix[0] ? "." : "", suffix) >= (int)sizeof name)
        return ann_error(ANN_ERR_ARG, "group %.32s... has too long a name", suffix);
    ann_block *block = &of->update.block;
    *block = anni_find_block(store, name);
    if (block->id < 0) ANN_TRY(ann_store_group(block, store, name, of->tensors, of->n));
    else ANN_TRY(check_whole(of, store, *block));
    for (int i = 0; i < of->n; i++) of->offsets[i] = ann_store_info(store, of->tensors[i])->offset_elems;
    return ANN_OK;
}

ann_node anni_moment(const anni_update *u, const char *prefix) {
    ann_store *store = ann_graph_store(u->graph);
    char name[96];
    (void)snprintf(name, sizeof name, "%s/%s", prefix, ann_store_block_name(store, u->block));
    ann_block block = anni_find_block(store, name);
    if (block.id < 0) {
        const ann_status status = ann_store_group_like(&block, store, prefix, u->block);
        if (status != ANN_OK) return ann_graph_fail(u->graph, status, "%s", ann_error_text());
    }
    return ann_load_block(u->graph, block);
}

/* ---- gradients ---- */

/* This rank's flat gradient, with the sums that are kept of earlier micro-batches. */
static ann_node summed_parts(const anni_update *u, const ann_optim_part *part, const anni_gradient *of) {
    const ann_node flat = ann_pack(u->graph, of->grads, of->n, of->offsets, of->elems);
    return anni_fold_sums(u->graph, part, u->block, flat);
}

/* What the update is made from; where the sum is only kept, nothing. */
static ann_node reduce(const group *of, const ann_optim_part *part) {
    const anni_update *u = &of->update;
    const anni_gradient gradient = {of->n, of->tensors, of->grads, of->offsets,
                                    ann_store_block_elems(ann_graph_store(u->graph), u->block)};
    if (u->optim->compress.method == ANN_COMPRESS_POWERSGD) return anni_powersgd(u, &gradient);
    const ann_node flat = summed_parts(u, part, &gradient);
    if (part->keep < 0) return part->local ? flat : anni_sum_over_ranks(u, flat);
    anni_keep_sum(u->graph, part, u->block, flat);
    return ANN_NODE_NONE;
}

/* The gradient of each tensor, the sum over the nodes that load it; of_load: [load_count] scratch. */
static void gradients_of(ann_graph *g, ann_node loss, const trained *t, ann_node *of_load, group *groups,
                         int count) {
    ann_grad(g, loss, t->loads, t->load_count, of_load);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < groups[i].n; k++) {
            ann_node *sum = &groups[i].grads[k];
            *sum = ANN_NODE_NONE;
            for (int l = 0; l < t->load_count; l++)
                if (t->tensors[t->of_load[l]].id == groups[i].tensors[k].id)
                    *sum = ann_node_is(*sum) ? ann_add(g, *sum, of_load[l]) : of_load[l];
        }
}

ann_node anni_scaled(ann_graph *g, ann_node x, const char *input) {
    if (!ann_node_is(x)) return x;
    return ann_mul(g, x, ann_cast(g, ann_input(g, input, ANN_F64, ANN_SCALAR), ann_node_dtype(g, x)));
}

/* ---- updates ---- */

/* The number of this update of the block, from the block's own count. */
static ann_node count_update(const anni_update *u) {
    ann_graph *g = u->graph;
    ann_store *store = ann_graph_store(g);
    ann_tensor tensor;
    char name[96];
    (void)snprintf(name, sizeof name, "count/%s", ann_store_block_name(store, u->block));
    const ann_status status = ann_store_declare(&tensor, store, name, ANN_F64, &ANN_SHAPE(1), ANN_ROLE_MOMENT,
                                                (ann_init){.kind = ANN_INIT_ZERO});
    if (status != ANN_OK) return ann_graph_fail(g, status, "%s", ann_error_text());
    const ann_node before = ann_load(g, tensor), now = ann_add_const(g, before, 1);
    ann_effect(g, ann_assign(g, before, now));
    return ann_reshape(g, now, ANN_SCALAR);
}

/* The host's scalars. */
typedef struct scalars {
    ann_node lr, step, unscale; /* the last is NONE where the loss is not scaled */
} scalars;

static scalars scalars_of(ann_graph *g, const ann_optim *optim, const ann_optim_part *part) {
    const ann_node none = ANN_NODE_NONE;
    return (scalars){ann_input(g, "lr", ANN_F64, ANN_SCALAR),
                     part->counts ? none : ann_input(g, "step", ANN_F64, ANN_SCALAR),
                     optim->loss_scaled ? ann_input(g, "loss_unscale", ANN_F64, ANN_SCALAR) : none};
}

static void begin_update(anni_update *u, const scalars *host, double lr_factor, ann_node grad) {
    ann_graph *g = u->graph;
    u->param = ann_load_block(g, u->block);
    u->lr = host->lr;
    u->step = ann_node_is(host->step) ? host->step : count_update(u);
    if (lr_factor < 1 || lr_factor > 1) u->lr = ann_mul_const(g, u->lr, lr_factor);
    if (!ann_node_is(grad) || !ann_node_is(u->param)) return;
    if (ann_node_is(host->unscale)) grad = ann_mul(g, grad, anni_scalar_of(u, host->unscale));
    u->grad = anni_penalise(g, u->optim, u->param, grad);
}

static void end_update(const anni_update *u) {
    if (u->optim->kind == ANN_OPTIM_ADAM || u->optim->kind == ANN_OPTIM_ADAMW) anni_update_adam(u);
    else anni_update_sgd(u);
}

/* grads: [count] scratch. */
static void update_groups(ann_graph *g, const ann_optim *optim, const ann_optim_part *part, group *groups,
                          int count, ann_node *grads) {
    int n = 0;
    scalars host = {ANN_NODE_NONE, ANN_NODE_NONE, ANN_NODE_NONE};
    if (part->keep < 0) host = scalars_of(g, optim, part);
    for (int i = 0; i < count; i++) {
        anni_update *u = &groups[i].update;
        if (groups[i].n == 0) continue;
        const ann_node grad = reduce(&groups[i], part);
        if (part->keep >= 0) continue;
        begin_update(u, &host, groups[i].config->lr_factor, grad);
        if (!ann_node_is(u->grad)) return; /* the graph has failed */
        grads[n++] = u->grad;
    }
    if (n > 0) anni_clip(g, optim, grads, n);
    for (int i = 0, k = 0; i < count && k < n; i++) {
        if (groups[i].n == 0) continue;
        groups[i].update.grad = grads[k++];
        end_update(&groups[i].update);
    }
}

static ann_status build_part(ann_graph *g, const ann_optim *optim, ann_node loss, const trained *t,
                             const ann_optim_part *part) {
    group *groups = NULL;
    int count = 0;
    ann_status status = make_groups(&groups, &count, ann_graph_store(g), t, part);
    for (int i = 0; i < count && status == ANN_OK; i++) {
        groups[i].update = (anni_update){.graph = g, .optim = optim, .grad = ANN_NODE_NONE};
        if (groups[i].n > 0) status = place_group(&groups[i], ann_graph_store(g));
    }
    ann_node *scratch = calloc((size_t)t->load_count + (size_t)count, sizeof *scratch);
    if (!scratch) status = ann_error(ANN_ERR_MEMORY, "no memory for the list of gradients");
    if (status == ANN_OK && scratch) {
        if (optim->loss_scaled) loss = anni_scaled(g, loss, "loss_scale");
        gradients_of(g, loss, t, scratch, groups, count);
        update_groups(g, optim, part, groups, count, scratch + t->load_count);
        anni_move(g, part);
    }
    free(scratch);
    free_groups(groups, count);
    return status;
}

void ann_optim_build_part(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt,
                          const ann_optim_part *part) {
    trained t;
    if (!ann_node_is(loss)) return;
    ann_scope_push(g, "optimizer");
    ann_status status = find_trained(&t, g, wrt);
    if (status == ANN_OK) status = build_part(g, optim, loss, &t, part);
    if (status != ANN_OK) ann_graph_fail(g, status, "%s", ann_error_text());
    free_trained(&t);
    ann_scope_pop(g);
}

void ann_optim_build(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt) {
    ann_optim_build_part(g, optim, loss, wrt, &(ann_optim_part){.keep = -1});
}
