/* What a phase amounts to, without running it. */
#include "train/phase.h"

static int64_t parameters_of(const ann_store *store) {
    int64_t elems = 0;
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->role == ANN_ROLE_PARAM) elems += ann_shape_elems(&info->shape);
    }
    return elems;
}

static ann_status count_parameters(int64_t *out, const anni_phase *phase) {
    ann_store *store;
    ann_graph *graph = NULL;
    ANN_TRY(ann_store_new(&store, phase->run->config->seed));
    const ann_status status = anni_eval_graph(&graph, store, phase, 0, 1);
    if (status == ANN_OK) *out = parameters_of(store);
    ann_graph_free(graph);
    ann_store_free(store);
    return status;
}

/* Steps of the stage, or of rank 0's part of an evaluation. */
static int64_t count_steps(const anni_phase *phase, int stage) {
    int64_t first = 0, end = 0, count;
    if (phase->config->kind == ANN_PHASE_EXPORT) return 0;
    if (phase->config->kind == ANN_PHASE_EVALUATE) {
        anni_evaluate_share(phase, &first, &count);
        return (count + ANNI_EVAL_BATCH - 1) / ANNI_EVAL_BATCH;
    }
    anni_stage_range(phase, stage, &first, &end);
    return ann_order_steps(phase->order, first, end);
}

ann_status ann_train_outline_of(ann_train_outline *out, const ann_run_config *config, int index, int stage,
                                int size) {
    const ann_train_options options = {0};
    anni_run run = {.config = config, .options = &options, .size = size};
    anni_phase phase;
    *out = (ann_train_outline){0};
    ann_status status = anni_phase_open(&phase, &run, index);
    if (status == ANN_OK) status = count_parameters(&out->parameters, &phase);
    if (status == ANN_OK) out->steps = count_steps(&phase, stage);
    anni_phase_close(&phase);
    return status;
}
