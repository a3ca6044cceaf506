/* Products of matrices, through the kernel table. Private to src/method. */
#ifndef ANN_METHOD_PRODUCT_H
#define ANN_METHOD_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

typedef struct anni_factor {
    const double *data; /* row-major [rows, columns] as stored */
    int64_t rows, columns;
    bool transposed; /* taken so in the product */
} anni_factor;

/* out = a b, row-major, which must not overlap them. Errors: ANN_ERR_SHAPE (inner extents differ),
 * ANN_ERR_MEMORY. */
ann_status anni_product(double *out, anni_factor a, anni_factor b, int threads) ANN_MUST_CHECK;

#endif
