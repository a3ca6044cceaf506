/* The ledger of a checkpoint, recomputed: what `annulus ckpt verify` says of it. */
#include "train/phase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- orders by tables of the dataset ---- */

/* The run file as it was, its overrides ("# --set KEY=VALUE" lines) among it. */
static ann_status parse_kept(ann_run_config **out, const char *text) {
    static const char mark[] = "# --set ";
    int count = 0, size = 0;
    char *copy = strdup(text);
    for (const char *p = text; (p = strstr(p, mark)); p += sizeof mark - 1) size++;
    const char **sets = calloc((size_t)size + 1, sizeof *sets);
    ann_status status = copy && sets ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to read a run file");
    for (char *next = copy, *line; status == ANN_OK && (line = strsep(&next, "\n"));)
        if (strncmp(line, mark, sizeof mark - 1) == 0) sets[count++] = line + sizeof mark - 1;
    if (status == ANN_OK) status = ann_run_config_parse(out, "the checkpoint's run file", text, sets, count);
    free(sets);
    free(copy);
    return status;
}

static ann_status not_checked(char *line, size_t size, const char *why) {
    snprintf(line, size, "ledger not checked: %s", why);
    return ANN_OK;
}

/* The phase, with its data. */
static ann_status check_with_data(const ann_meta *meta, const ann_run_config *config, char *line,
                                  size_t size) {
    const ann_train_options options = {0};
    anni_run run = {.config = config, .options = &options, .size = 1};
    anni_phase phase;
    const char *name;
    int64_t checksum;
    ANN_TRY(ann_meta_get_str(meta, "phase", &name));
    ANN_TRY(ann_meta_get_i64(meta, "dataset_checksum", &checksum));
    const int index = ann_run_config_find_phase(config, name);
    if (index < 0) return ann_error(ANN_ERR_CORRUPT, "ledger: its run file has no phase %s", name);
    ann_status status = anni_phase_open(&phase, &run, index);
    if (status != ANN_OK && status != ANN_ERR_MEMORY) status = not_checked(line, size, ann_error_text());
    else if (status == ANN_OK && ann_dataset_checksum(phase.train) != (uint64_t)checksum)
        status = not_checked(line, size, "the dataset has changed");
    else if (status == ANN_OK) status = check_ledger(meta, phase.order, line, size);
    anni_phase_close(&phase);
    return status;
}

static ann_status check_drawn(const ann_meta *meta, char *line, size_t size) {
    const char *text;
    ann_run_config *config;
    ANN_TRY(ann_meta_get_str(meta, "config", &text));
    const ann_status parsed = parse_kept(&config, text);
    if (parsed == ANN_ERR_MEMORY) return parsed;
    if (parsed != ANN_OK) return not_checked(line, size, ann_error_text());
    const ann_status status = check_with_data(meta, config, line, size);
    ann_run_config_free(config);
    return status;
}

ann_status ann_train_check_ledger(const ann_ckpt *ckpt, char *line, size_t size) {
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    int64_t kind;
    ann_order *order;
    if (ann_meta_get_i64(meta, "order_kind", &kind) != ANN_OK)
        return not_checked(line, size, "the checkpoint has none");
    if (kind == ANN_ORDER_STRATIFIED || kind == ANN_ORDER_WEIGHTED) return check_drawn(meta, line, size);
    ANN_TRY(anni_sampling_load(&order, meta));
    const ann_status status = check_ledger(meta, order, line, size);
    ann_order_free(order);
    return status;
}
