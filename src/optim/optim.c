/* The path that all optimizers share: which parameters, their gradients as one flat vector, its sum over
 * ranks. */
#include "optim/rule.h"

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

/* The block "params": made for the first graph over a store, found by those that follow it. */
static ann_status params_block(ann_block *out, ann_store *store, const trained *t) {
    *out = anni_find_block(store, "params");
    if (out->id < 0) return ann_store_group(out, store, "params", t->tensors, t->tensor_count);
    for (int i = 0; i < t->tensor_count; i++) {
        const ann_tensor_info *info = ann_store_info(store, t->tensors[i]);
        if (info->block.id != out->id)
            return ann_error(ANN_ERR_ARG, "%s is not in the store's block of trained parameters", info->name);
    }
    return ANN_OK;
}

ann_node anni_moment(const anni_update *u, const char *prefix) {
    ann_store *store = ann_graph_store(u->graph);
    char name[64];
    const size_t used = strlen(prefix);
    memcpy(name, prefix, used);
    memcpy(name + used, "/params", sizeof "/params");
    ann_block block = anni_find_block(store, name);
    if (block.id < 0) {
        const ann_status status = ann_store_group_like(&block, store, prefix, u->block);
        if (status != ANN_OK) return ann_graph_fail(u->graph, status, "%s", ann_error_text());
    }
    return ann_load_block(u->graph, block);
}

/* This rank's flat gradient, with the sums that are kept of earlier micro-batches. */
static ann_node summed_parts(const anni_update *u, const ann_optim_part *part, const anni_gradient *of) {
    const ann_node flat = ann_pack(u->graph, of->grads, of->n, of->offsets, of->elems);
    return anni_fold_sums(u->graph, part, u->block, flat);
}

/* What the update is made from; where the sum is only kept, nothing. */
static ann_node reduce(const anni_update *u, const ann_optim_part *part, const anni_gradient *of) {
    if (u->optim->compress.method == ANN_COMPRESS_POWERSGD) return anni_powersgd(u, of);
    const ann_node flat = summed_parts(u, part, of);
    if (part->keep < 0) return part->local ? flat : anni_sum_over_ranks(u, flat);
    anni_keep_sum(u->graph, part, u->block, flat);
    return ANN_NODE_NONE;
}

/* The gradient of the loss: what reduce makes of it. */
static ann_node gradient_of(const anni_update *u, const ann_optim_part *part, ann_node loss,
                            const trained *t) {
    ann_graph *g = u->graph;
    const size_t loads = (size_t)t->load_count, tensors = (size_t)t->tensor_count;
    ann_node *of_load = calloc(loads, sizeof *of_load);
    ann_node *grads = calloc(tensors, sizeof *grads);
    int64_t *offsets = malloc(tensors * sizeof *offsets);
    ann_node flat = ANN_NODE_NONE;
    if (of_load && grads && offsets) {
        const ann_store *store = ann_graph_store(g);
        for (size_t i = 0; i < tensors; i++) {
            grads[i] = ANN_NODE_NONE;
            offsets[i] = ann_store_info(store, t->tensors[i])->offset_elems;
        }
        ann_grad(g, loss, t->loads, t->load_count, of_load);
        for (size_t i = 0; i < loads; i++) {
            ann_node *sum = &grads[t->of_load[i]];
            *sum = ann_node_is(*sum) ? ann_add(g, *sum, of_load[i]) : of_load[i];
        }
        const anni_gradient gradient = {t->tensor_count, t->tensors, grads, offsets,
                                        ann_store_block_elems(store, u->block)};
        flat = reduce(u, part, &gradient);
    } else {
        ann_graph_fail(g, ANN_ERR_MEMORY, "no memory for the list of gradients");
    }
    free(of_load);
    free(grads);
    free(offsets);
    return flat;
}

ann_node anni_scaled(ann_graph *g, ann_node x, const char *input) {
    if (!ann_node_is(x)) return x;
    return ann_mul(g, x, ann_cast(g, ann_input(g, input, ANN_F64, ANN_SCALAR), ann_node_dtype(g, x)));
}

static void build_update(anni_update *u, ann_node grad) {
    ann_graph *g = u->graph;
    u->param = ann_load_block(g, u->block);
    u->lr = ann_input(g, "lr", ANN_F64, ANN_SCALAR);
    u->step = ann_input(g, "step", ANN_F64, ANN_SCALAR);
    if (!ann_node_is(grad) || !ann_node_is(u->param)) return;
    if (u->optim->loss_scaled) grad = anni_scaled(g, grad, "loss_unscale");
    u->grad = anni_regularise(g, u->optim, u->param, grad);
    if (u->optim->kind == ANN_OPTIM_ADAM || u->optim->kind == ANN_OPTIM_ADAMW) anni_update_adam(u);
    else anni_update_sgd(u);
}

static void build_part(ann_graph *g, const ann_optim *optim, ann_node loss, const trained *t, ann_block block,
                       const ann_optim_part *part) {
    anni_update u = {.graph = g, .optim = optim, .block = block};
    if (optim->loss_scaled) loss = anni_scaled(g, loss, "loss_scale");
    const ann_node grad = gradient_of(&u, part, loss, t);
    if (part->keep < 0) build_update(&u, grad);
    anni_move(g, part);
}

void ann_optim_build_part(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt,
                          const ann_optim_part *part) {
    trained t;
    ann_block block;
    if (!ann_node_is(loss)) return;
    ann_scope_push(g, "optimizer");
    ann_status status = find_trained(&t, g, wrt);
    if (status == ANN_OK) status = params_block(&block, ann_graph_store(g), &t);
    if (status == ANN_OK) build_part(g, optim, loss, &t, block, part);
    else ann_graph_fail(g, status, "%s", ann_error_text());
    free_trained(&t);
    ann_scope_pop(g);
}

void ann_optim_build(ann_graph *g, const ann_optim *optim, ann_node loss, const char *wrt) {
    ann_optim_build_part(g, optim, loss, wrt, &(ann_optim_part){.keep = -1});
}
