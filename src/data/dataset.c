#include "data/data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/philox.h"
#include "data/split.h"

enum { FIELD_X, FIELD_Y, FIELD_COUNT };

struct ann_dataset {
    anni_split split;
    ann_field_info fields[FIELD_COUNT];
    int field_count;
    int64_t samples;
    int64_t held_first, held_count; /* count 0: nothing is held */
    int64_t *subset;                /* [samples] indices in the split; NULL: all, in order */
    uint64_t checksum;
    char name[320]; /* "PATH: /SPLIT", for errors */
};

/* The first `limit` samples of the keyed order. */
static void choose_first(ann_dataset *dataset, uint64_t seed) {
    const uint64_t n = (uint64_t)dataset->split.samples;
    for (int64_t i = 0; i < dataset->samples; i++) {
        dataset->subset[i] = (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, n, (uint64_t)i);
    }
}

/* The first samples of the keyed order that have room in their class. room: [classes] scratch. */
static ann_status choose_balanced(ann_dataset *dataset, uint64_t seed, int64_t *room) {
    const anni_split *split = &dataset->split;
    for (int32_t c = 0; c < split->classes; c++) {
        room[c] = dataset->samples / split->classes + (c < dataset->samples % split->classes);
    }
    int64_t chosen = 0;
    for (int64_t i = 0; i < split->samples && chosen < dataset->samples; i++) {
        const uint64_t n = (uint64_t)split->samples;
        const int64_t s = (int64_t)ann_permute_index(seed, ANN_STREAM_SUBSET, 0, n, (uint64_t)i);
        if (room[split->y[s]] > 0) {
            room[split->y[s]]--;
            dataset->subset[chosen++] = s;
        }
    }
    for (int32_t c = 0; c < split->classes; c++) {
        if (room[c] > 0) {
            return ann_error(ANN_ERR_ARG,
                             "%s: class %" PRId32 " has %" PRId64
                             " samples too few for a balanced limit of %" PRId64,
                             dataset->name, c, room[c], dataset->samples);
        }
    }
    return ANN_OK;
}

static ann_status choose_subset(ann_dataset *dataset, const ann_dataset_options *options) {
    const anni_split *split = &dataset->split;
    dataset->samples = split->samples;
    if (options->limit == 0) return ANN_OK;
    if (options->limit < 0 || options->limit > split->samples) {
        return ann_error(ANN_ERR_ARG, "%s: limit %" PRId64 ", accepted: 1 to %" PRId64 " (0: all)",
                         dataset->name, options->limit, split->samples);
    }
    if (options->balanced && split->y == NULL) {
        return ann_error(ANN_ERR_ARG, "%s: a balanced limit needs labels, and there is no y", dataset->name);
    }
    dataset->samples = options->limit;
    void *subset = NULL;
    ANN_TRY(ann_mem_alloc(&subset, (size_t)dataset->samples * sizeof *dataset->subset));
    dataset->subset = subset;
    if (!options->balanced) {
        choose_first(dataset, options->subset_seed);
        return ANN_OK;
    }
    void *room = NULL;
    const size_t room_bytes = (size_t)split->classes * sizeof(int64_t);
    ANN_TRY(ann_mem_alloc(&room, room_bytes));
    const ann_status status = choose_balanced(dataset, options->subset_seed, room);
    ann_mem_free(room, room_bytes);
    return status;
}

static ann_status open_into(ann_dataset *dataset, const ann_dataset_options *options) {
    const char *path = options->sources[0].path;
    snprintf(dataset->name, sizeof dataset->name, "%s: /%s", path, options->split);
    ANN_TRY(anni_split_init(&dataset->split, path, options->split));
    const anni_split *split = &dataset->split;
    dataset->fields[FIELD_X] = (ann_field_info){.name = "x", .dtype = split->dtype, .shape = split->shape};
    if (split->has_moments) {
        dataset->fields[FIELD_X].channels = 1;
        dataset->fields[FIELD_X].mean = &split->mean;
        dataset->fields[FIELD_X].std = &split->std;
    }
    dataset->fields[FIELD_Y] = (ann_field_info){.name = "y", .dtype = ANN_I32};
    dataset->field_count = split->y == NULL ? 1 : 2;
    dataset->checksum = split->checksum;
    if (!split->has_checksum) ANN_TRY(ann_dataset_compute_checksum(&dataset->checksum, dataset));
    return choose_subset(dataset, options);
}

ann_status ann_dataset_open(ann_dataset **out, const ann_dataset_options *options) {
    *out = NULL;
    if (options->source_count < 1 || options->sources[0].path == NULL || options->split == NULL) {
        return ann_error(ANN_ERR_ARG, "a dataset needs a path and a split");
    }
    if (options->source_count > 1 || options->sources[0].field_count > 0) {
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: one source with fields of its own split is read",
                         options->sources[0].path);
    }
    ann_dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", options->sources[0].path);
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
    ann_mem_free(dataset->subset, (size_t)dataset->samples * sizeof *dataset->subset);
    anni_split_fini(&dataset->split);
    free(dataset);
}

int64_t ann_dataset_samples(const ann_dataset *dataset) { return dataset->samples; }
int ann_dataset_field_count(const ann_dataset *dataset) { return dataset->field_count; }
const ann_field_info *ann_dataset_field(const ann_dataset *dataset, int i) { return &dataset->fields[i]; }

int ann_dataset_find(const ann_dataset *dataset, const char *name) {
    for (int i = 0; i < dataset->field_count; i++) {
        if (strcmp(dataset->fields[i].name, name) == 0) return i;
    }
    return -1;
}

