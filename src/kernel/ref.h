/* Helpers of the reference kernels: every element is read as double, computed in double, and rounded once
   when it is written. Private to src/kernel. */
#ifndef ANN_KERNEL_REF_H
#define ANN_KERNEL_REF_H

#include "kernel/kernel.h"

static inline double anni_load(const void *data, ann_dtype dtype, int64_t i) {
    switch (dtype) {
    case ANN_F32: return (double)((const float *)data)[i];
    case ANN_F64: return ((const double *)data)[i];
    case ANN_I32: return (double)((const int32_t *)data)[i];
    case ANN_I64: return (double)((const int64_t *)data)[i];
    case ANN_U8: return (double)((const uint8_t *)data)[i];
    case ANN_DTYPE_COUNT: break;
    }
    return 0.0;
}

/* f32 and f64 only. */
static inline void anni_store_real(void *data, ann_dtype dtype, int64_t i, double value) {
    if (dtype == ANN_F32) ((float *)data)[i] = (float)value;
    else ((double *)data)[i] = value;
}

/* Any dtype; a float becomes an integer by truncation, saturated, NaN to 0. */
void anni_store_any(void *data, ann_dtype dtype, int64_t i, double value);

static inline double anni_in(const ann_kernel_call *call, int input, int64_t i) {
    return anni_load(call->in[input], call->in_dtype[input], i);
}

static inline void anni_out(const ann_kernel_call *call, int64_t i, double value) {
    anni_store_real(call->out, call->out_dtype, i, value);
}

/* Number of rows in front of the last axis, and the last axis's extent. */
static inline int64_t anni_last(const ann_shape *shape) {
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}
static inline int64_t anni_rows(const ann_shape *shape) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < shape->rank; i++) rows *= shape->dim[i];
    return rows;
}

/* Position of window element k (kh * kernel_w + kw) of output pixel (oh, ow) in the image; false if it is
 * padding. */
static inline bool anni_window_pixel(const ann_window *w, int64_t oh, int64_t ow, int64_t k, int64_t *ih,
                                     int64_t *iw) {
    *ih = oh * w->stride_h - w->pad_top + k / w->kernel_w * w->dilation_h;
    *iw = ow * w->stride_w - w->pad_left + k % w->kernel_w * w->dilation_w;
    return *ih >= 0 && *ih < w->in_h && *iw >= 0 && *iw < w->in_w;
}

/* The inverse: the output pixel (of out_h x out_w) whose window element k is image pixel (ih, iw); false if
 * none. */
static inline bool anni_window_source(const ann_window *w, int64_t ih, int64_t iw, int64_t k, int64_t out_h,
                                      int64_t out_w, int64_t *oh, int64_t *ow) {
    const int64_t top = ih + w->pad_top - k / w->kernel_w * w->dilation_h;
    const int64_t left = iw + w->pad_left - k % w->kernel_w * w->dilation_w;
    *oh = top / w->stride_h;
    *ow = left / w->stride_w;
    return top >= 0 && left >= 0 && top % w->stride_h == 0 && left % w->stride_w == 0 && *oh < out_h &&
           *ow < out_w;
}

/* Element index in a rank-4 (NHWC) tensor. */
static inline int64_t anni_at4(const ann_shape *s, int64_t a, int64_t b, int64_t c, int64_t d) {
    return ((a * s->dim[1] + b) * s->dim[2] + c) * s->dim[3] + d;
}

/* Next index in row-major order over dim[0..rank); false when it wraps to all zeros. */
static inline bool anni_next_index(int64_t index[ANN_MAX_RANK], const int64_t dim[ANN_MAX_RANK], int rank) {
    for (int i = rank - 1; i >= 0; i--) {
        if (++index[i] < dim[i]) return true;
        index[i] = 0;
    }
    return false;
}

static inline int64_t anni_offset(const int64_t index[ANN_MAX_RANK], const int64_t stride[ANN_MAX_RANK],
                                  int rank) {
    int64_t offset = 0;
    for (int i = 0; i < rank; i++) offset += index[i] * stride[i];
    return offset;
}

#endif
