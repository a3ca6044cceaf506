/* Reader of NPY files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Private to
   datasets/. */
#ifndef ANN_DATASETS_NPY_H
#define ANN_DATASETS_NPY_H

#include "datasets/input.h"
#include "datasets/write.h"

typedef struct anni_npy {
    anni_input input;
    int64_t data_offset;
    char kind;       /* u, i, f or b (bool) */
    int bytes;       /* of an element in the file: 1, 2, 4, 8 */
    bool swapped;    /* the other byte order */
    ann_shape shape; /* records first */
    int64_t row_elems;
    void *row; /* as it stands in the file */
} anni_npy;

/* Opens the file, checks its header and that the file is as long as it says. Owner: the caller,
 * anni_npy_close, after an error too. */
ann_status anni_npy_open(anni_npy *npy, const char *path) ANN_MUST_CHECK;
void anni_npy_close(anni_npy *npy);
/* u8, i32 or f32. */
anni_type anni_npy_type(const anni_npy *npy);
/* The values of a record as anni_npy_type says. Values that do not fit make it a bad record. */
ann_status anni_npy_read(anni_npy *npy, int64_t record, void *out, bool *bad) ANN_MUST_CHECK;

#endif
