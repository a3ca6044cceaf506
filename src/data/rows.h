/* A run of rows of a field that lie together in one HDF5 dataset: mapped where the file holds them as they
   are delivered, otherwise decoded by the library, all at once or block by block. Private to src/data. */
#ifndef ANN_DATA_ROWS_H
#define ANN_DATA_ROWS_H

#include <hdf5.h>
#include "base/mem.h"
#include "tensor/tensor.h"

/* How the elements of a field are stored and delivered. */
typedef struct anni_format {
    ann_dtype dtype;
    hid_t memory;  /* the library's type of it, or H5I_INVALID_HID: that of the file (truth values) */
    bool mappable; /* stored as delivered */
    bool narrowed; /* integers of more than 32 bits, delivered as i32 */
} anni_format;

/* False if elements of this type cannot be a field; *why then says what they are. */
bool anni_format_of(anni_format *out, const char **why, hid_t type);

typedef struct anni_rows {
    anni_format format;
    size_t row_bytes;
    int64_t first, count; /* which samples these are */
    int64_t stored_first; /* row of the HDF5 dataset that is sample `first` */
    const char *where;    /* "PATH: /train/x" */
    const uint8_t *data;  /* row 0, maybe unaligned; NULL: through the library */
    int64_t block_rows;   /* rows that are decoded together; blocks begin at multiples of it in the file */
    int64_t first_block;  /* number of its first block in the cache */
    hid_t id;             /* open while data is NULL; it keeps the file open */
    ann_shape stored;     /* extents of the HDF5 dataset */
    void *map, *decoded;  /* what data lies in */
    size_t map_bytes;
    bool checked; /* every value has been seen to be good */
} anni_rows;

/* Rows [stored_first, stored_first + count) of an open HDF5 dataset, which must have them. Sets id and what
   follows from the dataset; format, row_bytes, first, count, stored_first, where and stored are given. Owner:
   anni_rows_close, after an error too. Errors: ANN_ERR_IO, ANN_ERR_FORMAT (truncated). */
ann_status anni_rows_open(anni_rows *rows, hid_t dataset) ANN_MUST_CHECK;
void anni_rows_close(anni_rows *rows);

/* Decodes rows [row, row + n) (0 is sample `first`) into `to` and checks them. Takes the HDF5 lock. Errors:
   ANN_ERR_FORMAT, ANN_ERR_NUMERIC, ANN_ERR_CORRUPT (an integer that i32 cannot hold). Thread-safe. */
ann_status anni_rows_decode(const anni_rows *rows, int64_t row, int64_t n, void *to) ANN_MUST_CHECK;
/* Decodes all of them into memory and closes the HDF5 dataset. */
ann_status anni_rows_decode_all(anni_rows *rows) ANN_MUST_CHECK;
/* Looks at every value of n delivered rows. Errors: ANN_ERR_NUMERIC (NaN or Inf), ANN_ERR_CORRUPT. */
ann_status anni_rows_check(const anni_rows *rows, int64_t row, int64_t n, const void *values) ANN_MUST_CHECK;

static inline size_t anni_rows_bytes(const anni_rows *rows) { return (size_t)rows->count * rows->row_bytes; }
/* Rows are decoded in blocks of the file: the block of a row, and its part of these rows. */
static inline int64_t anni_rows_block(const anni_rows *rows, int64_t row) {
    return (rows->stored_first + row) / rows->block_rows - rows->stored_first / rows->block_rows;
}
void anni_rows_block_range(const anni_rows *rows, int64_t block, int64_t *row, int64_t *n);

#endif
