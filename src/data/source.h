/* One source of a dataset: a file, and those of its HDF5 datasets that are fields. Private to src/data. */
#ifndef ANN_DATA_SOURCE_H
#define ANN_DATA_SOURCE_H

#include "data/column.h"

typedef struct anni_data_source {
    const char *name;     /* "PATH: /train", for errors */
    anni_column *columns; /* x and y first; in the arena */
    int column_count, column_room;
    int64_t samples;
    char **classes; /* [class_count] names; in the arena */
    int class_count;
    bool has_checksum;
    uint64_t checksum; /* of x and y, as the file says it */
    const char **skipped;
    int skipped_count, skipped_room;
} anni_data_source;

/* Opens all fields of the source. Errors: those of ann_dataset_open. Owner: the caller,
   anni_data_source_close, after an error too. The HDF5 lock must be held. */
ann_status anni_data_source_open(anni_data_source *source, const ann_data_source *from, const char *split,
                                 ann_arena *arena) ANN_MUST_CHECK;
void anni_data_source_close(anni_data_source *source);
anni_column *anni_data_source_find(const anni_data_source *source, const char *name); /* NULL if absent */
/* A scalar i32 field with the same value for every sample. */
ann_status anni_data_source_add_constant(anni_data_source *source, const char *name, int32_t value,
                                         ann_arena *arena) ANN_MUST_CHECK;

#endif
