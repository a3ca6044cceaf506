/* A step of one size on this rank: one micro-batch after the other (phases[].accumulate, or the shards of an
   invariant reduction), of which the last one reduces and updates. The batch that the loader hands over is
   cut into consecutive rows. */
#include "train/internal.h"

#include <string.h>
#include "base/hash.h"
#include "base/mem.h"

int anni_micro_count(const anni_phase *phase) {
    const ann_phase_config *p = phase->config;
    if (p->reduction.order != ANN_REDUCTION_INVARIANT) return p->accumulate;
    return p->reduction.shards > phase->run->size ? p->reduction.shards / phase->run->size : 1;
}

static ann_status check_ranks(const anni_phase *phase) {
    const ann_phase_config *p = phase->config;
    const ann_yaml_node *reduction = ann_yaml_find(p->node, "reduction");
    const ann_yaml_node *shards = ann_yaml_find(reduction, "shards");
    if (p->reduction.shards % phase->run->size == 0) return ANN_OK; /* then size is a power of two, too */
    return ann_yaml_error(shards ? shards : reduction,
                          "%d shards for %d ranks, accepted is a number of ranks that divides them",
                          p->reduction.shards, phase->run->size);
}

ann_status anni_micro_check(const anni_phase *phase, int64_t n) {
    const ann_phase_config *p = phase->config;
    const bool invariant = p->reduction.order == ANN_REDUCTION_INVARIANT;
    if (phase->run->config->comm_zero && (invariant || p->accumulate > 1 || p->sync.every > 0))
        return ann_yaml_error(p->node, "comm.zero is for steps of one batch: accepted is without accumulate, "
                                       "an invariant reduction and sync.every");
    if (!invariant && p->accumulate == 1) return ANN_OK;
    if (invariant) ANN_TRY(check_ranks(phase));
    const int count = anni_micro_count(phase);
    if (n % ((int64_t)phase->run->size * count) == 0) return ANN_OK;
    return ann_yaml_error(
        ann_yaml_find(p->node, invariant ? "reduction" : "accumulate"),
        "a batch of %lld samples is not cut evenly into %d micro-batches of each of %d ranks%s", (long long)n,
        count, phase->run->size,
        n < p->batch ? "; it is the last one of an epoch or stage: sampling.remainder: drop "
                       "leaves it out, and so does a length in steps"
                     : "");
}

/* ---- graphs ---- */

/* The first micro-batch of a kind. */
static int first_of_kind(int kind, int count) { return kind == 0 ? count - 1 : (1 << (kind - 1)) - 1; }

ann_status anni_micro_declare(anni_micro *out, ann_store *store, const anni_phase *phase, int stage,
                              int64_t n, int step) {
    int64_t first, share;
    ann_data_shard(&first, &share, 0, n, phase->run->rank, phase->run->size);
    *out = (anni_micro){.count = anni_micro_count(phase)};
    out->kinds = ann_optim_part_kinds(out->count);
    out->rows = share / out->count;
    if (share > 0) out->scale = 1.0 / (double)(phase->config->sync.every > 0 ? share : n);
    for (int k = 0; k < out->kinds; k++) {
        const anni_extent extent = {.local = out->rows > 0 ? out->rows : 1,
                                    .global = n,
                                    .index = first_of_kind(k, out->count),
                                    .count = out->count,
                                    .first = first,
                                    .step = step,
                                    .stage = stage};
        ANN_TRY(anni_train_graph(&out->graphs[k], store, phase, stage, extent));
    }
    return ANN_OK;
}

ann_status anni_micro_lower(anni_micro *micro, const anni_phase *phase, size_t *shared_bytes) {
    for (int k = 0; k < micro->kinds; k++) {
        size_t bytes;
        ANN_TRY(anni_lower(&micro->graphs[k], phase, micro->scattered));
        ANN_TRY(ann_plan_shared_bytes(&bytes, micro->graphs[k]));
        if (bytes > *shared_bytes) *shared_bytes = bytes;
        const uint64_t hash = ann_graph_comm_hash(micro->graphs[k]);
        micro->comm_hash = ann_hash(&hash, sizeof hash, micro->comm_hash);
    }
    return ANN_OK;
}

/* ---- plans ---- */

static ann_status bind_scalars(const anni_step *step, const anni_scalars *scalars, const double *scale) {
    const struct {
        const char *input;
        const double *data;
    } inputs[] = {{"lr", &scalars->lr},
                  {"step", &scalars->step},
                  {"batch_scale", scale},
                  {"loss_scale", &scalars->loss_scale},
                  {"loss_unscale", &scalars->loss_unscale},
                  {"progress", &scalars->progress},
                  {"cosine", &scalars->cosine}};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (ann_plan_has_input(step->plan, inputs[i].input))
            ANN_TRY(ann_plan_bind(step->plan, inputs[i].input, inputs[i].data));
    return ANN_OK;
}

