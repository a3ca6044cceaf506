/* One split of a dataset file as it lies in memory: x mapped or decoded, y as i32. Private to src/data. */
#ifndef ANN_DATA_SPLIT_H
#define ANN_DATA_SPLIT_H

#include "tensor/tensor.h"

typedef struct anni_split {
    int64_t samples;
    ann_dtype dtype;  /* of x: u8 or f32 */
    ann_shape shape;  /* of one sample of x */
    const uint8_t *x; /* [samples, shape]; f32 may be unaligned; inside `map` or `decoded` */
    int32_t *y;       /* [samples]; NULL if unlabelled */
    int32_t classes;  /* labels are 0..classes-1 */
    double mean, std; /* 0 and 1 if the file does not say */
    bool has_moments;
    uint64_t checksum; /* as the file says it, if it does */
    bool has_checksum;

    void *map; /* the pages of the file that hold x; NULL if decoded */
    size_t map_bytes;
    void *decoded;
} anni_split;

/* Reads and checks the split. Errors: those of ann_dataset_open. Owner: the caller, anni_split_fini, after an
 * error too. */
ann_status anni_split_init(anni_split *split, const char *path, const char *name) ANN_MUST_CHECK;
void anni_split_fini(anni_split *split);
size_t anni_split_row_bytes(const anni_split *split);

#endif
