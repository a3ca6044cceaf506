#include "method/arrays.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "base/median.h"
#include "method/product.h"

ann_status anni_array_check(anni_array rows, const char *what) {
    if (rows.x == NULL || rows.n < 1 || rows.width < 1)
        return ann_error(ANN_ERR_ARG, "%s: none, or %" PRId64 " rows of %" PRId64 " numbers", what, rows.n,
                         rows.width);
    for (int64_t i = 0; i < rows.n * rows.width; i++)
        if (!isfinite(rows.x[i]))
            return ann_error(ANN_ERR_NUMERIC, "%s: number %" PRId64 " of row %" PRId64 " is not finite", what,
                             i % rows.width, i / rows.width);
    return ANN_OK;
}

void anni_log_softmax(double *log_p, const float *logits, int64_t classes) {
    double top = (double)logits[0], sum = 0;
    for (int64_t c = 1; c < classes; c++) top = fmax(top, (double)logits[c]);
    for (int64_t c = 0; c < classes; c++) sum += exp((double)logits[c] - top);
    for (int64_t c = 0; c < classes; c++) log_p[c] = (double)logits[c] - top - log(sum);
}

void anni_softmax(double *p, const float *logits, int64_t classes) {
    anni_log_softmax(p, logits, classes);
    for (int64_t c = 0; c < classes; c++) p[c] = exp(p[c]);
}

int32_t anni_largest(const double *p, int64_t classes) {
    int32_t best = 0;
    for (int32_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

ann_status anni_doubles_new(double **out, int64_t count) {
    *out = calloc((size_t)count, sizeof **out);
    return *out != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%" PRId64 " numbers: out of memory", count);
}

/* ---- distances ---- */

static void add_rows(double *sum, anni_array rows) {
    for (int64_t i = 0; i < rows.n; i++)
        for (int64_t k = 0; k < rows.width; k++) sum[k] += (double)rows.x[i * rows.width + k];
}

/* y[n, width] = x - origin; square[n] = |y|^2. */
static void move(double *y, double *square, anni_array rows, const double *origin) {
    for (int64_t i = 0; i < rows.n; i++) {
        const float *x = rows.x + i * rows.width;
        square[i] = 0;
        for (int64_t k = 0; k < rows.width; k++, y++) {
            *y = (double)x[k] - origin[k];
            square[i] += *y * *y;
        }
    }
}

ann_status anni_squared_distances(double *out, anni_array a, anni_array b, int threads) {
    const int64_t d = a.width;
    double *memory;
    ANN_TRY(anni_doubles_new(&memory, d + (a.n + b.n) * (d + 1)));
    double *mean = memory, *y_a = mean + d, *y_b = y_a + a.n * d, *square_a = y_b + b.n * d;
    double *square_b = square_a + a.n;
    add_rows(mean, b);
    for (int64_t k = 0; k < d; k++) mean[k] /= (double)b.n;
    move(y_a, square_a, a, mean);
    move(y_b, square_b, b, mean);
    const ann_status status =
        anni_product(out, (anni_factor){y_a, a.n, d, false}, (anni_factor){y_b, b.n, d, true}, threads);
    for (int64_t i = 0; i < a.n && status == ANN_OK; i++)
        for (int64_t j = 0; j < b.n; j++)
            out[i * b.n + j] = fmax(0, square_a[i] + square_b[j] - 2 * out[i * b.n + j]);
    free(memory);
    return status;
}

ann_status anni_median_distance(double *out, const double *squares, int64_t count) {
    const int64_t most = INT64_C(1) << 18, n = count < most ? count : most;
    double *sample, sum = 0;
    ANN_TRY(anni_doubles_new(&sample, n));
    for (int64_t i = 0; i < n; i++) sum += sample[i] = sqrt(squares[i * count / n]);
    *out = ann_median(sample, (int)n);
    if (!(*out > 0)) *out = sum > 0 ? sum / (double)n : 1;
    free(sample);
    return ANN_OK;
}
