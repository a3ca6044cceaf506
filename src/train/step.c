/* Graphs and plans of one stage, and what goes in and out of one run of them. */
#include "train/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pass/pass.h"
#include "train/nonfinite.h"

/* A model that does not fit its data is a mistake in the run file. */
static ann_status as_config_error(const anni_phase *phase, ann_status status) {
    if (status == ANN_OK || status == ANN_ERR_MEMORY || status == ANN_ERR_INTERNAL) return status;
    char text[768];
    snprintf(text, sizeof text, "%s", ann_error_text());
    return ann_error(ANN_ERR_CONFIG, "%s: phase %s: %s", phase->run->config->path, phase->config->name, text);
}

ann_status anni_graph_check(ann_graph **graph, const anni_phase *phase) {
    const ann_status status = as_config_error(phase, ann_graph_status(*graph));
    if (status == ANN_OK) return ANN_OK;
    ann_graph_free(*graph);
    *graph = NULL;
    return status;
}

/* Two for each batch norm. */
static int moving_room(const ann_phase_config *config) {
    int room = 0;
    for (int i = 0; i < config->model_count; i++)
        for (int j = 0; j < config->model[i]->layer_count; j++)
            room += 2 * (config->model[i]->layers[j].kind == ANN_LAYER_BATCH_NORM);
    return room;
}

/* The groups of parameters: those of the stage; of a method with several kinds of steps, which train
   different ones, the blocks of the run file. groups, patterns: [ANN_MODEL_MAX_BLOCKS] scratch. */
static void set_groups(ann_optim_part *part, ann_optim_group *groups, char (*patterns)[ANNI_NAME_BYTES],
                       const anni_phase *phase, const ann_stage_config *stage) {
    const ann_run_config *run = phase->run->config;
    part->groups = stage->groups;
    part->group_count = stage->group_count;
    part->counts = anni_method_steps(phase->config) > 1;
    if (!part->counts) return;
    part->groups = groups;
    part->group_count = run->block_count < ANN_MODEL_MAX_BLOCKS ? run->block_count : ANN_MODEL_MAX_BLOCKS;
    for (int i = 0; i < part->group_count; i++) {
        snprintf(patterns[i], sizeof patterns[i], "%s/*", run->blocks[i].name);
        groups[i] = (ann_optim_group){run->blocks[i].name, patterns[i], 1};
    }
}

ann_status anni_train_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                            anni_extent extent) {
    char trained[ANNI_PATTERN_BYTES], ever[ANNI_PATTERN_BYTES],
        patterns[ANN_MODEL_MAX_BLOCKS][ANNI_NAME_BYTES];
    ann_optim_group groups[ANN_MODEL_MAX_BLOCKS];
    anni_method_trains(trained, sizeof trained, phase->config, stage, extent.step);
    /* What one kind of step trains, others normalise alike: by the batch. */
    anni_method_trains(ever, sizeof ever, phase->config, stage, ANNI_ALL_STEPS);
    anni_moving moving = {.room = moving_room(phase->config)};
    const bool invariant = phase->config->reduction.order == ANN_REDUCTION_INVARIANT;
    ann_optim_part part = ann_optim_part_of(extent.index, extent.count);
    ANN_TRY(ann_graph_new(out, store));
    moving.items = invariant ? malloc((size_t)(moving.room + 1) * sizeof *moving.items) : NULL;
    if (invariant && !moving.items) ann_graph_fail(*out, ANN_ERR_MEMORY, "no memory for running statistics");
    const ann_node loss = anni_model_build(*out, phase, ever, true, extent, &moving);
    set_groups(&part, groups, patterns, phase, &phase->config->program[stage]);
    part.local = phase->config->sync.every > 0;
    part.moving = moving.items;
    part.moving_count = moving.count;
    part.moving_scale = 1.0 / phase->config->reduction.shards;
    ann_optim optim = phase->config->optimizer;
    optim.loss_scaled = phase->config->nonfinite_policy == ANN_NONFINITE_RESCALE;
    if (trained[0]) ann_optim_build_part(*out, &optim, loss, trained, &part);
    free(moving.items);
    return anni_graph_check(out, phase);
}