enum { COPY_X, COPY_Y, COPY_Y2, COPY_MIX, COPY_IDS, COPIES };

static size_t row_bytes(const anni_phase *phase, int field) {
    const ann_field_info *info = ann_dataset_field(phase->train, field);
    return (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
}

/* Room for the rows of one micro-batch. */
static ann_status make_copies(anni_micro *micro, const anni_phase *phase) {
    const anni_step *step = &micro->steps[0];
    const size_t widths[COPIES] = {[COPY_X] = row_bytes(phase, step->x_field),
                                   [COPY_Y] = step->y_field >= 0 ? row_bytes(phase, step->y_field) : 0,
                                   [COPY_Y2] = sizeof(int32_t),
                                   [COPY_MIX] = sizeof(float),
                                   [COPY_IDS] = sizeof(int64_t)};
    for (int i = 0; i < COPIES && micro->count > 1; i++) {
        micro->copy_bytes[i] = widths[i] * (size_t)micro->rows;
        ANN_TRY(ann_mem_alloc(&micro->copies[i], micro->copy_bytes[i]));
    }
    return ANN_OK;
}

static bool has_reduction(const ann_graph *g) {
    for (int32_t id = 0; id < ann_graph_count(g); id++)
        if (ann_node_op(g, (ann_node){id}) == ANN_OP_ALLREDUCE) return true;
    return false;
}

ann_status anni_micro_plan(anni_micro *micro, const anni_phase *phase, const anni_scalars *scalars,
                           anni_use use) {
    for (int k = 0; k < micro->kinds; k++) {
        anni_step *step = &micro->steps[k];
        anni_use own = use;
        if (phase->config->sync.every > 0 || (k > 0 && !has_reduction(micro->graphs[k]))) own.alone = true;
        ANN_TRY(anni_step_new(step, phase, micro->graphs[k], own));
        ANN_TRY(bind_scalars(step, scalars, &micro->scale));
        ANN_TRY(anni_step_bind(step, NULL));
        ann_graph_free(micro->graphs[k]);
        micro->graphs[k] = NULL;
    }
    return make_copies(micro, phase);
}

void anni_micro_free(anni_micro *micro) {
    for (int k = 0; k < ANNI_KINDS; k++) {
        ann_graph_free(micro->graphs[k]);
        anni_step_free(&micro->steps[k]);
    }
    for (int i = 0; i < COPIES; i++) ann_mem_free(micro->copies[i], micro->copy_bytes[i]);
    *micro = (anni_micro){0};
}

/* ---- running ---- */

/* Rows of micro-batch `index`: where they lie, if a plan may read them there. */
static const void *rows_of(const anni_micro *micro, const void *all, int copy, int index) {
    const size_t bytes = micro->copy_bytes[copy];
    if (!all) return NULL;
    const char *rows = (const char *)all + (size_t)index * bytes;
    if ((uintptr_t)rows % ANN_ALIGN_BYTES == 0) return rows;
    memcpy(micro->copies[copy], rows, bytes);
    return micro->copies[copy];
}

static ann_status bind(anni_micro *micro, anni_step *step, const ann_batch *batch, int index) {
    anni_rows all;
    const anni_rows *rows = anni_step_rows(&all, step, batch);
    if (rows && micro->count > 1)
        all = (anni_rows){.x = rows_of(micro, all.x, COPY_X, index),
                          .y = rows_of(micro, all.y, COPY_Y, index),
                          .y2 = rows_of(micro, all.y2, COPY_Y2, index),
                          .mix = rows_of(micro, all.mix, COPY_MIX, index),
                          .ids = rows_of(micro, all.ids, COPY_IDS, index)};
    return anni_step_bind(step, rows);
}

ann_status anni_micro_run(anni_micro *micro, const ann_batch *batch, ann_status pending, anni_sums *sums) {
    ann_status status = pending;
    for (int i = 0; i < micro->count; i++) {
        anni_step *step = &micro->steps[ann_optim_part_kind(i, micro->count)];
        if (pending == ANN_OK) pending = bind(micro, step, batch, i);
        status = ann_plan_run(step->plan, pending);
        if (status == ANN_ERR_TIMEOUT || status == ANN_ERR_COMM) return status;
        if (status == ANN_OK) anni_step_add(sums, step, micro->rows);
        else if (pending == ANN_OK) pending = status;
    }
    return status;
}
