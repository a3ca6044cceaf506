/* One field of one source: what it is, and the rows that hold it, in one file or, if it is an index of
   virtual datasets, in many. Private to src/data. */
#ifndef ANN_DATA_COLUMN_H
#define ANN_DATA_COLUMN_H

#include "data/data.h"
#include "data/rows.h"

typedef struct anni_column {
    ann_field_info info;
    anni_format format;
    bool is_label; /* integers of rank 1 called y */
    size_t row_bytes;
    int64_t samples;
    anni_rows *rows; /* [rows_count], one after the other; in the arena */
    int rows_count;
    const char *where; /* "PATH: /train/x" */
    bool has_checksum;
    uint64_t checksum;
} anni_column;

/* Opens the HDF5 dataset `id` as the field `name`. *why is NULL, or says why it cannot be a field; there is
   nothing to close then. Owner: the caller, anni_column_close, after an error too. Errors: ANN_ERR_NOT_FOUND,
   ANN_ERR_IO, ANN_ERR_FORMAT, ANN_ERR_UNSUPPORTED (an index of other than whole rows). */
ann_status anni_column_open(anni_column *column, const char **why, hid_t id, const char *name,
                            const char *where, ann_arena *arena) ANN_MUST_CHECK;
void anni_column_close(anni_column *column);

/* Do samples of both have one type and shape, and are both labels or neither? Errors: ANN_ERR_FORMAT. */
ann_status anni_column_check_alike(const anni_column *have, const anni_column *want) ANN_MUST_CHECK;

/* Reads "mean" and "std" from the attributes of `object`: one number, or one for each last extent. */
ann_status anni_column_moments(anni_column *column, hid_t object, const char *where,
                               ann_arena *arena) ANN_MUST_CHECK;

#endif
