/* A dataset of another domain: every sample of another dataset, transformed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "datasets/descriptor.h"
#include "datasets/layout.h"
#include "datasets/part.h"
#include "datasets/regroup.h"

typedef struct maker {
    const char *descriptor_path, *path;
    anni_descriptor descriptor;
    uint64_t hash; /* of the descriptor's file */
    anni_layout layout;
    anni_part_of parts[ANNI_REGROUP_SPLITS]; /* the splits */
    ann_transform *transforms[ANNI_REGROUP_SPLITS];
    int part_count;
    void *scratch;
    size_t scratch_bytes;
    ann_arena *arena;
} maker;

/* ---- the splits ---- */

static ann_status open_split(maker *m, const char *split) {
    anni_part_of *part = &m->parts[m->part_count];
    const ann_data_source source = {.path = m->path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    *part = (anni_part_of){.path = m->path, .split = split};
    ANN_TRY(ann_dataset_open(&part->dataset, &options));
    m->part_count++;
    const ann_field_info *x = ann_dataset_field(part->dataset, ann_dataset_find(part->dataset, "x"));
    if (x->dtype != ANN_U8)
        return ann_error(ANN_ERR_ARG, "%s: /%s/x is %s, and only u8 is transformed", m->path, split,
                         ann_dtype_name(x->dtype));
    const anni_descriptor *d = &m->descriptor;
    const uint64_t seed = ann_hash(split, strlen(split), d->seed);
    const ann_status status =
        ann_transform_new(&m->transforms[m->part_count - 1], seed, &x->shape, d->ops, d->op_count);
    if (status == ANN_OK) return ANN_OK;
    return ann_error(status, "%s: %s", m->descriptor_path, ann_error_text());
}

static ann_status open_splits(maker *m) {
    ANN_TRY(anni_layout_read(&m->layout, m->path));
    if (m->layout.split_count == 0)
        return ann_error(ANN_ERR_FORMAT, "%s: has no split, that is, no group with a dataset x", m->path);
    if (m->layout.split_count > ANNI_REGROUP_SPLITS)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: more than %d splits", m->path, ANNI_REGROUP_SPLITS);
    for (int s = 0; s < m->layout.split_count; s++) ANN_TRY(open_split(m, m->layout.splits[s]));
    m->scratch_bytes = ann_transform_scratch_bytes(m->transforms[0]); /* all have the same shape */
    return ann_mem_alloc(&m->scratch, m->scratch_bytes);
}

static void change(void *self, int part, int64_t sample, void *x) {
    const maker *m = self;
    ann_transform_apply(m->transforms[part], x, sample, m->scratch);
}

/* ---- writing ---- */

static ann_status name_classes(const maker *m, anni_regroup *r) {
    const ann_dataset *first = m->parts[0].dataset;
    for (int p = 0; p < m->part_count; p++)
        if (ann_dataset_classes(m->parts[p].dataset) > r->label_count)
            r->label_count = ann_dataset_classes(m->parts[p].dataset);
    if (ann_dataset_class_name(first, 0) == NULL) return ANN_OK;
    const char **classes = ann_arena_alloc(m->arena, (size_t)r->label_count * sizeof *classes);
    if (classes == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", m->path);
    for (int c = 0; c < r->label_count; c++) classes[c] = ann_dataset_class_name(first, c);
    r->classes = classes;
    r->class_count = r->label_count;
    return ANN_OK;
}

/* All samples, as they come. */
static ann_status pick_all(const maker *m, anni_regroup *r) {
    int64_t total = 0, used = 0;
    for (int p = 0; p < m->part_count; p++) total += ann_dataset_samples(m->parts[p].dataset);
    anni_pick *picks = ann_arena_alloc(m->arena, (size_t)total * sizeof *picks);
    if (picks == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", m->path);
    for (int p = 0; p < m->part_count; p++) {
        r->splits[p].name = m->parts[p].split;
        r->splits[p].count = ann_dataset_samples(m->parts[p].dataset);
        for (int64_t i = 0; i < r->splits[p].count; i++) picks[used++] = (anni_pick){p, i};
    }
    r->picks = picks;
    r->split_count = m->part_count;
    return ANN_OK;
}

static ann_status write_changed(maker *m, const ann_import_options *options) {
    ann_import_options named = *options;
    if (named.name == NULL) named.name = m->descriptor.name;
    anni_regroup r = {.tool = "transform",
                      .inputs = &m->path,
                      .input_count = 1,
                      .parts = m->parts,
                      .part_count = m->part_count,
                      .change = change,
                      .change_self = m,
                      .change_hash = m->hash};
    ANN_TRY(name_classes(m, &r));
    ANN_TRY(pick_all(m, &r));
    r.provenance =
        ann_arena_printf(m->arena, "%s xxh3:%016" PRIx64, anni_base_name(m->descriptor_path), m->hash);
    if (r.provenance == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", m->path);
    return anni_regroup_write(&named, &r);
}

static ann_status make(maker *m, const ann_import_options *options) {
    ANN_TRY(anni_descriptor_read(&m->descriptor, m->descriptor_path));
    ANN_TRY(anni_hash_file(&m->hash, m->descriptor_path));
    ANN_TRY(open_splits(m));
    return write_changed(m, options);
}

ann_status ann_dataset_transform(const ann_import_options *options, const char *descriptor,
                                 const char *path) {
    maker m = {.descriptor_path = descriptor, .path = path};
    ANN_TRY(ann_arena_new(&m.arena));
    const ann_status status = make(&m, options);
    ann_mem_free(m.scratch, m.scratch_bytes);
    for (int p = 0; p < m.part_count; p++) {
        ann_transform_free(m.transforms[p]);
        ann_dataset_close(m.parts[p].dataset);
    }
    anni_descriptor_fini(&m.descriptor);
    ann_arena_free(m.arena);
    return status;
}
