/* All eigenvalues of a small symmetric matrix. Private to src/method. */
#ifndef ANN_METHOD_JACOBI_H
#define ANN_METHOD_JACOBI_H

#include <stdint.h>

/* vector[n, n]: orthonormal rows, value[n] descending, with a = sum over i of value[i] vector[i] vector[i]^T,
   by Jacobi's cyclic rotations (Golub and Van Loan, "Matrix computations", 8.5), each eigenvalue to some
   1e-16 of |a|. Destroys a[n, n]. Cost: about 8 sweeps of 6 n^3 operations. */
void anni_jacobi(double *value, double *vector, double *a, int64_t n);

#endif
