/* Meetings of ranks that train apart: the outer step of local SGD and DiLoCo (optim/diloco.c). */
#include "train/internal.h"

#include <string.h>

ann_status anni_outer_declare(anni_outer *out, ann_store *store, const anni_phase *phase,
                              const ann_graph *inner) {
    *out = (anni_outer){NULL, NULL};
    if (phase->config->sync.every == 0) return ANN_OK;
    ANN_TRY(ann_graph_new(&out->graph, store));
    ann_optim_build_outer(out->graph, &phase->config->sync.outer, inner, phase->run->size);
    return ann_graph_status(out->graph);
}

ann_status anni_outer_lower(anni_outer *outer, const anni_phase *phase, size_t *shared_bytes) {
    size_t bytes;
    if (!outer->graph) return ANN_OK;
    ANN_TRY(anni_lower(&outer->graph, phase, NULL));
    ANN_TRY(ann_plan_shared_bytes(&bytes, outer->graph));
    if (bytes > *shared_bytes) *shared_bytes = bytes;
    return ANN_OK;
}

ann_status anni_outer_plan(anni_outer *outer, const anni_phase *phase, void *shared) {
    if (!outer->graph) return ANN_OK;
    ANN_TRY(anni_plan_new(&outer->plan, phase, outer->graph, (anni_use){.training = true, .shared = shared}));
    ann_graph_free(outer->graph);
    outer->graph = NULL;
    return ANN_OK;
}

void anni_outer_free(anni_outer *outer) {
    ann_graph_free(outer->graph);
    ann_plan_free(outer->plan);
    *outer = (anni_outer){NULL, NULL};
}

static ann_block find_block(const ann_store *store, const char *name) {
    for (int32_t i = 0; i < ann_store_block_count(store); i++)
        if (strcmp(ann_store_block_name(store, (ann_block){i}), name) == 0) return (ann_block){i};
    return (ann_block){-1};
}

void anni_outer_drop_anchor(ann_store *store) {
    static const char prefix[] = "anchor/";
    const size_t length = sizeof prefix - 1;
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block anchor = {i};
        const char *name = ann_store_block_name(store, anchor);
        if (strncmp(name, prefix, length) != 0) continue;
        const ann_block params = find_block(store, name + length);
        if (params.id < 0) continue;
        memcpy(ann_store_block_data(store, anchor), ann_store_block_data(store, params),
               (size_t)ann_store_block_elems(store, params) *
                   ann_dtype_bytes(ann_store_block_dtype(store, params)));
    }
}

ann_status anni_outer_fold(ann_comm *comm, ann_store *store) {
    return anni_fold(comm, store, "m/*,v/*,momentum/*");
}
