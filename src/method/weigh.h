/* Numbers of samples that adaptation takes from all samples at once, between steps: weights of source samples
   under covariate shift, pseudo-labels of target samples, and plans of optimal transport.

   All functions are Local and deterministic: the same numbers for the same arguments. Features and logits are
   float, sums double. Errors of all: ANN_ERR_ARG (an array is absent or empty, an option out of its range),
   ANN_ERR_NUMERIC (a number in an array is not finite, or what is said there), ANN_ERR_MEMORY. Products of
   matrices go through src/kernel: ann_kernel_init must have been called. */
#ifndef ANN_METHOD_WEIGH_H
#define ANN_METHOD_WEIGH_H

#include <stdint.h>
#include "base/status.h"

/* ---- weights of source samples ---- */

/* Features of the two domains. Borrowed. */
typedef struct ann_weigh_domains {
    const float *source, *target; /* [ns, d], [nt, d] */
    int64_t ns, nt, d;
    int threads; /* 0: one */
} ann_weigh_domains;

typedef struct ann_weigh_report {
    double width; /* of the kernels, sigma in exp(-|x - y|^2 / (2 sigma^2)) */
    double gap;   /* the objective is at most so far from its optimum */
    int iterations;
} ann_weigh_report;

/* All functions of this section estimate w_i = p_target(x_i) / p_source(x_i) of each source sample: w[ns] >=
   0 with mean 1. A report that is not NULL is filled in. Not to have come within the tolerance is no error.
 */

typedef struct ann_weigh_kliep_options {
    double width;     /* 0: chosen */
    int centres;      /* at most; 0: 100 */
    double tolerance; /* of the gap; 0: 1e-4 */
} ann_weigh_kliep_options;

/* KLIEP (Sugiyama, Suzuki, Nakajima, Kashima, von Buenau, Kawanabe, "Direct importance estimation for
   covariate shift adaptation", Annals of the Institute of Statistical Mathematics 2008): w(x) = sum_l a_l
   exp(-|x - c_l|^2 / (2 sigma^2)), centres c_l target samples, evenly spread;

       maximise mean_j log w(target_j),   a >= 0,   mean_i w(source_i) = 1

   until the gap (in nats) is within the tolerance. A step multiplies each coefficient, of kernels scaled to
   mean 1 over the source, by a power of its derivative and scales all to the constraint: power 1 is the EM
   step of a mixture's weights, which never makes the objective smaller, and greater powers are taken where
   they help. (The paper's own steps, along the gradient and then cut at 0, stop before the optimum: 0.03
   to 0.7 nats below it with Gaussians in 2 and 10 dimensions.) The width is, of 2^-3 .. 2^2 times the
   median distance between centres and all samples, in factors of sqrt 2, that with the greatest likelihood
   in five-fold cross-validation over target samples (sample j is in fold j mod 5); the median distance
   itself with fewer than five. A width at which a target sample has no centre, or a centre no source
   sample, within 3 sigma is passed over: there the ratio has no bound in practice. Errors also:
   ANN_ERR_NUMERIC (no width is left; the given width is such a one). Cost: 2 (ns + nt) b d, b the number
   of centres, and per iteration 4 nt b, of which there are some ten to some hundred for each of 11 widths
   and 5 folds; memory 8 (ns + nt) (2 b + d) bytes. Measured with ns = nt = 4000, d = 784: 0.8 s. */
ann_status ann_weigh_kliep(double *w, ann_weigh_report *report, const ann_weigh_domains *of,
                           const ann_weigh_kliep_options *options) ANN_MUST_CHECK;

typedef struct ann_weigh_kmm_options {
    double width;     /* 0: the median distance between source and target samples */
    double bound;     /* B >= 1; 0: 1000 */
    double slack;     /* e, 0 < e < 1; 0: the paper's 1 - 1 / sqrt(ns) */
    double tolerance; /* of the gap; 0: 1e-5 */
    int iterations;   /* at most; 0: 10^6 */
} ann_weigh_kmm_options;

/* Kernel mean matching (Huang, Smola, Gretton, Borgwardt, Schoelkopf, "Correcting sample selection bias by
   unlabeled data", NeurIPS 2007), with Gaussian kernels k:

       minimise 1/2 b^T K b - q^T b,   0 <= b_i <= B,   |sum_i b_i - ns| <= ns e,
       K_ij = k(source_i, source_j),   q_i = ns / nt sum_j k(source_i, target_j)

   by sequential minimal optimisation: two coefficients change at a time, the one of least gradient that can
   grow and the one that promises most with it (Fan, Chen, Lin, JMLR 2005), in which the sum's slack counts as
   a coefficient. It begins at all 1, and ends when the gap, here of the squared distance of means 2 / ns^2
   (1/2 b^T K b - q^T b), is within the tolerance: with v the greatest difference of gradients of a
   coefficient that can shrink and one that can grow, it is at most 2 (1 + e) v / ns. A wide kernel has many b
   that are as good; a smaller bound gives smoother weights. w is b scaled to mean 1. Cost: 2 ns (ns + nt) d,
   and 6 ns per iteration, of which there are some 10 ns; memory 8 ns (ns + nt) bytes. Measured with ns = nt =
   4000, d = 784: 6 s. */
