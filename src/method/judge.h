/* Judging a representation: what a person wants to know of the features that a model computes. Principal
   components and t-SNE to look at them; nearest neighbours and a linear probe to measure what they know of
   the classes; confusion matrix and ROC curve to see which are mistaken. datasets/figure.h draws the results.

   All functions are Local and deterministic: the same numbers for the same arguments, `threads` included.
   Features are float, sums are double. Where products of matrices are large they go through src/kernel, on
   `threads` threads (0: one), and ann_kernel_init must have been called. Errors of all functions that take
   features: ANN_ERR_SHAPE (no samples or no features), ANN_ERR_NUMERIC (a feature is not finite), ANN_ERR_ARG
   (a label is not below the number of classes, or what is said there), ANN_ERR_MEMORY. */
#ifndef ANN_METHOD_JUDGE_H
#define ANN_METHOD_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

/* The features of n samples. Borrowed. */
typedef struct ann_features {
    const float *x;       /* [n, d] */
    const int32_t *label; /* [n], 0..classes-1, where a function asks for labels; else NULL */
    int64_t n, d;
} ann_features;

/* ---- principal components (pca.c) ---- */

typedef struct ann_pca {
    int64_t d, k;
    double *mean;      /* [d] */
    double *component; /* [k, d], orthonormal; the entry of largest magnitude in each is positive */
    double *variance;  /* [k], descending: of the projection on each component, with divisor n - 1 */
    double total;      /* the sum of all d variances */
} ann_pca;

/* The k leading eigenvectors of the covariance (Pearson 1901; Hotelling 1933), by a block Krylov method
   (eigen.h) up to a residual of 1e-10 of the largest variance. n >= 2, 1 <= k <= d; meant for d up to some
   thousands and k up to some hundreds. Cost: 2 n d^2 operations, and some hundred times 2 d^2; memory 16 d^2
   bytes. Errors also: ANN_ERR_NUMERIC (no convergence). Owner: the caller, ann_pca_free. */
ann_status ann_pca_fit(ann_pca *out, const ann_features *f, int64_t k, int threads) ANN_MUST_CHECK;
void ann_pca_free(ann_pca *pca);
/* z[n, k] = (x - mean) component^T. f->d must be pca->d (ANN_ERR_SHAPE). Cost: 2 n d k. */
ann_status ann_pca_project(float *z, const ann_pca *pca, const ann_features *f, int threads) ANN_MUST_CHECK;

/* ---- t-SNE (tsne.c) ---- */

typedef struct ann_tsne_options {
    double
        perplexity; /* smooth number of neighbours, 1 <= perplexity < n; 0: the least of 30 and (n - 1) / 3 */
    int iterations; /* 0: 1000 */
    int threads;    /* of the distances and principal components; the iterations run on one */
} ann_tsne_options;

/* y[n, 2]: an embedding in which near samples are near (van der Maaten and Hinton, "Visualizing data using
   t-SNE", JMLR 2008), exact, by gradient descent on the divergence KL(P || Q) with momentum (0.5, then 0.8)
   and gains. P is taken 12 times in the first 250 iterations (at most a quarter of them), with step n / 48,
   at least 50 (Belkina et al., Nature Communications 2019). It begins at the first two principal components,
   scaled to a deviation of 1e-4 (Kobak and Linderman, Nature Biotechnology 2021), plus 1e-6 of noise that
   parts equal samples. *divergence, if not NULL, is KL(P || Q) in nats at the end. n >= 4. Distances in y
   between far groups, and their sizes, mean nothing. Cost: n^2 per iteration (2 ns each); memory 8 n^2 bytes:
   for n up to some thousands. */
ann_status ann_tsne_embed(float *y, double *divergence, const ann_features *f,
                          const ann_tsne_options *options) ANN_MUST_CHECK;

/* ---- nearest neighbours (knn.c) ---- */

typedef enum ann_knn_metric { ANN_KNN_COSINE, ANN_KNN_EUCLIDEAN } ann_knn_metric;

typedef struct ann_knn_options {
    int k; /* neighbours, 1 <= k <= train->n */
    ann_knn_metric metric;
    double temperature; /* 0: each neighbour has one vote; else exp(cosine / temperature) votes (Wu, Xiong,
                           Yu, Lin, "Unsupervised feature learning via non-parametric instance
                           discrimination", CVPR 2018, who use 0.07), for COSINE alone */
    int threads;
} ann_knn_options;

