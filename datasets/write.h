/* Writer of dataset files (layout: README.md), for all importers. Private to datasets/.

   begin -> groups, fields, attributes -> commit -> end. Without a successful commit, end removes what was
   written and the file of that name stays what it was. HDF5's error printing must be off (anni_h5_begin).

   HDF5 1.10 crashes at the end of the process if closing a file failed, so the disk must not become full
   while it writes: begin reserves the space of the whole file and fails if there is none, and what follows
   the first close is overwritten in place. */
#ifndef ANN_DATASETS_WRITE_H
#define ANN_DATASETS_WRITE_H

#include "data/h5.h"
#include "tensor/tensor.h"

typedef struct anni_writer {
    const char *path; /* borrowed */
    char *part;       /* the temporary file beside it; lives in the arena */
    ann_arena *arena;
    hid_t file;
    bool committed;
} anni_writer;

/* data_bytes: of all fields together. Errors: ANN_ERR_NOSPACE, ANN_ERR_IO, ANN_ERR_MEMORY. */
ann_status anni_writer_begin(anni_writer *writer, const char *path, int64_t data_bytes) ANN_MUST_CHECK;
/* A split. Owner: the caller, H5Gclose. */
ann_status anni_writer_group(hid_t *out, const anni_writer *writer, const char *name) ANN_MUST_CHECK;
/* name NULL: that of the file without folder and suffix. */
ann_status anni_writer_attributes(const anni_writer *writer, const char *name, const char *const *classes,
                                  int class_count, double mean, double std) ANN_MUST_CHECK;
/* Notes "FILE xxh3:HASH" of each file in the attribute "source"; NULL paths are left out. */
ann_status anni_writer_sources(anni_writer *writer, const char *const *paths, int count) ANN_MUST_CHECK;
/* Computes the checksums from the written file, flushes it to the disk and renames it into place. */
ann_status anni_writer_commit(anni_writer *writer) ANN_MUST_CHECK;
void anni_writer_end(anni_writer *writer);

/* A contiguous u8 dataset, written in ranges of records (its first extent). */
typedef struct anni_field {
    const anni_writer *writer;
    const char *name;
    hid_t id, space;
    ann_shape shape;
} anni_field;

ann_status anni_field_create(anni_field *field, const anni_writer *writer, hid_t group, const char *name,
                             const ann_shape *shape) ANN_MUST_CHECK;
ann_status anni_field_write(anni_field *field, const void *records, int64_t first, int64_t n) ANN_MUST_CHECK;
ann_status anni_field_close(anni_field *field) ANN_MUST_CHECK;

#endif
