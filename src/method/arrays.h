/* What judges, criteria, weights and pseudo-labels share: checks of arrays, predictions, distances. Private
   to src/method. */
#ifndef ANN_METHOD_ARRAYS_H
#define ANN_METHOD_ARRAYS_H

#include <stdint.h>
#include "base/status.h"

/* x[n, width] of floats. Borrowed. */
typedef struct anni_array {
    const float *x;
    int64_t n, width;
} anni_array;

/* `what` names the array in the error's text. Errors: ANN_ERR_ARG (none, or no elements), ANN_ERR_NUMERIC (an
   element is not finite). Cost: n width. */
ann_status anni_array_check(anni_array rows, const char *what) ANN_MUST_CHECK;

/* log_p[classes] = log softmax(logits), finite for all finite logits. */
void anni_log_softmax(double *log_p, const float *logits, int64_t classes);
/* p[classes] = softmax(logits). */
void anni_softmax(double *p, const float *logits, int64_t classes);
/* The class of the largest of p[classes], the first of equal ones. */
int32_t anni_largest(const double *p, int64_t classes);

/* *out = room for `count` doubles. Owner: the caller, free. Errors: ANN_ERR_MEMORY. */
ann_status anni_doubles_new(double **out, int64_t count) ANN_MUST_CHECK;

/* out[a.n, b.n] = |a_i - b_j|^2, of rows as wide as each other, which are moved to the mean of b first: the
   error is a few units of the last place of |a_i|^2 + |b_j|^2 there. Errors: ANN_ERR_MEMORY. Cost: 2 a.n b.n
   width. */
ann_status anni_squared_distances(double *out, anni_array a, anni_array b, int threads) ANN_MUST_CHECK;
/* The median of the distances whose squares are given: of all, or of 2^18 of them, evenly spread. If that is
   0, their mean; if that is 0, too, 1. So it serves as a width of kernels. Errors: ANN_ERR_MEMORY. */
ann_status anni_median_distance(double *out, const double *squares, int64_t count) ANN_MUST_CHECK;

#endif