int ann_dataset_classes(const ann_dataset *dataset) { return dataset->split.classes; }

int ann_dataset_source_count(const ann_dataset *dataset) {
    (void)dataset;
    return 1;
}

void ann_dataset_source_range(const ann_dataset *dataset, int source, int64_t *first, int64_t *count) {
    (void)source;
    *first = 0;
    *count = dataset->split.samples;
}

const char *ann_dataset_class_name(const ann_dataset *dataset, int label) {
    (void)dataset;
    (void)label;
    return NULL;
}

int32_t ann_dataset_label(const ann_dataset *dataset, int64_t sample) {
    if (dataset->split.y == NULL) return -1;
    return dataset->split.y[dataset->subset == NULL ? sample : dataset->subset[sample]];
}

void ann_dataset_prefetch(const ann_dataset *dataset, int64_t first, int64_t count) {
    (void)dataset;
    (void)first;
    (void)count;
}

ann_status ann_dataset_hold(ann_dataset *dataset, int64_t first, int64_t count) {
    if (first < 0 || count < 0 || first > dataset->samples - count) {
        return ann_error(ANN_ERR_ARG, "%s: samples %" PRId64 "..%" PRId64 " of %" PRId64, dataset->name,
                         first, first + count, dataset->samples);
    }
    dataset->held_first = first;
    dataset->held_count = count;
    return ANN_OK;
}

uint64_t ann_dataset_checksum(const ann_dataset *dataset) { return dataset->checksum; }

ann_status ann_dataset_compute_checksum(uint64_t *out, const ann_dataset *dataset) {
    const anni_split *split = &dataset->split;
    *out = ann_hash(split->x, (size_t)split->samples * anni_split_row_bytes(split), 0);
    if (split->y != NULL) *out = ann_hash(split->y, (size_t)split->samples * sizeof *split->y, *out);
    return ANN_OK;
}

bool ann_dataset_field_checksum(uint64_t *out, const ann_dataset *dataset, int field) {
    (void)out;
    (void)dataset;
    (void)field;
    return false;
}

ann_status ann_dataset_compute_field_checksum(uint64_t *out, const ann_dataset *dataset, int field) {
    const anni_split *split = &dataset->split;
    *out = field == FIELD_X ? ann_hash(split->x, (size_t)split->samples * anni_split_row_bytes(split), 0)
                            : ann_hash(split->y, (size_t)split->samples * sizeof *split->y, 0);
    return ANN_OK;
}

const char *ann_dataset_skipped(const ann_dataset *dataset, int i) {
    (void)dataset;
    (void)i;
    return NULL;
}

ann_status ann_dataset_read(const ann_dataset *dataset, int field, const int64_t *ids, int64_t n, void *out) {
    const anni_split *split = &dataset->split;
    const size_t row_bytes = anni_split_row_bytes(split);
    if (field < 0 || field >= dataset->field_count) {
        return ann_error(ANN_ERR_ARG, "%s: no field %d", dataset->name, field);
    }
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= dataset->samples) {
            return ann_error(ANN_ERR_ARG, "%s: sample %" PRId64 " of %" PRId64, dataset->name, ids[i],
                             dataset->samples);
        }
        if (dataset->held_count > 0 &&
            (uint64_t)(ids[i] - dataset->held_first) >= (uint64_t)dataset->held_count) {
            return ann_error(ANN_ERR_ARG, "%s: sample %" PRId64 " is outside those held in memory",
                             dataset->name, ids[i]);
        }
        const int64_t s = dataset->subset == NULL ? ids[i] : dataset->subset[ids[i]];
        if (field == FIELD_Y) {
            ((int32_t *)out)[i] = split->y[s];
        } else {
            memcpy((uint8_t *)out + (size_t)i * row_bytes, split->x + (size_t)s * row_bytes, row_bytes);
        }
    }
    return ANN_OK;
}

ann_status ann_data_check_match(const ann_dataset *train, const ann_dataset *test) {
    for (int f = 0; f < train->field_count; f++) {
        const ann_field_info *want = &train->fields[f], *have = &test->fields[f];
        if (f >= test->field_count) {
            return ann_error(ANN_ERR_FORMAT, "%s has no %s, and %s has", test->name, want->name, train->name);
        }
        if (want->dtype != have->dtype || !ann_shape_equal(&want->shape, &have->shape)) {
            char want_shape[128], have_shape[128];
            return ann_error(ANN_ERR_FORMAT, "%s/%s is %s %s a sample, that of %s is %s %s", test->name,
                             want->name, ann_dtype_name(have->dtype),
                             ann_shape_str(have_shape, sizeof have_shape, &have->shape), train->name,
                             ann_dtype_name(want->dtype),
                             ann_shape_str(want_shape, sizeof want_shape, &want->shape));
        }
    }
    if (train->split.y != NULL && test->split.classes > train->split.classes) {
        return ann_error(ANN_ERR_FORMAT, "%s/y has labels to %" PRId32 ", those of %s end at %" PRId32,
                         test->name, test->split.classes - 1, train->name, train->split.classes - 1);
    }
    return ANN_OK;
}

ann_status ann_data_check_shards(const ann_dataset *dataset, int size) {
    if (size >= 1 && dataset->samples >= size) return ANN_OK;
    return ann_error(ANN_ERR_ARG,
                     "%s: %" PRId64 " samples cannot be shared among %d ranks: each needs one at least",
                     dataset->name, dataset->samples, size);
}
