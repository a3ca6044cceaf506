/* The order of a phase's training samples, from the run file, and back from a checkpoint. */
#include "train/internal.h"

#include <stdio.h>

ann_status anni_sampling_new(ann_order **out, const anni_phase *phase) {
    const ann_order_options options = {.kind = ANN_ORDER_SHUFFLED,
                                       .seed = phase->seed,
                                       .samples = ann_dataset_samples(phase->train),
                                       .batch = phase->config->batch};
    return ann_order_new(out, &options);
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

static ann_status load_order(ann_order **out, const ann_meta *meta) {
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

/* ---- the ledger of a checkpoint ---- */

void anni_ledger_line(char *line, size_t size, const ann_order *order, int64_t position) {
    const int64_t length = ann_order_length(order), left_out = ann_order_samples(order) - length;
    const int64_t epochs = position / length, rest = position % length;
    char next[64] = "", out[64] = "";
    if (!ann_order_exact(order)) {
        snprintf(line, size, "ledger ok: %lld draws, each used exactly once", (long long)position);
        return;
    }
    if (rest > 0) snprintf(next, sizeof next, " and %lld of the next", (long long)rest);
    if (left_out > 0) snprintf(out, sizeof out, "; %lld of each epoch left out", (long long)left_out);
    snprintf(line, size, "ledger ok: %lld samples x %lld epochs%s each used exactly once%s",
             (long long)length, (long long)epochs, next, out);
}

static ann_status check_ledger(const ann_meta *meta, const ann_order *order, char *line, size_t size) {
    int64_t sum, count, position;
    ANN_TRY(ann_meta_get_i64(meta, "position", &position));
    ANN_TRY(ann_meta_get_i64(meta, "ledger_sum", &sum));
    ANN_TRY(ann_meta_get_i64(meta, "ledger_count", &count));
    if (position < 0) return ann_error(ANN_ERR_CORRUPT, "ledger: position %lld", (long long)position);
    const ann_ledger want = ann_ledger_expected(order, 0, position);
    if (want.sum != (uint64_t)sum || want.count != (uint64_t)count)
        return ann_error(ANN_ERR_CORRUPT,
                         "ledger: %lld samples, sum %016llx; position %lld needs %llu, sum %016llx",
                         (long long)count, (unsigned long long)sum, (long long)position,
                         (unsigned long long)want.count, (unsigned long long)want.sum);
    anni_ledger_line(line, size, order, position);
    return ANN_OK;
}

ann_status ann_train_check_ledger(const ann_ckpt *ckpt, char *line, size_t size) {
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    int64_t kind;
    ann_order *order;
    if (ann_meta_get_i64(meta, "order_kind", &kind) != ANN_OK) {
        snprintf(line, size, "ledger not checked: the checkpoint has none");
        return ANN_OK;
    }
    ANN_TRY(load_order(&order, meta));
    const ann_status status = check_ledger(meta, order, line, size);
    ann_order_free(order);
    return status;
}
