#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[ANN_DTYPE_COUNT] = {
    [ANN_F32] = {"f32", 4}, [ANN_F64] = {"f64", 8}, [ANN_I32] = {"i32", 4},
    [ANN_I64] = {"i64", 8}, [ANN_U8] = {"u8", 1},
};

size_t ann_dtype_bytes(ann_dtype dtype) { return dtypes[dtype].bytes; }
const char *ann_dtype_name(ann_dtype dtype) { return dtypes[dtype].name; }

int64_t ann_shape_elems(const ann_shape *shape) {
    int64_t n = 1;
    for (int32_t i = 0; i < shape->rank; i++) n *= shape->dim[i];
    return n;
}

bool ann_shape_equal(const ann_shape *a, const ann_shape *b) {
    if (a->rank != b->rank) return false;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

char *ann_shape_str(char *buf, size_t size, const ann_shape *shape) {
    size_t used = 0;
    for (int32_t i = 0; i < shape->rank && used < size; i++) {
        const int n = snprintf(buf + used, size - used, "%c%" PRId64, i ? ',' : '[', shape->dim[i]);
        if (n > 0) used += (size_t)n;
    }
    if (used < size) snprintf(buf + used, size - used, shape->rank ? "]" : "[]");
    return buf;
}

void ann_shape_strides(int64_t strides[ANN_MAX_RANK], const ann_shape *shape) {
    int64_t stride = 1;
    for (int32_t i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape->dim[i];
    }
}

double ann_elem_get(const void *data, ann_dtype dtype, int64_t index) {
    switch (dtype) {
    case ANN_F32: return (double)((const float *)data)[index];
    case ANN_F64: return ((const double *)data)[index];
    case ANN_I32: return (double)((const int32_t *)data)[index];
    case ANN_I64: return (double)((const int64_t *)data)[index];
    case ANN_U8: return (double)((const uint8_t *)data)[index];
    case ANN_DTYPE_COUNT: break;
    }
    return 0.0;
}

void ann_elem_set(void *data, ann_dtype dtype, int64_t index, double value) {
    switch (dtype) {
    case ANN_F32: ((float *)data)[index] = (float)value; break;
    case ANN_F64: ((double *)data)[index] = value; break;
    case ANN_I32: ((int32_t *)data)[index] = (int32_t)value; break;
    case ANN_I64: ((int64_t *)data)[index] = (int64_t)value; break;
    case ANN_U8: ((uint8_t *)data)[index] = (uint8_t)value; break;
    case ANN_DTYPE_COUNT: break;
    }
}
