/* How one HDF5 dataset is stored, in words. Private to datasets/. */
#ifndef ANN_DATASETS_STORAGE_H
#define ANN_DATASETS_STORAGE_H

#include "data/h5.h"
#include "tensor/tensor.h"

typedef struct anni_storage {
    bool is_number, is_float; /* integer or float, of at most 8 bytes */
    ann_shape shape;          /* whole; rank 0 and is_number false if it is none of a field */
    int64_t bytes;            /* of all values */
    char type[32];            /* "u8", "f32 big-endian" */
    char text[512];           /* "contiguous at 4096, 168000 bytes" */
} anni_storage;

void anni_storage_of(anni_storage *out, hid_t dataset);
/* Files that a virtual dataset is made of, each once, as the index names them; none for other storage. They
   live in the arena. */
ann_status anni_storage_files(char ***out, int *count, hid_t dataset, const char *where,
                              ann_arena *arena) ANN_MUST_CHECK;

#endif
