/* The order of a phase's training samples, from the run file, and its numbers in a checkpoint. */
#include "train/internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- strata and weights: from fields of the dataset ---- */

/* The key of phases[].sampling, or the phase itself. */
static const ann_yaml_node *node_of(const ann_phase_config *config, const char *key) {
    const ann_yaml_node *map = ann_yaml_find(config->node, "sampling");
    const ann_yaml_node *node = map ? ann_yaml_find(map, key) : NULL;
    return node ? node : config->node;
}

/* One number of each sample, from a field that has one. */
static ann_status read_numbers(double *numbers, const anni_phase *phase, const char *name) {
    const int64_t n = ann_dataset_samples(phase->train);
    const int field = ann_dataset_find(phase->train, name);
    const ann_field_info *info = field >= 0 ? ann_dataset_field(phase->train, field) : NULL;
    if (!info || ann_shape_elems(&info->shape) != 1)
        return ann_yaml_error(node_of(phase->config, "balance"),
                              "the training data have no field '%s' of one number a sample", name);
    for (int64_t i = 0; i < n; i++) {
        union {
            uint8_t u8;
            int32_t i32;
            float f32;
        } value = {0};
        ANN_TRY(ann_dataset_read(phase->train, field, &i, 1, &value));
        numbers[i] = info->dtype == ANN_U8    ? value.u8
                     : info->dtype == ANN_I32 ? value.i32
                                              : (double)value.f32;
    }
    return ANN_OK;
}

/* What an order borrows while it is made. */
typedef struct tables {
    double *numbers;
    int32_t *stratum;
    float *weights;
} tables;

static ann_status add_weights(ann_order_options *o, const tables *t, const anni_phase *phase) {
    ANN_TRY(read_numbers(t->numbers, phase, "weight"));
    for (int64_t i = 0; i < o->samples; i++) t->weights[i] = (float)t->numbers[i];
    o->kind = ANN_ORDER_WEIGHTED;
    o->weights = t->weights;
    return ANN_OK;
}

static ann_status add_strata(ann_order_options *o, const tables *t, const anni_phase *phase) {
    const ann_sampling_config *s = &phase->config->sampling;
    const bool classes = s->balance == ANN_BALANCE_CLASS;
    ANN_TRY(read_numbers(t->numbers, phase, classes ? "y" : "domain"));
    o->strata = classes ? ann_dataset_classes(phase->train) : 0;
    if (classes && ann_dataset_hides_labels(phase->train))
        return ann_yaml_error(
            node_of(phase->config, "balance"),
            "class needs the labels of all samples, and those of a source are hidden; accepted "
            "are none, source, weight");
    for (int64_t i = 0; i < o->samples; i++) {
        if (!(t->numbers[i] >= 0 && t->numbers[i] <= 1 << 20))
            return ann_yaml_error(node_of(phase->config, "balance"),
                                  "sample %lld of the training data is of %s %g", (long long)i,
                                  classes ? "class" : "source", t->numbers[i]);
        t->stratum[i] = (int32_t)t->numbers[i];
        if (t->stratum[i] >= o->strata) o->strata = t->stratum[i] + 1;
    }
    if (s->shares && s->share_count != o->strata)
        return ann_yaml_error(node_of(phase->config, "shares"), "%d shares for %d %s", s->share_count,
                              o->strata, classes ? "classes" : "sources");
    o->kind = ANN_ORDER_STRATIFIED;
    o->stratum = t->stratum;
    o->shares = s->shares;
    return ANN_OK;
}

static ann_status add_tables(ann_order_options *o, tables *t, const anni_phase *phase) {
    const ann_balance balance = phase->config->sampling.balance;
    if (balance == ANN_BALANCE_NONE) return ANN_OK;
    const size_t n = (size_t)o->samples;
    t->numbers = calloc(n, sizeof *t->numbers);
    t->stratum = calloc(n, sizeof *t->stratum);
    t->weights = calloc(n, sizeof *t->weights);
    if (!t->numbers || !t->stratum || !t->weights)
        return ann_error(ANN_ERR_MEMORY, "no memory for the order of the samples");
    return balance == ANN_BALANCE_WEIGHT ? add_weights(o, t, phase) : add_strata(o, t, phase);
}

/* What the data make impossible is a mistake in the run file. */
static ann_status as_sampling_error(const anni_phase *phase, ann_status status) {
    if (status != ANN_ERR_ARG) return status;
    char text[768];
    snprintf(text, sizeof text, "%s", ann_error_text());
    return ann_yaml_error(node_of(phase->config, "remainder"), "%s", text);
}

ann_status anni_sampling_new(ann_order **out, const anni_phase *phase) {
    const ann_sampling_config *s = &phase->config->sampling;
    ann_order_options o = {.kind = s->order,
                           .seed = phase->seed,
                           .samples = ann_dataset_samples(phase->train),
                           .batch = phase->config->batch,
                           .remainder = s->remainder,
                           .block = s->block,
                           .window = s->window,
                           .lanes = s->lanes};
    *out = NULL;
    tables t = {NULL, NULL, NULL};
    ann_status status = add_tables(&o, &t, phase);
    if (status == ANN_OK) status = as_sampling_error(phase, ann_order_new(out, &o));
    free(t.numbers);
    free(t.stratum);
    free(t.weights);
    return status;
}

/* ---- in checkpoints ---- */

/* The options of an order as numbers under names: what ann_order_new needs beside the dataset. */
typedef struct order_numbers {
    int64_t kind, seed, samples, batch, remainder, block, window, lanes;
} order_numbers;

static const char *const number_names[] = {"order_kind",      "order_seed",  "order_samples", "order_batch",
                                           "order_remainder", "order_block", "order_window",  "order_lanes"};
enum { NUMBERS = sizeof number_names / sizeof number_names[0] };

static int64_t *number_at(order_numbers *n, int i) {
    int64_t *const at[NUMBERS] = {&n->kind,      &n->seed,  &n->samples, &n->batch,
                                  &n->remainder, &n->block, &n->window,  &n->lanes};
    return at[i];
}

ann_status anni_sampling_save(ann_meta *meta, const anni_phase *phase) {
    const ann_order_options *o = ann_order_options_of(phase->order);
    order_numbers n = {(int64_t)o->kind,      (int64_t)o->seed, o->samples, o->batch,
                       (int64_t)o->remainder, o->block,         o->window,  o->lanes};
    for (int i = 0; i < NUMBERS; i++) ANN_TRY(ann_meta_set_i64(meta, number_names[i], *number_at(&n, i)));
    return ANN_OK;
}

ann_status anni_sampling_load(ann_order **out, const ann_meta *meta) {
    order_numbers n = {0};
    for (int i = 0; i < NUMBERS; i++) ANN_TRY(ann_meta_get_i64(meta, number_names[i], number_at(&n, i)));
    const ann_order_options options = {.kind = (ann_order_kind)n.kind,
                                       .seed = (uint64_t)n.seed,
                                       .samples = n.samples,
                                       .batch = n.batch,
                                       .remainder = (ann_remainder)n.remainder,
                                       .block = n.block,
                                       .window = n.window,
                                       .lanes = (int)n.lanes};
    return ann_order_new(out, &options);
}