ann_status anni_eval_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                           int64_t batch) {
    const anni_extent extent = {.local = batch, .global = batch, .count = 1, .stage = stage};
    ANN_TRY(ann_graph_new(out, store));
    anni_model_build(*out, phase, NULL, false, extent, NULL);
    return anni_graph_check(out, phase);
}

/* ---- plans ---- */

/* Updates come after the last reduction, where there is one or a step may fail by its gradient, so that a
   failed step changes nothing. */
ann_status anni_lower(ann_graph **graph, const anni_phase *phase, anni_scattered *scattered) {
    const anni_run *run = phase->run;
    const int64_t bucket_bytes = run->config->comm_bucket_bytes;
    const bool zero = run->config->comm_zero;
    const bool invariant = phase->config->reduction.order == ANN_REDUCTION_INVARIANT;
    const ann_pass_options passes = {
        .join_bytes = zero || invariant ? 0 : bucket_bytes,
        .slice_bytes = zero ? 0 : bucket_bytes,
        .bucket = {bucket_bytes, bucket_bytes},
        .eager_updates = run->size == 1 && !anni_nonfinite_is_handled(phase),
        .fuse = true,
        .zero = {run->rank, scattered && zero ? run->size : 1, anni_scattered_add, scattered}};
    ann_graph *lowered;
    ANN_TRY(ann_pass_standard(&lowered, *graph, &passes));
    ann_graph_free(*graph);
    *graph = lowered;
    return ANN_OK;
}

ann_status anni_plan_new(ann_plan **out, const anni_phase *phase, const ann_graph *lowered, anni_use use) {
    const anni_run *run = phase->run;
    const ann_reduction_config *reduction = &phase->config->reduction;
    const bool invariant = use.training && reduction->order == ANN_REDUCTION_INVARIANT;
    const bool talks = use.training && !use.alone && run->size > 1;
    const ann_plan_options options = {.threads = invariant ? reduction->threads : run->threads,
                                      .policy = ANN_KERNEL_FAST,
                                      .check_finite = use.training && anni_nonfinite_is_handled(phase),
                                      .channels = talks ? ann_comm_channel_ops(run->comm) : NULL,
                                      .shared = use.shared,
                                      .trace = use.trace};
    return ann_plan_new(out, lowered, &options);
}