ann_status ann_weigh_kmm(double *w, ann_weigh_report *report, const ann_weigh_domains *of,
                         const ann_weigh_kmm_options *options) ANN_MUST_CHECK;

/* The density ratio by a domain discriminator (Bickel, Brueckner, Scheffer, "Discriminative learning for
   differing training and test distributions", ICML 2007): w_i proportional to p(target | x_i) / p(source |
   x_i) of a logistic regression on the features, each scaled to mean 0 and variance 1 over both domains,
   with penalty l2 / 2 |v|^2 (l2 > 0; 0: 1e-3) on the mean loss, to a gradient of 1e-6 in each component.
   Cost: 4 (ns + nt) d per evaluation, some hundred of them; memory 8 (ns + nt) d bytes. Measured with ns = nt
   = 4000, d = 784: 4 s. */
ann_status ann_weigh_ratio(double *w, const ann_weigh_domains *of, double l2) ANN_MUST_CHECK;

/* w_i^power, scaled to mean 1 (Shimodaira, "Improving predictive inference under covariate shift by weighting
   the log-likelihood function", JSPI 2000): between all alike (0) and the ratio itself (1), less variance for
   more bias. Weights are >= 0, and not all 0. */
void ann_weigh_flatten(double *w, int64_t n, double power);

/* ---- pseudo-labels of target samples ---- */

/* What a model says of n samples. Borrowed. */
typedef struct ann_label_samples {
    const float *logits;   /* [n, classes] */
    const float *features; /* [n, width]; for SHOT alone */
    int64_t n, classes, width;
} ann_label_samples;

/* SHOT's pseudo-labels (Liang, Hu, Feng, "Do we really need to access the source data? Source hypothesis
   transfer for unsupervised domain adaptation", ICML 2020): label[n], the class whose centroid has the
   greatest cosine with the sample's features f_i; centroid_k = sum_i p_ik f_i / sum_i p_ik first, p =
   softmax(logits), then once more the mean of the features labelled k. (The authors' program first appends
   a 1 to each sample's features and scales them to length 1; this is the paper's formula.) A class without
   samples has no centroid and is not given. Of equal cosines the smallest class wins; a vector of zeros
   has cosine 0 with all. Cost: 4 n classes width. */
ann_status ann_label_shot(int32_t *label, const ann_label_samples *of) ANN_MUST_CHECK;

/* Self-training (Lee, "Pseudo-label", ICML workshop 2013): label[n], argmax_c p_ic, the smallest such class,
   if it is at least `threshold` (0..1), else -1. Cost: n classes. */
ann_status ann_label_confident(int32_t *label, const ann_label_samples *of, double threshold) ANN_MUST_CHECK;

/* Class-balanced self-training (Zou, Yu, Kumar, Wang, "Unsupervised domain adaptation for semantic
   segmentation via class-balanced self-training", ECCV 2018): threshold t_c is the confidence of rank
   ceil(share m_c) among the m_c samples of which c is the most probable class; label[n], argmax_c p_ic / t_c,
   the smallest such class, if that is at least 1, else -1. A class of which there are no such samples is not
   given. 0 < share <= 1. Cost: n (classes + log n). */
ann_status ann_label_balanced(int32_t *label, const ann_label_samples *of, double share) ANN_MUST_CHECK;

/* ---- optimal transport ---- */

typedef struct ann_transport_options {
    double epsilon;   /* > 0, in units of the cost */
    int iterations;   /* at most, >= 1 */
    double tolerance; /* of the error, >= 0 */
} ann_transport_options;

typedef struct ann_transport_report {
    double cost;  /* sum_ij plan_ij cost_ij */
    double error; /* sum_i |sum_j plan_ij - 1/ns|; the sums over i are right to rounding */
    int iterations;
} ann_transport_report;

/* Entropic optimal transport between uniform distributions (Cuturi, "Sinkhorn distances", NeurIPS 2013), in
   the log domain: plan[ns, nt] minimises

       sum_ij plan_ij cost_ij + epsilon sum_ij plan_ij (log plan_ij - 1),   rows sum to 1/ns, columns to 1/nt.

   plan_ij = exp((f_i + g_j - cost_ij) / epsilon). From g = 0, an iteration is

       f_i = -epsilon (log ns + log sum_j exp((g_j - cost_ij) / epsilon)),   then in the same way g_j of f;

   the last is the first that begins with an error within the tolerance. cost: [ns, nt]. A number of the plan
   is right to some 2^-52 |cost| / epsilon of itself. Errors also: ANN_ERR_NUMERIC (cost / epsilon is infinite
   in a whole row or column). Cost: 2 ns nt exponentials per iteration. */
ann_status ann_transport_sinkhorn(double *plan, ann_transport_report *report, const float *cost, int64_t ns,
                                  int64_t nt, const ann_transport_options *options) ANN_MUST_CHECK;

#endif
