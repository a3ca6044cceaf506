#include "method/features.h"

#include <inttypes.h>
#include <math.h>

ann_status anni_features_check(const ann_features *f, int classes) {
    if (f->n < 1 || f->d < 1)
        return ann_error(ANN_ERR_SHAPE,
                         "%" PRId64 " samples of %" PRId64 " features: there is nothing to judge", f->n,
                         f->d);
    for (int64_t i = 0; i < f->n * f->d; i++)
        if (!isfinite(f->x[i]))
            return ann_error(ANN_ERR_NUMERIC, "feature %" PRId64 " of sample %" PRId64 " is not finite",
                             i % f->d, i / f->d);
    if (classes <= 0) return ANN_OK;
    if (f->label == NULL) return ann_error(ANN_ERR_ARG, "the samples have no labels");
    for (int64_t i = 0; i < f->n; i++)
        if (f->label[i] < 0 || f->label[i] >= classes)
            return ann_error(ANN_ERR_ARG, "sample %" PRId64 " has label %" PRId32 ", which is not below %d",
                             i, f->label[i], classes);
    return ANN_OK;
}

void anni_features_rows(double *out, int64_t width, const ann_features *f, int64_t first, int64_t count,
                        const double *mean) {
    for (int64_t i = 0; i < count; i++, out += width) {
        const float *x = f->x + (first + i) * f->d;
        for (int64_t j = 0; j < f->d; j++) out[j] = (double)x[j] - (mean != NULL ? mean[j] : 0);
        if (width > f->d) out[f->d] = 1;
    }
}
