/* Opening and closing of datasets, and what they are. */
#include "data/internal.h"

#include <stdlib.h>
#include <string.h>
#include "data/h5.h"

static ann_status check_options(const ann_dataset_options *o) {
    if (o->source_count < 1 || o->split == NULL)
        return ann_error(ANN_ERR_ARG, "a dataset needs a source and a split");
    for (int i = 0; i < o->source_count; i++)
        if (o->sources[i].path == NULL) return ann_error(ANN_ERR_ARG, "a dataset needs a path and a split");
    if (o->cache_bytes < 0) return ann_error(ANN_ERR_ARG, "a cache of %lld bytes", (long long)o->cache_bytes);
    return ANN_OK;
}

static ann_status open_sources(ann_dataset *dataset, const ann_dataset_options *o) {
    const size_t n = (size_t)o->source_count;
    dataset->sources = ann_arena_alloc(dataset->arena, n * sizeof *dataset->sources);
    dataset->source_first = ann_arena_alloc(dataset->arena, (n + 1) * sizeof(int64_t));
    if (dataset->sources == NULL || dataset->source_first == NULL)
        return ann_error(ANN_ERR_MEMORY, "%s: out of memory", o->sources[0].path);
    anni_h5_printing before;
    anni_h5_begin(&before);
    ann_status status = ANN_OK;
    for (int i = 0; i < o->source_count && status == ANN_OK; i++) {
        dataset->source_count++;
        const char *split = o->sources[i].split ? o->sources[i].split : o->split;
        status = anni_data_source_open(&dataset->sources[i], &o->sources[i], split, dataset->arena);
        if (__builtin_add_overflow(dataset->source_first[i], dataset->sources[i].samples,
                                   &dataset->source_first[i + 1]))
            status = ann_error(ANN_ERR_FORMAT, "%s: too many samples", dataset->sources[i].name);
    }
    anni_h5_end(&before);
    return status;
}

static ann_status open_into(ann_dataset *dataset, const ann_dataset_options *options) {
    ANN_TRY(ann_arena_new(&dataset->arena));
    ANN_TRY(open_sources(dataset, options));
    ANN_TRY(anni_dataset_join(dataset, options));
    ANN_TRY(anni_dataset_find_checksum(dataset));
    return anni_dataset_choose(dataset, options);
}

ann_status ann_dataset_open(ann_dataset **out, const ann_dataset_options *options) {
    *out = NULL;
    ANN_TRY(check_options(options));
    ann_dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", options->sources[0].path);
    dataset->label_field = -1;
    const ann_status status = open_into(dataset, options);
    if (status != ANN_OK) {
        ann_dataset_close(dataset);
        return status;
    }
    *out = dataset;
    return ANN_OK;
}

void ann_dataset_close(ann_dataset *dataset) {
    if (dataset == NULL) return;
    anni_dataset_release_held(dataset);
    anni_cache_free(dataset->cache);
    ann_mem_free(dataset->subset, (size_t)dataset->samples * sizeof *dataset->subset);
    ann_mem_free(dataset->labels, (size_t)dataset->all * sizeof *dataset->labels);
    for (int i = 0; i < dataset->source_count; i++) anni_data_source_close(&dataset->sources[i]);
    ann_arena_free(dataset->arena);
    free(dataset);
}

int64_t ann_dataset_samples(const ann_dataset *dataset) { return dataset->samples; }
int ann_dataset_source_count(const ann_dataset *dataset) { return dataset->source_count; }
int ann_dataset_field_count(const ann_dataset *dataset) { return dataset->field_count; }
int ann_dataset_classes(const ann_dataset *dataset) { return dataset->classes; }
uint64_t ann_dataset_checksum(const ann_dataset *dataset) { return dataset->checksum; }

void ann_dataset_source_range(const ann_dataset *dataset, int source, int64_t *first, int64_t *count) {
    const int64_t *firsts = dataset->used_first ? dataset->used_first : dataset->source_first;
    *first = firsts[source];
    *count = firsts[source + 1] - firsts[source];
}

const ann_field_info *ann_dataset_field(const ann_dataset *dataset, int i) {
    return &dataset->fields[i].info;
}

int ann_dataset_find(const ann_dataset *dataset, const char *name) {
    for (int i = 0; i < dataset->field_count; i++) {
        if (strcmp(dataset->fields[i].info.name, name) == 0) return i;
    }
    return -1;
}

const char *ann_dataset_class_name(const ann_dataset *dataset, int label) {
    const bool named = dataset->class_names != NULL && label >= 0 && label < dataset->classes;
    return named ? dataset->class_names[label] : NULL;
}

int32_t ann_dataset_label(const ann_dataset *dataset, int64_t sample) {
    if (dataset->labels == NULL) return -1;
    return dataset->labels[dataset->subset == NULL ? sample : dataset->subset[sample]];
}

bool ann_dataset_hides_labels(const ann_dataset *dataset) { return dataset->hidden != NULL; }

const char *ann_dataset_skipped(const ann_dataset *dataset, int i) {
    for (int s = 0; s < dataset->source_count; s++) {
        const anni_data_source *source = &dataset->sources[s];
        if (i < source->skipped_count) return source->skipped[i];
        i -= source->skipped_count;
    }
    return NULL;
}
