/* What goes into a phase, and whether it is what went into its checkpoints. */
#include "train/internal.h"

#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/version.h"

ann_status anni_lineage_begin(anni_phase *phase) {
    ann_lineage *l = &phase->lineage;
    (void)snprintf(l->phase, sizeof l->phase, "%s", phase->config->name);
    (void)snprintf(l->version, sizeof l->version, "%s", ann_version());
    (void)snprintf(l->revision, sizeof l->revision, "%s", ann_revision());
    l->parent_count = -1;
    l->train_data = ann_dataset_checksum(phase->train);
    l->test_data = ann_dataset_checksum(phase->test);
    return ann_lineage_key(&l->key, phase->run->config, phase->index);
}

/* ---- parents ---- */

/* A checkpoint of another phase of the run, by its place beside this one's; read once for all who load it. */
static ann_status describe_phase(const anni_phase *phase, anni_result *from, ann_lineage_parent *out,
                                 const char *path) {
    const char *slash = strrchr(path, '/');
    char beside[ANNI_PATH_BYTES];
    if (snprintf(beside, sizeof beside, "../%s%s", phase->config->load_from, slash ? slash : "") >=
        (int)sizeof beside)
        return ann_error(ANN_ERR_INTERNAL, "%.64s... is too long", path);
    if (strcmp(from->parent.path, beside) != 0) {
        ANN_TRY(ann_lineage_describe(phase->run->comm, &from->parent, path));
        memcpy(from->parent.path, beside, sizeof beside);
    }
    *out = from->parent;
    return ANN_OK;
}

ann_status anni_lineage_parents(anni_phase *phase) {
    const ann_phase_config *config = phase->config;
    const anni_run *run = phase->run;
    ann_lineage_parent *parent = &phase->lineage.parents[0];
    char path[ANNI_PATH_BYTES];
    phase->lineage.parent_count = config->load_from || config->load_file;
    if (phase->lineage.parent_count == 0) return ANN_OK;
    ANN_TRY(ann_agree(run->comm, anni_load_path(path, phase)));
    if (!config->load_from) return ann_lineage_describe(run->comm, parent, path);
    return describe_phase(phase, &run->results[ann_run_config_find_phase(run->config, config->load_from)],
                          parent, path);
}

/* What the run file says of it. */
static ann_status describe_by_key(anni_phase *phase) {
    ann_lineage_parent *parent = &phase->lineage.parents[0];
    const ann_run_config *config = phase->run->config;
    const char *from = phase->config->load_from;
    *parent = (ann_lineage_parent){.step = -1};
    if (!from) return ANN_OK;
    (void)snprintf(parent->phase, sizeof parent->phase, "%s", from);
    return ann_lineage_key(&parent->key, config, ann_run_config_find_phase(config, from));
}

ann_status anni_lineage_parents_left(anni_phase *phase) {
    const anni_run *run = phase->run;
    const char *from = phase->config->load_from;
    const bool is_there = !from || run->results[ann_run_config_find_phase(run->config, from)].checkpoint[0];
    phase->lineage.parent_count = 1;
    if (is_there) {
        const ann_status status = anni_lineage_parents(phase);
        if (status != ANN_ERR_NOT_FOUND && status != ANN_ERR_IO && status != ANN_ERR_CORRUPT) return status;
        ann_error_clear();
    }
    return ann_agree(run->comm, describe_by_key(phase));
}

/* ---- checkpoints of before ---- */

/* What went into the checkpoint; one of before there was lineage tells of configuration and data alone. */
static ann_status lineage_of(ann_lineage *out, const anni_phase *phase, const ann_meta *meta) {
    int64_t checksum;
    const char *facts;
    const ann_status status = ann_lineage_read(out, meta);
    if (status != ANN_ERR_NOT_FOUND) return status;
    ann_error_clear();
    ANN_TRY(ann_meta_get_str(meta, "facts", &facts));
    ANN_TRY(ann_meta_get_i64(meta, "dataset_checksum", &checksum));
    *out = phase->lineage;
    out->key = ann_hash_str(facts);
    out->train_data = (uint64_t)checksum;
    return ANN_OK;
}

/* Once for all checkpoints of the phase. */
static void warn_of_code(anni_phase *phase, const ann_lineage *then) {
    const ann_lineage *now = &phase->lineage;
    if (phase->run->rank != 0 || phase->warned ||
        (strcmp(now->version, then->version) == 0 && strcmp(now->revision, then->revision) == 0))
        return;
    phase->warned = true;
    ann_log_line(ANN_LOG_WARN, "phase %s: its checkpoints were made by annulus %s (%s), and this is %s (%s)",
                 phase->config->name, then->version, then->revision, now->version, now->revision);
}

static ann_status refuse(const anni_phase *phase, ann_lineage_change change, const char *path,
                         const char *why) {
    if (change == ANN_LINEAGE_CONFIG)
        return ann_error(ANN_ERR_CONFIG, "%s: cannot resume from %s: %s", phase->run->config->path, path,
                         why);
    return ann_error(ANN_ERR_CONFIG, "%s: cannot resume from %s: it was trained on other data than %s",
                     phase->run->config->path, path, phase->config->data->path);
}

ann_status anni_lineage_check(anni_phase *phase, const ann_meta *meta, bool finished, const char *path) {
    ann_lineage then;
    const char *facts;
    char why[ANNI_LINE_BYTES];
    ANN_TRY(lineage_of(&then, phase, meta));
    const ann_lineage_change change = ann_lineage_compare(why, sizeof why, &phase->lineage, &then);
    warn_of_code(phase, &then);
    if (change == ANN_LINEAGE_SAME) return ANN_OK;
    ANN_TRY(ann_meta_get_str(meta, "facts", &facts));
    if (change == ANN_LINEAGE_CONFIG) (void)anni_facts_differ(why, sizeof why, phase->facts, facts);
    if (!finished && change != ANN_LINEAGE_PARENT) return refuse(phase, change, path, why);
    memcpy(phase->changed, why, sizeof phase->changed);
    return ANN_OK;
}
