/* From sources to the fields of a dataset: the same fields in each, one source after the other. */
#include "data/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CACHE_BYTES ((int64_t)256 << 20)
/* Larger fields are looked at for NaN and Inf while they are read, not when they are opened. */
#define CHECKED_BYTES ((size_t)1 << 30)
#define MAX_BLOCKS ((int64_t)1 << 28) /* 64 TiB at least */

static ann_status no_memory(const ann_dataset *d) {
    return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->name);
}

/* ---- do the sources agree? ---- */

static ann_status check_classes(const anni_data_source *have, const anni_data_source *want) {
    if (have->class_count == 0 || want->class_count == 0) return ANN_OK;
    if (have->class_count != want->class_count)
        return ann_error(ANN_ERR_FORMAT, "%s has %d classes, %s has %d", have->name, have->class_count,
                         want->name, want->class_count);
    for (int i = 0; i < have->class_count; i++)
        if (strcmp(have->classes[i], want->classes[i]) != 0)
            return ann_error(ANN_ERR_FORMAT, "%s: class %d is \"%s\", in %s it is \"%s\"", have->name, i,
                             have->classes[i], want->name, want->classes[i]);
    return ANN_OK;
}

/* Both ways, so that no field is in one of them alone. */
static ann_status check_sources(const ann_dataset *d) {
    for (int s = 1; s < d->source_count; s++) {
        const anni_data_source *first = &d->sources[0], *other = &d->sources[s];
        for (int i = 0; i < other->column_count; i++)
            if (anni_data_source_find(first, other->columns[i].info.name) == NULL)
                return ann_error(ANN_ERR_FORMAT, "%s has no %s, and %s has", first->name,
                                 other->columns[i].info.name, other->name);
        for (int i = 0; i < first->column_count; i++) {
            const anni_column *want = &first->columns[i],
                              *have = anni_data_source_find(other, want->info.name);
            if (have == NULL)
                return ann_error(ANN_ERR_FORMAT, "%s has no %s, and %s has", other->name, want->info.name,
                                 first->name);
            ANN_TRY(anni_column_check_alike(have, want));
        }
        ANN_TRY(check_classes(other, first));
    }
    return ANN_OK;
}

static ann_status add_domain(ann_dataset *d) {
    if (d->source_count < 2) return ANN_OK;
    for (int s = 0; s < d->source_count; s++)
        if (anni_data_source_find(&d->sources[s], "domain") != NULL) return ANN_OK;
    for (int s = 0; s < d->source_count; s++)
        ANN_TRY(anni_data_source_add_constant(&d->sources[s], "domain", s, d->arena));
    return ANN_OK;
}

/* ---- fields ---- */

/* Mean and deviation of all sources together, from those of each. */
static ann_status pool_moments(ann_dataset *d, ann_field_info *info) {
    int channels = 1;
    for (int s = 0; s < d->source_count; s++) {
        const int n = anni_data_source_find(&d->sources[s], info->name)->info.channels;
        channels = n == 0 || channels == 0 ? 0 : n > channels ? n : channels;
    }
    info->channels = channels;
    double *moments = ann_arena_alloc(d->arena, 2 * (size_t)channels * sizeof *moments + 1);
    if (moments == NULL) return no_memory(d);
    for (int k = 0; k < channels; k++) {
        double mean = 0, square = 0;
        for (int s = 0; s < d->source_count; s++) {
            const ann_field_info *one = &anni_data_source_find(&d->sources[s], info->name)->info;
            const int at = one->channels > 1 ? k : 0;
            const double share = (double)anni_dataset_source_samples(d, s) / (double)d->all;
            mean += share * one->mean[at];
            square += share * (one->std[at] * one->std[at] + one->mean[at] * one->mean[at]);
        }
        moments[k] = mean;
        moments[channels + k] = sqrt(square - mean * mean);
    }
    info->mean = moments;
    info->std = moments + channels;
    return ANN_OK;
}

static ann_status join_field(ann_dataset *d, anni_dataset_field *field, const anni_column *first) {
    *field = (anni_dataset_field){.info = first->info, .row_bytes = first->row_bytes};
    for (int s = 0; s < d->source_count; s++)
        field->rows_count += anni_data_source_find(&d->sources[s], first->info.name)->rows_count;
    field->rows = ann_arena_alloc(d->arena, (size_t)field->rows_count * sizeof(anni_rows *));
    if (field->rows == NULL) return no_memory(d);
    int n = 0;
    for (int s = 0; s < d->source_count; s++) {
        const anni_column *c = anni_data_source_find(&d->sources[s], first->info.name);
        for (int i = 0; i < c->rows_count; i++) {
            field->rows[n] = &c->rows[i];
            field->rows[n++]->first += d->source_first[s];
        }
    }
    return d->source_count > 1 ? pool_moments(d, &field->info) : ANN_OK;
}

static ann_status join_fields(ann_dataset *d) {
    const anni_data_source *first = &d->sources[0];
    d->fields = ann_arena_alloc(d->arena, (size_t)first->column_count * sizeof *d->fields);
    if (d->fields == NULL) return no_memory(d);
    for (int i = 0; i < first->column_count; i++) {
        ANN_TRY(join_field(d, &d->fields[i], &first->columns[i]));
        d->field_count++;
        if (first->columns[i].is_label) d->label_field = i;
    }
    return ANN_OK;
}

