/* An open dataset: what the files of this folder share. Private to src/data. */
#ifndef ANN_DATA_INTERNAL_H
#define ANN_DATA_INTERNAL_H

#include "data/cache.h"
#include "data/source.h"

/* A field of all sources together. */
typedef struct anni_dataset_field {
    ann_field_info info;
    size_t row_bytes;
    anni_rows **rows; /* [rows_count], by `first`, which counts over all sources */
    int rows_count;
    uint8_t *held; /* samples [held_first, held_first + held_count); NULL: nothing is held */
} anni_dataset_field;

struct ann_dataset {
    ann_arena *arena;
    char *name; /* "PATH: /train", for errors */
    anni_data_source *sources;
    int source_count;
    int64_t *source_first; /* [source_count + 1], of all samples, */
    int64_t *used_first;   /* and of those that are used, where sources have limits; NULL: all are */
    anni_dataset_field *fields;
    int field_count;
    int64_t all; /* samples of the sources */
    int64_t samples;
    int64_t *subset;    /* [samples] which of `all`; NULL: all, in order */
    int label_field;    /* -1: unlabelled */
    int32_t *labels;    /* [all]; -1 where they are hidden */
    const char *hidden; /* name of a source whose labels are; NULL: none */
    int32_t classes;
    const char *const *class_names; /* [classes], or NULL */
    anni_cache *cache;              /* NULL: no block is decoded while reading */
    int64_t held_first, held_count;
    uint64_t checksum;
};

/* join.c: sets everything but the subset and the checksum. */
ann_status anni_dataset_join(ann_dataset *dataset, const ann_dataset_options *options) ANN_MUST_CHECK;
/* subset.c: which samples there are, and which of their labels are hidden. */
ann_status anni_dataset_choose(ann_dataset *dataset, const ann_dataset_options *options) ANN_MUST_CHECK;
/* checksum.c */
ann_status anni_dataset_find_checksum(ann_dataset *dataset) ANN_MUST_CHECK;
/* read.c: samples numbered over all sources, whatever the subset, not from what is held. */
ann_status anni_dataset_read_all(const ann_dataset *dataset, int field, const int64_t *samples, int64_t n,
                                 void *out) ANN_MUST_CHECK;
void anni_dataset_release_held(ann_dataset *dataset);

static inline int64_t anni_dataset_source_samples(const ann_dataset *dataset, int source) {
    return dataset->source_first[source + 1] - dataset->source_first[source];
}

#endif
