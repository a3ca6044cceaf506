/* Which domain a sample is of: logistic regression on features. Private to src/method. */
#ifndef ANN_METHOD_DISCRIMINATOR_H
#define ANN_METHOD_DISCRIMINATOR_H

#include "method/arrays.h"

typedef struct anni_discriminator {
    int64_t d;
    double *weight, *mean; /* [d]: of the logit of "target", and what is subtracted first */
    double bias;           /* with the logarithm of n_source / n_target added */
} anni_discriminator;

#define ANNI_DISCRIMINATOR_L2 1e-3

/* Minimises the mean over all samples of -log p(domain | x) + l2 / 2 |v|^2, where log p(target | x) /
   p(source | x) = v . (x - mean) / deviation + b, mean and deviation are those of all samples (a feature that
   is constant counts nothing), l2 > 0. By L-BFGS from 0 until no component of the gradient exceeds 1e-6, or
   1000 steps. Rows are as wide as each other. Errors: of anni_array_check; ANN_ERR_ARG (l2), ANN_ERR_MEMORY.
   Owner: the caller, anni_discriminator_free. Cost: 4 n d operations per evaluation, some hundred of them;
   memory 8 n d bytes.
 */
ann_status anni_discriminator_fit(anni_discriminator *out, anni_array source, anni_array target,
                                  double l2) ANN_MUST_CHECK;
void anni_discriminator_free(anni_discriminator *d);
/* log(p(x | target) / p(x | source)) of a row x[d]. */
double anni_discriminator_log_ratio(const anni_discriminator *d, const float *x);

#endif
