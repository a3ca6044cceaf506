/* The pieces of t-SNE, for its test. Private to src/method. */
#ifndef ANN_METHOD_TSNE_H
#define ANN_METHOD_TSNE_H

#include "method/judge.h"

/* p[n, n] = (p_j|i + p_i|j) / 2n, 0 on the diagonal, with p_j|i proportional to exp(-beta_i |x_i - x_j|^2)
   and beta_i such that its entropy is log(perplexity), to 1e-10, by bisection. Where more samples than that
   are equal to i, they share it. p[n, n] holds the squared distances at first; row[n] is scratch. Needs n
   >= 2. */
void anni_tsne_affinities(double *p, double *row, int64_t n, double perplexity);
/* gradient[2, n] = d KL(P' || Q) / dy at y[2, n] for P' = `exaggeration` p, with the sum of P' taken for 1:
   4 sum over j of (p'_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2), q_ij proportional to 1 / (1 + |y_i -
   y_j|^2). repulsion[2, n] is scratch. */
void anni_tsne_gradient(double *gradient, double *repulsion, const double *p, double exaggeration,
                        const double *y, int64_t n);
/* KL(P || Q), in nats. */
double anni_tsne_divergence(const double *p, const double *y, int64_t n);

#endif
