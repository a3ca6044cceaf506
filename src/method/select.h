/* How good a model is on a target domain without labels: criteria for the choice between checkpoints and
   settings of an adaptation. ann_select_criteria lists them, for a report that wants all.

   All functions are Local and deterministic: the same number for the same arguments. Arrays are float, sums
   double. Errors of all: ANN_ERR_ARG (an array that is needed is absent or empty, or what is said there),
   ANN_ERR_NUMERIC (a number in an array, or the result, is not finite), ANN_ERR_MEMORY. *out is only written
   without an error. */
#ifndef ANN_METHOD_SELECT_H
#define ANN_METHOD_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

/* Samples as the model sees them. Borrowed. */
typedef struct ann_select_samples {
    int64_t samples, classes, width;
    const float *logits;   /* [samples, classes] */
    const float *features; /* [samples, width] */
    const int32_t *labels; /* [samples], 0..classes-1 */
} ann_select_samples;

typedef struct ann_select_evidence {
    ann_select_samples target;     /* logits, without labels; for DEV features, too */
    ann_select_samples source;     /* for DEV: features of the source's training samples */
    ann_select_samples validation; /* for DEV: logits, features and labels of the source's other samples */
    int threads; /* of products of matrices; 0: one. ann_kernel_init must have been called */
} ann_select_evidence;

typedef struct ann_select_criterion {
    const char *name; /* as reports print it */
    bool higher_is_better;
    bool needs_source; /* and not `target` alone */
    ann_status (*score)(double *out, const ann_select_evidence *evidence);
} ann_select_criterion;

enum { ANN_SELECT_CRITERIA = 4 };
/* entropy, im, snd, dev. */
extern const ann_select_criterion ann_select_criteria[ANN_SELECT_CRITERIA];

/* Mean conditional entropy of the predictions p_i = softmax(logits_i), in nats: H(Y|X) = -1/n sum_i sum_c
   p_ic log p_ic; lower is better (Morerio, Cavazza, Murino, "Minimal-entropy correlation alignment for
   unsupervised deep domain adaptation", ICLR 2018). Also low where all samples are taken for one class. Cost:
   n classes. */
ann_status ann_select_entropy(double *out, const ann_select_evidence *evidence) ANN_MUST_CHECK;

/* Mutual information of samples and predictions, in nats: H(mean_i p_i) - H(Y|X); higher is better:
   predictions are certain, and of all classes (Gomes, Krause, Perona, "Discriminative clustering by
   regularized information maximization", NeurIPS 2010; for adaptation Shi and Sha, ICML 2012). Cost: n
   classes. */
ann_status ann_select_information(double *out, const ann_select_evidence *evidence) ANN_MUST_CHECK;

/* Soft neighbourhood density (Saito, Kim, Teterwak, Sclaroff, Darrell, Saenko, "Tune it the right way:
   unsupervised validation of domain adaptation via soft neighborhood density", ICCV 2021): with u_i = p_i /
   |p_i| and P_ij = exp(u_i . u_j / 0.05) / sum_{k != i} exp(u_i . u_k / 0.05), j != i, the mean entropy
   -1/n sum_i sum_{j != i} P_ij log P_ij, in nats, at most log(n - 1); higher is better: a sample has many
   neighbours with the same prediction. Of more than ANN_SELECT_DENSITY_SAMPLES samples it takes so many,
   evenly spread; two scores compare only with equal n. Errors also: ANN_ERR_ARG (one sample). Cost: 2 n^2
   classes. */
enum { ANN_SELECT_DENSITY_SAMPLES = 4000 };
ann_status ann_select_density(double *out, const ann_select_evidence *evidence) ANN_MUST_CHECK;

/* Deep embedded validation (You, Wang, Long, Jordan, "Towards accurate model selection in deep unsupervised
   domain adaptation", ICML 2019): the risk on the target, estimated from the cross-entropy l_i of the
   validation samples, with weights w_i = n_source / n_target p(target | f_i) / p(source | f_i) and a control
   variate: mean(w l) + eta mean(w) - eta, eta = -cov(w l, w) / var(w) (0 where all w are equal); lower is
   better. p is a logistic regression between the features of `source` and `target`, as ann_weigh_ratio's with
   its default l2. Errors also: ANN_ERR_ARG (features of unequal widths, a label out of range). Cost: that of
   ann_weigh_ratio. */
ann_status ann_select_dev(double *out, const ann_select_evidence *evidence) ANN_MUST_CHECK;

#endif