static size_t field_bytes(const ann_dataset *dataset, int field) {
    const ann_field_info *info = ann_dataset_field(dataset, field);
    return (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
}

/* The passes drop inputs that nothing reads. */
static ann_status bind(anni_step *step, const char *input, const void *data) {
    return ann_plan_has_input(step->plan, input) ? ann_plan_bind(step->plan, input, data) : ANN_OK;
}

/* x is standardized by channel: (x + shift) * scale. */
static ann_status bind_moments(anni_step *step, const anni_phase *phase) {
    const ann_field_info *x = ann_dataset_field(phase->train, step->x_field);
    if (!ann_plan_has_input(step->plan, "x_shift")) return ANN_OK;
    void *moments = NULL;
    step->moments_bytes = ann_align_up((size_t)x->channels * sizeof(float), ANN_ALIGN_BYTES);
    ANN_TRY(ann_mem_alloc(&moments, 2 * step->moments_bytes));
    step->moments = moments;
    float *shift = step->moments, *scale = shift + step->moments_bytes / sizeof(float);
    for (int c = 0; c < x->channels; c++) {
        shift[c] = (float)-x->mean[c];
        scale[c] = (float)(1.0 / x->std[c]);
    }
    ANN_TRY(bind(step, "x_shift", shift));
    return bind(step, "x_scale", scale);
}

/* Room for a batch's rows of the method's table, of which the graph has as many as its input. */
static ann_status make_table_rows(anni_step *step, const ann_graph *lowered) {
    if (!ann_plan_has_input(step->plan, "table")) return ANN_OK;
    for (int32_t id = 0; id < ann_graph_count(lowered); id++) {
        const ann_node node = {id};
        if (ann_node_op(lowered, node) != ANN_OP_INPUT ||
            strcmp(ann_node_attrs(lowered, node)->input.name, "table") != 0)
            continue;
        step->table_bytes = (size_t)ann_node_shape(lowered, node)->dim[0] * sizeof(float);
    }
    void *rows = NULL;
    ANN_TRY(ann_mem_alloc(&rows, step->table_bytes));
    step->table_rows = rows;
    step->table = anni_table_of(ann_graph_store(lowered));
    return ANN_OK;
}

ann_status anni_step_new(anni_step *out, const anni_phase *phase, const ann_graph *lowered, anni_use use) {
    *out = (anni_step){.x_field = ann_dataset_find(phase->train, "x"), .y_field = -1, .domain_field = -1};
    if (anni_model_uses_y(phase->config)) out->y_field = ann_dataset_find(phase->train, "y");
    if (phase->config->method.kind != ANN_METHOD_NONE)
        out->domain_field = ann_dataset_find(phase->train, "domain");
    out->stand_in_bytes = field_bytes(phase->train, out->x_field) + sizeof(int64_t);
    if (out->y_field >= 0) out->stand_in_bytes += field_bytes(phase->train, out->y_field);
    ann_status status = ann_mem_alloc(&out->stand_in, out->stand_in_bytes);
    if (status == ANN_OK) status = anni_plan_new(&out->plan, phase, lowered, use);
    if (status == ANN_OK) status = bind_moments(out, phase);
    if (status == ANN_OK) status = make_table_rows(out, lowered);
    if (status != ANN_OK) {
        anni_step_free(out);
        return status;
    }
    out->loss_sum = ann_plan_output(out->plan, "loss_sum");
    out->correct = ann_plan_output(out->plan, "correct");
    out->labelled = ann_plan_output(out->plan, "labelled");
    return ANN_OK;
}

void anni_step_free(anni_step *step) {
    ann_plan_free(step->plan);
    ann_mem_free(step->stand_in, step->stand_in_bytes);
    ann_mem_free(step->moments, 2 * step->moments_bytes);
    ann_mem_free(step->table_rows, step->table_bytes);
    *step = (anni_step){0};
}

ann_status anni_step_bind(anni_step *step, const anni_rows *rows) {
    const void *none = step->stand_in;
    ANN_TRY(bind(step, "x", rows ? rows->x : none));
    ANN_TRY(bind(step, "x2", rows ? rows->x2 : none));
    if (step->y_field >= 0) ANN_TRY(bind(step, "y", rows ? rows->y : none));
    ANN_TRY(bind(step, "y2", rows ? rows->y2 : none));
    ANN_TRY(bind(step, "mix", rows ? rows->mix : none));
    ANN_TRY(bind(step, "domain", rows ? rows->domain : none));
    ANN_TRY(bind(step, "table", rows ? rows->table : none));
    return bind(step, "ids", rows ? rows->ids : none);
}

const anni_rows *anni_step_rows(anni_rows *out, const anni_step *step, const ann_batch *batch) {
    if (batch->count == 0) return NULL;
    *out = (anni_rows){.x = batch->fields[step->x_field],
                       .x2 = batch->x2,
                       .domain = step->domain_field >= 0 ? batch->fields[step->domain_field] : NULL,
                       .y = step->y_field >= 0 ? batch->fields[step->y_field] : NULL,
                       .y2 = batch->y2,
                       .mix = batch->mix,
                       .ids = batch->positions,
                       .table = step->table_rows};
    for (int64_t i = 0; step->table && i < batch->count; i++)
        step->table_rows[i] = step->table[batch->samples[i]];
    return out;
}

/* ---- metrics ---- */

void anni_step_add(anni_sums *sums, const anni_step *step, int64_t count) {
    if (count == 0) return;
    sums->loss += (double)*step->loss_sum;
    sums->count += (double)count;
    sums->correct += step->correct ? (double)*step->correct : NAN;
    sums->labelled += step->labelled ? (double)*step->labelled : (double)count;
}

ann_status anni_sums_mean(ann_comm *comm, anni_metrics *out, const anni_sums *sums) {
    anni_sums all = *sums;
    ANN_TRY(ann_comm_allreduce(comm, &all, 4, ANN_F64));
    *out = (anni_metrics){all.loss / all.count, all.correct / all.labelled};
    return ANN_OK;
}
