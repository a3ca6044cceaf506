/* Loops over vectors. Private to src/method. */
#ifndef ANN_METHOD_VECTOR_H
#define ANN_METHOD_VECTOR_H

#include <stdint.h>

static inline double anni_dot(const double *x, const double *y, int64_t n) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* x += factor y */
static inline void anni_add(double *x, double factor, const double *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] += factor * y[i];
}

#endif
