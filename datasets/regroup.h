/* A new dataset of samples of existing ones: what split, merge and transform share. Private to datasets/. */
#ifndef ANN_DATASETS_REGROUP_H
#define ANN_DATASETS_REGROUP_H

#include "base/mem.h"
#include "data/data.h"
#include "datasets/import.h"

enum { ANNI_REGROUP_SPLITS = 8 };

/* One split of a file. */
typedef struct anni_part_of {
    const char *path, *split;
    ann_dataset *dataset;
    const int32_t *labels; /* [classes of the dataset] the new label of each; NULL: as they are */
} anni_part_of;

typedef struct anni_pick {
    int32_t part;
    int64_t sample;
} anni_pick;

typedef struct anni_regroup {
    const char *tool; /* "split", "merge", "transform" */
    const char *const *inputs;
    int input_count;
    const anni_part_of *parts; /* all with the fields and shapes of parts[0] */
    int part_count;
    const anni_pick *picks; /* those of splits[0] first */
    struct {
        const char *name;
        int64_t count;
    } splits[ANNI_REGROUP_SPLITS];
    int split_count;
    const char *const *classes; /* NULL, 0: labels have no names */
    int class_count;
    int label_count; /* labels are below it */
    /* Changes x of a sample in place; NULL: samples stay as they are. change_hash: of all that it depends on.
     */
    void (*change)(void *self, int part, int64_t sample, void *x);
    void *change_self;
    uint64_t change_hash;
    const char *provenance; /* a line of it; NULL: none */
} anni_regroup;

/* Writes the dataset; it keeps the inputs' lines of provenance and their vocabulary. Errors: those of
   anni_import and ann_dataset_read; ANN_ERR_FORMAT (fields, shapes or vocabularies that differ). Local. */
ann_status anni_regroup_write(const ann_import_options *options, const anni_regroup *regroup) ANN_MUST_CHECK;

#endif
