/* Principal components: the eigenvectors of the covariance that have the largest eigenvalues. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/eigen.h"
#include "method/features.h"
#include "method/product.h"

static void take_mean(double *mean, const ann_features *f) {
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t j = 0; j < f->d; j++) mean[j] += (double)f->x[i * f->d + j];
    for (int64_t j = 0; j < f->d; j++) mean[j] /= (double)f->n;
}

/* covariance[d, d] += rows^T rows / (n - 1), a block of rows after another; part[d, d] is scratch. */
static ann_status add_products(double *covariance, double *part, double *rows, const ann_features *f,
                               const double *mean, int threads) {
    for (int64_t first = 0; first < f->n; first += ANNI_FEATURE_ROWS) {
        const int64_t count = f->n - first < ANNI_FEATURE_ROWS ? f->n - first : ANNI_FEATURE_ROWS;
        anni_features_rows(rows, f->d, f, first, count, mean);
        ANN_TRY(anni_product(part, (anni_factor){rows, count, f->d, true},
                             (anni_factor){rows, count, f->d, false}, threads));
        for (int64_t i = 0; i < f->d * f->d; i++) covariance[i] += part[i] / (double)(f->n - 1);
    }
    return ANN_OK;
}

static ann_status fit(ann_pca *pca, double *covariance, const ann_features *f, int threads) {
    const size_t square = (size_t)(f->d * f->d), rows = (size_t)(ANNI_FEATURE_ROWS * f->d);
    double *scratch = malloc((square + rows) * sizeof *scratch);
    if (scratch == NULL)
        return ann_error(ANN_ERR_MEMORY, "a covariance of %" PRId64 " features: out of memory", f->d);
    const ann_status status = add_products(covariance, scratch, scratch + square, f, pca->mean, threads);
    free(scratch);
    ANN_TRY(status);
    for (int64_t j = 0; j < f->d; j++) pca->total += covariance[j * f->d + j];
    return anni_eigen_leading(pca->variance, pca->component, covariance, f->d, pca->k, threads);
}

/* Rounding may leave a variance of 0 below it. */
static void settle_signs(ann_pca *pca) {
    for (int64_t i = 0; i < pca->k; i++) {
        double *v = pca->component + i * pca->d;
        int64_t largest = 0;
        for (int64_t j = 1; j < pca->d; j++)
            if (fabs(v[j]) > fabs(v[largest])) largest = j;
        const double sign = v[largest] < 0 ? -1 : 1;
        for (int64_t j = 0; j < pca->d; j++) v[j] *= sign;
        pca->variance[i] = fmax(0, pca->variance[i]);
    }
}

ann_status ann_pca_fit(ann_pca *out, const ann_features *f, int64_t k, int threads) {
    *out = (ann_pca){.d = f->d, .k = k};
    ANN_TRY(anni_features_check(f, 0));
    if (f->n < 2 || k < 1 || k > f->d)
        return ann_error(ANN_ERR_ARG,
                         "%" PRId64 " principal components of %" PRId64 " samples of %" PRId64 " features", k,
                         f->n, f->d);
    out->mean = calloc((size_t)f->d, sizeof *out->mean);
    out->component = calloc((size_t)(k * f->d), sizeof *out->component);
    out->variance = calloc((size_t)k, sizeof *out->variance);
    double *covariance = calloc((size_t)(f->d * f->d), sizeof *covariance);
    ann_status status;
    if (out->mean != NULL && out->component != NULL && out->variance != NULL && covariance != NULL) {
        take_mean(out->mean, f);
        status = fit(out, covariance, f, threads);
    } else {
        status =
            ann_error(ANN_ERR_MEMORY, "principal components of %" PRId64 " features: out of memory", f->d);
    }
    free(covariance);
    if (status == ANN_OK) settle_signs(out);
    else ann_pca_free(out);
    return status;
}

void ann_pca_free(ann_pca *pca) {
    free(pca->mean);
    free(pca->component);
    free(pca->variance);
    *pca = (ann_pca){0};
}

/* rows[ANNI_FEATURE_ROWS, d] and part[ANNI_FEATURE_ROWS, k] are scratch. */
static ann_status project(float *z, const ann_pca *pca, const ann_features *f, double *rows, double *part,
                          int threads) {
    const anni_factor component = {pca->component, pca->k, pca->d, true};
    for (int64_t first = 0; first < f->n; first += ANNI_FEATURE_ROWS) {
        const int64_t count = f->n - first < ANNI_FEATURE_ROWS ? f->n - first : ANNI_FEATURE_ROWS;
        anni_features_rows(rows, f->d, f, first, count, pca->mean);
        ANN_TRY(anni_product(part, (anni_factor){rows, count, f->d, false}, component, threads));
        for (int64_t i = 0; i < count * pca->k; i++) z[first * pca->k + i] = (float)part[i];
    }
    return ANN_OK;
}

ann_status ann_pca_project(float *z, const ann_pca *pca, const ann_features *f, int threads) {
    ANN_TRY(anni_features_check(f, 0));
    if (f->d != pca->d)
        return ann_error(ANN_ERR_SHAPE, "components of %" PRId64 " features, samples of %" PRId64, pca->d,
                         f->d);
    const size_t rows = (size_t)(ANNI_FEATURE_ROWS * f->d), part = (size_t)(ANNI_FEATURE_ROWS * pca->k);
    double *scratch = malloc((rows + part) * sizeof *scratch);
    if (scratch == NULL)
        return ann_error(ANN_ERR_MEMORY, "a projection of %" PRId64 " features: out of memory", f->d);
    const ann_status status = project(z, pca, f, scratch, scratch + rows, threads);
    free(scratch);
    return status;
}
