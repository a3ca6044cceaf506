/* Element types and shapes. */
#ifndef ANN_TENSOR_TENSOR_H
#define ANN_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

typedef enum ann_dtype { ANN_F32, ANN_F64, ANN_I32, ANN_I64, ANN_U8, ANN_DTYPE_COUNT } ann_dtype;

size_t ann_dtype_bytes(ann_dtype dtype);
const char *ann_dtype_name(ann_dtype dtype); /* "f32", "f64", "i32", "i64", "u8" */
static inline bool ann_dtype_is_float(ann_dtype dtype) { return dtype == ANN_F32 || dtype == ANN_F64; }

#define ANN_MAX_RANK 8

/* Row-major extents; rank 0 is a scalar. Unused dims are 0. */
typedef struct ann_shape {
    int32_t rank;
    int64_t dim[ANN_MAX_RANK];
} ann_shape;

/* ANN_SHAPE(64, 28, 28, 1); a scalar is ANN_SCALAR. */
#define ANN_SHAPE(...)                                                                                       \
    ((ann_shape){.rank = (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = {__VA_ARGS__}})
#define ANN_SCALAR ((ann_shape){0})

int64_t ann_shape_elems(const ann_shape *shape);
bool ann_shape_equal(const ann_shape *a, const ann_shape *b);
/* "[64,28,28,1]"; returns buf. 128 bytes always suffice. */
char *ann_shape_str(char *buf, size_t size, const ann_shape *shape);
/* Row-major strides in elements. */
void ann_shape_strides(int64_t strides[ANN_MAX_RANK], const ann_shape *shape);

/* The element as double, whatever its dtype (for tests, tools and initial values). */
double ann_elem_get(const void *data, ann_dtype dtype, int64_t index);
void ann_elem_set(void *data, ann_dtype dtype, int64_t index, double value);

#endif
