/* One pass over a field of a dataset file: hash and moments of its values. Private to datasets/. */
#ifndef ANN_DATASETS_SCAN_H
#define ANN_DATASETS_SCAN_H

#include "base/hash.h"
#include "datasets/part.h"

/* Adds values: exact in integers for u8, compensated sums of shifted doubles otherwise. */
typedef struct anni_moments {
    int channels;
    int64_t count; /* of values of each channel */
    bool is_u8;
    uint64_t *sum, *squares; /* u8 */
    double *shift, *total[2],
        *spread[2]; /* others: sums of (x - shift) and its square, with their rounding */
} anni_moments;

ann_status anni_moments_new(anni_moments *moments, anni_type type, int channels,
                            ann_arena *arena) ANN_MUST_CHECK;
/* elems: a multiple of the channels; f32 or i32 as delivered, or u8. */
void anni_moments_add(anni_moments *moments, const void *values, anni_type type, int64_t elems);
/* Of x / 255 for u8, else of x. A field that is constant has no deviation to divide by: std is 1. mean, std:
   [channels]; overall: of all channels together. */
void anni_moments_end(const anni_moments *moments, double *mean, double *std, double overall[2]);

/* Reads /SPLIT/FIELD of an open file from the first row to the last: continues `hash` with the values as the
   reader delivers them (u8, f32, and i32 for other integers), and adds them to moments (NULL: does not).
   Errors: ANN_ERR_IO, ANN_ERR_NUMERIC (NaN or Inf), ANN_ERR_MEMORY. */
ann_status anni_scan(hid_t file, const char *path, const char *split, const anni_field *field, int64_t rows,
                     ann_hasher *hash, anni_moments *moments) ANN_MUST_CHECK;

#endif
