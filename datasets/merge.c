/* One dataset of several: the samples of a split one file after the other, classes united by name. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "datasets/layout.h"
#include "datasets/regroup.h"

typedef struct merger {
    const char *const *paths;
    int path_count;
    anni_part_of *parts; /* by split, then by file */
    int part_count;
    anni_layout splits; /* of all files */
    const char **classes;
    int class_count, class_room, label_count;
    ann_arena *arena;
} merger;

static ann_status no_memory(const merger *m) {
    return ann_error(ANN_ERR_MEMORY, "%s: out of memory", m->paths[0]);
}

/* ---- the files ---- */

static bool has_split(const anni_layout *layout, const char *name) {
    for (int s = 0; s < layout->split_count; s++)
        if (strcmp(layout->splits[s], name) == 0) return true;
    return false;
}

static ann_status open_part(merger *m, const char *path, const char *split) {
    anni_part_of *part = &m->parts[m->part_count];
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    *part = (anni_part_of){.path = path, .split = split};
    ANN_TRY(ann_dataset_open(&part->dataset, &options));
    m->part_count++;
    return ANN_OK;
}

static ann_status open_parts(merger *m) {
    anni_layout *layouts = ann_arena_alloc(m->arena, (size_t)m->path_count * sizeof *layouts);
    m->parts = ann_arena_alloc(m->arena, (size_t)m->path_count * ANNI_REGROUP_SPLITS * sizeof *m->parts);
    if (layouts == NULL || m->parts == NULL) return no_memory(m);
    for (int i = 0; i < m->path_count; i++) {
        ANN_TRY(anni_layout_read(&layouts[i], m->paths[i]));
        if (layouts[i].split_count == 0)
            return ann_error(ANN_ERR_FORMAT, "%s: has no split, that is, no group with a dataset x",
                             m->paths[i]);
        for (int s = 0; s < layouts[i].split_count; s++) {
            if (has_split(&m->splits, layouts[i].splits[s])) continue;
            if (m->splits.split_count == ANNI_REGROUP_SPLITS)
                return ann_error(ANN_ERR_UNSUPPORTED, "%s: more than %d splits", m->paths[i],
                                 ANNI_REGROUP_SPLITS);
            memcpy(m->splits.splits[m->splits.split_count++], layouts[i].splits[s], ANNI_SPLIT_NAME);
        }
    }
    for (int s = 0; s < m->splits.split_count; s++)
        for (int i = 0; i < m->path_count; i++)
            if (has_split(&layouts[i], m->splits.splits[s]))
                ANN_TRY(open_part(m, m->paths[i], m->splits.splits[s]));
    return ANN_OK;
}

/* ---- classes ---- */

/* The new label of a name; a new one if it is the first of that name. */
static ann_status find_class(merger *m, const char *name, int32_t *label) {
    for (*label = 0; *label < m->class_count; (*label)++)
        if (strcmp(m->classes[*label], name) == 0) return ANN_OK;
    if (m->class_count == m->class_room) {
        m->class_room = 2 * m->class_room + 64;
        const char **more = ann_arena_alloc(m->arena, (size_t)m->class_room * sizeof *more);
        if (more == NULL) return no_memory(m);
        if (m->class_count > 0) memcpy(more, m->classes, (size_t)m->class_count * sizeof *more);
        m->classes = more;
    }
    m->classes[m->class_count++] = name;
    return ANN_OK;
}

static ann_status map_labels(merger *m, anni_part_of *part) {
    const int classes = ann_dataset_classes(part->dataset);
    int32_t *labels = ann_arena_alloc(m->arena, ((size_t)classes + 1) * sizeof *labels);
    if (labels == NULL) return no_memory(m);
    for (int c = 0; c < classes; c++)
        ANN_TRY(find_class(m, ann_dataset_class_name(part->dataset, c), &labels[c]));
    part->labels = labels;
    return ANN_OK;
}

static ann_status unite_classes(merger *m) {
    const bool named = ann_dataset_class_name(m->parts[0].dataset, 0) != NULL;
    const bool labelled = ann_dataset_classes(m->parts[0].dataset) > 0;
    for (int p = 0; p < m->part_count; p++) {
        anni_part_of *part = &m->parts[p];
        const int classes = ann_dataset_classes(part->dataset);
        if ((classes > 0) != labelled)
            return ann_error(ANN_ERR_FORMAT, "%s: /%s is %s, and %s is %s", part->path, part->split,
                             classes > 0 ? "labelled" : "not labelled", m->parts[0].path,
                             labelled ? "labelled" : "not labelled");
        if (!labelled) continue;
        if ((ann_dataset_class_name(part->dataset, 0) != NULL) != named)
            return ann_error(ANN_ERR_FORMAT,
                             "%s: has %s class names, and %s has %s: classes are united by name", part->path,
                             named ? "no" : "its", m->parts[0].path, named ? "its" : "none");
        if (named) ANN_TRY(map_labels(m, part));
        if (classes > m->label_count) m->label_count = classes;
    }
    if (named) m->label_count = m->class_count;
    return ANN_OK;
}

/* ---- writing ---- */

static ann_status write_merged(const merger *m, const ann_import_options *options) {
    int64_t total = 0, used = 0;
    for (int p = 0; p < m->part_count; p++) total += ann_dataset_samples(m->parts[p].dataset);
    anni_pick *picks = malloc(((size_t)total + 1) * sizeof *picks);
    if (picks == NULL) return no_memory(m);
    anni_regroup r = {.tool = "merge",
                      .inputs = m->paths,
                      .input_count = m->path_count,
                      .parts = m->parts,
                      .part_count = m->part_count,
                      .picks = picks,
                      .split_count = m->splits.split_count,
                      .classes = m->classes,
                      .class_count = m->class_count,
                      .label_count = m->label_count};
    for (int p = 0, s = 0; p < m->part_count; p++) {
        const anni_part_of *part = &m->parts[p];
        while (strcmp(m->splits.splits[s], part->split) != 0) s++;
        r.splits[s].name = part->split;
        r.splits[s].count += ann_dataset_samples(part->dataset);
        for (int64_t i = 0; i < ann_dataset_samples(part->dataset); i++) picks[used++] = (anni_pick){p, i};
    }
    const ann_status status = anni_regroup_write(options, &r);
    free(picks);
    return status;
}

ann_status ann_dataset_merge(const ann_import_options *options, const char *const *paths, int count) {
    if (count < 1) return ann_error(ANN_ERR_ARG, "merge: no files");
    merger m = {.paths = paths, .path_count = count};
    ANN_TRY(ann_arena_new(&m.arena));
    ann_status status = open_parts(&m);
    if (status == ANN_OK) status = unite_classes(&m);
    if (status == ANN_OK) status = write_merged(&m, options);
    for (int p = 0; p < m.part_count; p++) ann_dataset_close(m.parts[p].dataset);
    ann_arena_free(m.arena);
    return status;
}
