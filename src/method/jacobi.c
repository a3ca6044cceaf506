#include "method/jacobi.h"

#include <math.h>
#include <stdbool.h>

/* Rows p and q of m, of n elements, turn by the angle of cosine c and sine s. */
static void rotate_rows(double *m, int64_t n, int64_t p, int64_t q, double c, double s) {
    double *x = m + p * n, *y = m + q * n;
    for (int64_t k = 0; k < n; k++) {
        const double xk = x[k], yk = y[k];
        x[k] = c * xk - s * yk;
        y[k] = s * xk + c * yk;
    }
}

static void rotate_columns(double *m, int64_t n, int64_t p, int64_t q, double c, double s) {
    for (double *row = m; row < m + n * n; row += n) {
        const double x = row[p], y = row[q];
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
}

/* Makes a[p][q] zero; the rows of v turn along. */
static void rotate(double *a, double *v, int64_t n, int64_t p, int64_t q) {
    const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    const double c = 1 / sqrt(t * t + 1), s = t * c;
    rotate_columns(a, n, p, q, c, s);
    rotate_rows(a, n, p, q, c, s);
    rotate_rows(v, n, p, q, c, s);
    a[p * n + q] = a[q * n + p] = 0;
}

/* One rotation for each element off the diagonal that is larger than `least`; false if none is. */
static bool sweep(double *a, double *v, int64_t n, double least) {
    bool any = false;
    for (int64_t p = 0; p < n; p++) {
        for (int64_t q = p + 1; q < n; q++) {
            if (fabs(a[p * n + q]) <= least) continue;
            rotate(a, v, n, p, q);
            any = true;
        }
    }
    return any;
}

static void swap_rows(double *value, double *vector, int64_t n, int64_t i, int64_t j) {
    const double kept = value[i];
    value[i] = value[j];
    value[j] = kept;
    for (int64_t k = 0; k < n; k++) {
        const double element = vector[i * n + k];
        vector[i * n + k] = vector[j * n + k];
        vector[j * n + k] = element;
    }
}

void anni_jacobi(double *value, double *vector, double *a, int64_t n) {
    enum { SWEEPS = 40 }; /* converges quadratically, mostly within ten */
    for (int64_t i = 0; i < n * n; i++) vector[i] = i % (n + 1) == 0;
    double squares = 0; /* which rotations leave as they are */
    for (int64_t i = 0; i < n * n; i++) squares += a[i] * a[i];
    for (int i = 0; i < SWEEPS && sweep(a, vector, n, 0x1p-56 * sqrt(squares)); i++) continue;
    for (int64_t i = 0; i < n; i++) value[i] = a[i * n + i];
    for (int64_t i = 0; i < n; i++) {
        int64_t largest = i;
        for (int64_t j = i + 1; j < n; j++)
            if (value[j] > value[largest]) largest = j;
        if (largest != i) swap_rows(value, vector, n, i, largest);
    }
}
