/* The writer behind every importer. Private to datasets/.

   An importer is a source of records: it looks at its inputs, says which fields a record has and how many
   records there are in each split, and then gives one record after the other. anni_import does the rest: the
   HDF5 file (layout: README.md) or the shards and their index, normalisation, checksums, provenance,
   progress, bad records, going on after an interruption, and the commit by rename.

   A split is written after the one before it. Records are asked for in ascending order within a split; some
   are left out (they belong to another split, or were written before the interruption), and each split may
   begin again at the front: a source of a sequential format seeks then. Nothing is asked for twice
   otherwise. */
#ifndef ANN_DATASETS_WRITE_H
#define ANN_DATASETS_WRITE_H

#include "datasets/import.h"
#include "tensor/tensor.h"

/* Element types as stored; a source gives its values so, in the machine's byte order. */
typedef enum anni_type { ANNI_U8, ANNI_U16, ANNI_I32, ANNI_F32 } anni_type;
size_t anni_type_bytes(anni_type type);

/* What mean and std are computed of, over the training split. */
typedef enum anni_normalised {
    ANNI_NOT_NORMALISED,
    ANNI_OVERALL,
    ANNI_PER_CHANNEL /* last extent */
} anni_normalised;

enum { ANNI_MAX_SPLITS = 8, ANNI_MAX_FIELDS = 32 };

typedef struct anni_field {
    const char *name; /* "x", "y", ... */
    anni_type type;
    ann_shape shape; /* of one record; rank 0 for a label */
    anni_normalised normalised;
} anni_field;

typedef struct anni_attribute { /* of the file */
    const char *name;
    const char *const *values; /* strings */
    int count;                 /* 0: one string, values[0] */
} anni_attribute;

/* A dataset beside the splits, such as "/vocabulary/bytes". */
typedef struct anni_table {
    const char *path; /* one group deep */
    enum { ANNI_TABLE_U8, ANNI_TABLE_I64 } type;
    const void *values; /* [count] */
    int64_t count;
} anni_table;

typedef struct anni_source {
    const char *format; /* "idx", "csv" ... */
    const char *const
        *inputs; /* files: provenance "NAME xxh3:HASH"; changed ones end an interrupted import */
    int input_count;
    const char *provenance; /* one line more of it; NULL: none */
    uint64_t identity;      /* a hash of all else that decides the result: options, names in folders */
    const anni_field *fields;
    int field_count;
    const char *const *classes; /* names of labels 0..class_count-1, unless the options give others; NULL, 0:
                                   none */
    int class_count;
    const anni_attribute *attributes;
    int attribute_count;
    const anni_table *tables;
    int table_count;
    /* Provenance of the datasets that this one is made of: lines of their attribute "source". */
    const char *const *ancestors;
    int ancestor_count;
    /* Records of each split, one split after the other: those of splits[1] begin at splits[0].count. */
    struct {
        const char *name;
        int64_t count;
    } splits[ANNI_MAX_SPLITS];
    int split_count;
    /* Writes one record's values to fields[0..field_count). An error that is this record's alone goes through
       anni_bad_record; the source can then read the next one. */
    ann_status (*read)(void *self, int64_t record, void *const *fields, bool *bad);
    void *self;
} anni_source;

/* Sets *bad, and the error "PATH: record N: TEXT". Returns `status`. */
ann_status anni_bad_record(bool *bad, ann_status status, const char *path, int64_t record, const char *fmt,
                           ...) ANN_PRINTF(5, 6);

/* Imports all records. Errors: the source's; ANN_ERR_ARG (options, no records), ANN_ERR_NOSPACE, ANN_ERR_IO,
   ANN_ERR_MEMORY. Local. */
ann_status anni_import(const ann_import_options *options, const anni_source *source) ANN_MUST_CHECK;

#endif
