/* One field of somebody's HDF5 file, a record at a time. Private to datasets/. */
#ifndef ANN_DATASETS_STORED_H
#define ANN_DATASETS_STORED_H

#include "data/column.h"

typedef struct anni_stored {
    const anni_column *column;
    const anni_rows *rows; /* of the block; NULL: nothing has been decoded */
    int64_t row, n;        /* the block */
    bool is_bad;           /* a record of it is: they are decoded one by one */
    uint8_t *block;
    size_t room;
} anni_stored;

/* Copies the values of a record, as delivered (column->info), to out. Cheap in ascending order. Errors: those
   of the record alone, ANN_ERR_NUMERIC (NaN, Inf) and ANN_ERR_CORRUPT (an integer too wide for i32), after
   which the others can be read; ANN_ERR_FORMAT, ANN_ERR_MEMORY. */
ann_status anni_stored_read(anni_stored *stored, int64_t record, void *out) ANN_MUST_CHECK;
/* The column stays. */
void anni_stored_fini(anni_stored *stored);

#endif
