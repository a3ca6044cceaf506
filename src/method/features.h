/* What the judges share: checks of features, and pieces of them in double. Private to src/method. */
#ifndef ANN_METHOD_FEATURES_H
#define ANN_METHOD_FEATURES_H

#include "method/judge.h"

/* Errors: ANN_ERR_SHAPE (n or d is not positive), ANN_ERR_NUMERIC (not finite); where classes > 0 also
   ANN_ERR_ARG (no labels, or one that is not in 0..classes-1). */
ann_status anni_features_check(const ann_features *f, int classes) ANN_MUST_CHECK;
/* out[count, width] = rows first.. of f, minus mean[d] if not NULL; the last column is 1 if width is d + 1.
 */
void anni_features_rows(double *out, int64_t width, const ann_features *f, int64_t first, int64_t count,
                        const double *mean);

/* How many rows the judges turn into double at a time: with 1024 features, 2 MiB. */
enum { ANNI_FEATURE_ROWS = 256 };

#endif
