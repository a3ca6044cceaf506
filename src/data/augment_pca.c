/* The principal components of a training set's colours. */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data/data.h"

enum { MOST_SAMPLES = 10000 };

typedef struct moments {
    double count, sum[3], product[3][3];
} moments;

static void add_pixels(moments *m, const ann_field_info *x, const void *data) {
    const int64_t pixels = ann_shape_elems(&x->shape) / 3;
    const double unit = x->dtype == ANN_U8 ? 255 : 1;
    double sum[3] = {0}, product[3][3] = {{0}};
    for (int64_t i = 0; i < pixels; i++) {
        double rgb[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = x->dtype == ANN_U8 ? ((const uint8_t *)data)[3 * i + c]
                                        : (double)((const float *)data)[3 * i + c];
        for (int c = 0; c < 3; c++) {
            sum[c] += rgb[c];
            for (int k = 0; k <= c; k++) product[c][k] += rgb[c] * rgb[k];
        }
    }
    m->count += (double)pixels;
    for (int c = 0; c < 3; c++) {
        m->sum[c] += sum[c] / unit;
        for (int k = 0; k <= c; k++) m->product[c][k] += product[c][k] / (unit * unit);
    }
}

static ann_status add_samples(moments *m, const ann_dataset *dataset, int field, void *row) {
    const ann_field_info *x = ann_dataset_field(dataset, field);
    const int64_t samples = ann_dataset_samples(dataset), n = samples < MOST_SAMPLES ? samples : MOST_SAMPLES;
    for (int64_t i = 0; i < n; i++) {
        const int64_t id = i * samples / n;
        ANN_TRY(ann_dataset_read(dataset, field, &id, 1, row));
        add_pixels(m, x, row);
    }
    return ANN_OK;
}

/* ---- eigenvectors of a symmetric matrix, by Jacobi's rotations ---- */

/* Makes a[p][q] zero; the columns of v turn along. */
static void rotate(double a[3][3], double v[3][3], int p, int q) {
    if (a[p][q] == 0) return;
    const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    const double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int k = 0; k < 3; k++) { /* columns p and q of a and of v */
        const double akp = a[k][p], akq = a[k][q], vkp = v[k][p], vkq = v[k][q];
        a[k][p] = c * akp - s * akq;
        a[k][q] = s * akp + c * akq;
        v[k][p] = c * vkp - s * vkq;
        v[k][q] = s * vkp + c * vkq;
    }
    for (int k = 0; k < 3; k++) { /* rows p and q of a */
        const double apk = a[p][k], aqk = a[q][k];
        a[p][k] = c * apk - s * aqk;
        a[q][k] = s * apk + c * aqk;
    }
}

/* Component `rank` is column `column` of v. */
static void take_component(ann_colour_pca *out, int rank, double eigenvalue, double v[3][3], int column) {
    int largest = 0;
    for (int c = 1; c < 3; c++)
        if (fabs(v[c][column]) > fabs(v[largest][column])) largest = c;
    out->deviation[rank] = sqrt(eigenvalue > 0 ? eigenvalue : 0);
    for (int c = 0; c < 3; c++)
        out->component[rank][c] = v[largest][column] < 0 ? -v[c][column] : v[c][column];
}

static void find_components(ann_colour_pca *out, const moments *m) {
    enum { SWEEPS = 16 }; /* converges quadratically */
    double a[3][3], v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    for (int c = 0; c < 3; c++)
        for (int k = 0; k <= c; k++)
            a[c][k] = a[k][c] = m->product[c][k] / m->count - m->sum[c] / m->count * (m->sum[k] / m->count);
    for (int i = 0; i < SWEEPS; i++) {
        rotate(a, v, 0, 1);
        rotate(a, v, 0, 2);
        rotate(a, v, 1, 2);
    }
    for (int i = 0; i < 3; i++) {
        int rank = 0; /* how many are larger, or equal and before it */
        for (int k = 0; k < 3; k++) rank += a[k][k] > a[i][i] || (a[k][k] == a[i][i] && k < i);
        take_component(out, rank, a[i][i], v, i);
    }
}

ann_status ann_colour_pca_measure(ann_colour_pca *out, const ann_dataset *dataset) {
    const int field = ann_dataset_find(dataset, "x");
    const ann_field_info *x = ann_dataset_field(dataset, field);
    moments m = {0};
    char shape[128];
    if (x->shape.rank != 3 || x->shape.dim[2] != 3 || (x->dtype != ANN_U8 && x->dtype != ANN_F32))
        return ann_error(ANN_ERR_ARG, "%s: needs images of 3 channels, and x is %s %s",
                         ann_augment_kind_name(ANN_AUGMENT_PCA_COLOUR), ann_dtype_name(x->dtype),
                         ann_shape_str(shape, sizeof shape, &x->shape));
    void *row = malloc((size_t)ann_shape_elems(&x->shape) * ann_dtype_bytes(x->dtype));
    if (!row) return ann_error(ANN_ERR_MEMORY, "principal components of colour: out of memory");
    const ann_status status = add_samples(&m, dataset, field, row);
    free(row);
    if (status == ANN_OK) find_components(out, &m);
    return status;
}