/* predicted[test->n]: the class with most votes among the k samples of `train` (labels needed) that are most
   alike. Of equal neighbours the first in train, of equal votes the smallest class wins. A vector of zeros
   has cosine 0 with all. Errors also: ANN_ERR_SHAPE (train and test differ in d). Cost: 2 d train->n test->n.
 */
ann_status ann_knn_predict(int32_t *predicted, const ann_features *train, int classes,
                           const ann_features *test, const ann_knn_options *options) ANN_MUST_CHECK;

/* ---- linear probe (probe.c) ---- */

typedef struct ann_probe_options {
    double l2;        /* >= 0 */
    int iterations;   /* at most; 0: 1000 */
    double tolerance; /* of the gradient's largest magnitude; 0: 1e-4. Below 1e-7 the
                         loss's last digits may not allow it */
    int threads;
} ann_probe_options;

typedef struct ann_probe {
    int64_t d;
    int classes;
    double *weight;        /* [d + 1, classes]; the last row is the bias */
    double loss, gradient; /* at the end: the objective, and the largest magnitude in its gradient */
    int iterations;
    bool converged; /* gradient <= tolerance */
} ann_probe;

/* Multinomial logistic regression (Alain and Bengio, "Understanding intermediate layers using linear
   classifier probes", 2016): minimises

       mean over samples of -log softmax(x W + b)[label]  +  l2 / 2 |W|^2

   by L-BFGS from 0 (lbfgs.h). With scikit-learn's C, l2 = 1 / (C n). Features are taken as they are: scale
   them first where their deviations differ much. Labels needed. Not to have converged is no error. Cost: 4 n
   d classes per evaluation, one or two evaluations per iteration. Owner: the caller, ann_probe_free. */
ann_status ann_probe_fit(ann_probe *out, const ann_features *train, int classes,
                         const ann_probe_options *options) ANN_MUST_CHECK;
void ann_probe_free(ann_probe *probe);
/* predicted[test->n]: the class of the largest logit, the smallest such class. Errors also: ANN_ERR_SHAPE
   (another d). */
ann_status ann_probe_predict(int32_t *predicted, const ann_probe *probe, const ann_features *test,
                             int threads) ANN_MUST_CHECK;

/* ---- confusion matrix (confusion.c) ---- */

/* count[classes, classes], row truth, column prediction: how many of the n samples. Errors: ANN_ERR_ARG (a
   label that is not in 0..classes-1). */
ann_status ann_confusion_count(int64_t *count, int classes, const int32_t *truth, const int32_t *predicted,
                               int64_t n) ANN_MUST_CHECK;
/* The share of samples on the diagonal; NaN without samples. */
double ann_confusion_accuracy(const int64_t *count, int classes);
/* recall[classes]: of the samples of a class, the share predicted as such; precision[classes]: of those
   predicted as a class, the share that are of it. NaN where there are none. */
void ann_confusion_rates(double *recall, double *precision, const int64_t *count, int classes);

/* ---- ROC curve (roc.c) ---- */

/* Points from (0, 0) to (1, 1), one per distinct score: point i is at the rates of those that have at least
   threshold[i]. */
typedef struct ann_roc {
    int64_t points;
    double *false_rate, *true_rate; /* [points] */
    double *threshold;              /* [points], descending, the first +infinity */
    double area; /* under the curve: the probability that a positive sample scores higher than a
                    negative one, ties counted half (Mann and Whitney 1947) */
} ann_roc;

/* The receiver operating characteristic (Fawcett, Pattern Recognition Letters 2006) of a score by which
   samples are taken for positive, such as a reconstruction's error for anomalies. Errors: ANN_ERR_ARG (no
   positive or no negative sample), ANN_ERR_NUMERIC (a score is not finite), ANN_ERR_MEMORY. Cost: n log n.
   Owner: the caller, ann_roc_free. */
ann_status ann_roc_make(ann_roc *out, const float *score, const bool *positive, int64_t n) ANN_MUST_CHECK;
void ann_roc_free(ann_roc *roc);

#endif
