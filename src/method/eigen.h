/* The leading eigenvectors of a large symmetric matrix. Private to src/method. */
#ifndef ANN_METHOD_EIGEN_H
#define ANN_METHOD_EIGEN_H

#include <stdint.h>
#include "base/status.h"

/* value[k] descending and orthonormal vector[k, d]: the leading eigenpairs of a[d, d], symmetric and positive
   semidefinite, each with |a v - value v| <= 1e-10 value[0].

   A block Krylov method with restarts (Musco and Musco, "Randomized block Krylov methods for stronger and
   faster approximate singular value decomposition", NeurIPS 2015): a block V of k vectors and a few more is
   extended by a V, a^2 V ... to an orthonormal basis of some hundred vectors; the small matrix of a in that
   basis is diagonalised (Rayleigh and Ritz), and its leading eigenvectors are the next V. Where the basis
   spans everything one round is exact. The first V is drawn by Philox with a fixed seed. Cost: some rounds of
   2 d^2 operations per vector of the basis. Errors: ANN_ERR_NUMERIC (no convergence in 1000 rounds),
   ANN_ERR_MEMORY. */
ann_status anni_eigen_leading(double *value, double *vector, const double *a, int64_t d, int64_t k,
                              int threads) ANN_MUST_CHECK;

#endif