/* ---- labels: all of them in memory ---- */

enum { LABEL_LIMIT = 1 << 20 }; /* of classes without names */

static ann_status check_labels(int32_t *largest, const anni_rows *rows, const int32_t *labels,
                               int32_t limit) {
    for (int64_t s = 0; s < rows->count; s++) {
        if (labels[s] < 0 || labels[s] >= limit)
            return ann_error(ANN_ERR_CORRUPT,
                             "%s: sample %" PRId64 " has label %" PRId32 ", accepted: 0 to %" PRId32,
                             rows->where, rows->stored_first + s, labels[s], limit - 1);
        if (labels[s] > *largest) *largest = labels[s];
    }
    return ANN_OK;
}

/* Those that are to be hidden are hashed, if the file states no checksum, before they are (subset.c). */
static ann_status load_labels_of(int32_t *largest, ann_dataset *d, int source, bool hidden, int32_t limit) {
    const anni_column *y = anni_data_source_find(&d->sources[source], "y");
    for (int i = 0; i < y->rows_count; i++) {
        anni_rows *rows = &y->rows[i];
        int32_t *labels = d->labels + rows->first;
        if (rows->data != NULL) memcpy(labels, rows->data, anni_rows_bytes(rows));
        else ANN_TRY(anni_rows_decode(rows, 0, rows->count, labels));
        if (!hidden) ANN_TRY(check_labels(largest, rows, labels, limit));
        anni_rows_close(rows);
    }
    return ANN_OK;
}

static ann_status load_labels(ann_dataset *d, const ann_dataset_options *options, int32_t limit) {
    int32_t largest = -1;
    for (int s = 0; s < d->source_count; s++)
        ANN_TRY(load_labels_of(&largest, d, s, options->sources[s].hides_labels, limit));
    d->classes = d->class_names != NULL ? limit : largest + 1;
    return ANN_OK;
}

static ann_status join_labels(ann_dataset *d, const ann_dataset_options *options) {
    if (d->label_field < 0) return ANN_OK;
    int32_t limit = LABEL_LIMIT;
    for (int s = 0; s < d->source_count && d->class_names == NULL; s++) {
        if (d->sources[s].class_count == 0) continue;
        limit = d->sources[s].class_count;
        d->class_names = (const char *const *)d->sources[s].classes;
    }
    void *labels = NULL;
    ANN_TRY(ann_mem_alloc(&labels, (size_t)d->all * sizeof *d->labels));
    d->labels = labels;
    return load_labels(d, options, limit);
}

/* ---- storage ---- */

static ann_status check_mapped(const anni_dataset_field *field) {
    size_t bytes = 0;
    for (int i = 0; i < field->rows_count; i++) bytes += anni_rows_bytes(field->rows[i]);
    for (int i = 0; i < field->rows_count && bytes <= CHECKED_BYTES; i++) {
        anni_rows *rows = field->rows[i];
        if (rows->data == NULL || rows->checked) continue;
        ANN_TRY(anni_rows_check(rows, 0, rows->count, rows->data));
        rows->checked = true;
    }
    return ANN_OK;
}

/* What is not mapped is decoded now if all of it fits the cache, and block by block otherwise. */
static ann_status join_storage(ann_dataset *d, int64_t cache_bytes) {
    int64_t bytes = 0, blocks = 0;
    for (int f = 0; f < d->field_count; f++) {
        const anni_dataset_field *field = &d->fields[f];
        for (int i = 0; f != d->label_field && i < field->rows_count; i++) {
            anni_rows *rows = field->rows[i];
            if (rows->data != NULL) continue;
            if (__builtin_add_overflow(bytes, (int64_t)anni_rows_bytes(rows), &bytes)) bytes = INT64_MAX;
            rows->first_block = blocks;
            blocks += anni_rows_block(rows, rows->count - 1) + 1;
        }
    }
    for (int f = 0; f < d->field_count; f++) {
        if (f == d->label_field) continue;
        for (int i = 0; bytes <= cache_bytes && i < d->fields[f].rows_count; i++)
            if (d->fields[f].rows[i]->data == NULL) ANN_TRY(anni_rows_decode_all(d->fields[f].rows[i]));
        ANN_TRY(check_mapped(&d->fields[f]));
    }
    if (bytes <= cache_bytes) return ANN_OK;
    if (blocks <= MAX_BLOCKS && anni_cache_new(&d->cache, blocks, cache_bytes) == ANN_OK) return ANN_OK;
    return ann_error(ANN_ERR_MEMORY, "%s: no memory for %" PRId64 " blocks that are to be decoded", d->name,
                     blocks);
}

ann_status anni_dataset_join(ann_dataset *d, const ann_dataset_options *options) {
    const int more = d->source_count - 1;
    d->name = more == 0 ? ann_arena_strdup(d->arena, d->sources[0].name)
                        : ann_arena_printf(d->arena, "%s and %d more", d->sources[0].name, more);
    if (d->name == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->sources[0].name);
    d->all = d->samples = d->source_first[d->source_count];
    ANN_TRY(check_sources(d));
    ANN_TRY(add_domain(d));
    ANN_TRY(join_fields(d));
    ANN_TRY(join_labels(d, options));
    return join_storage(d, options->cache_bytes > 0 ? options->cache_bytes : CACHE_BYTES);
}
