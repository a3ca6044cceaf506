/* What each elementwise op does to one element, in double. The reference kernels, the
   reference interpreter of fused loops and constant folding call these; fast kernels are tested against them.
   NaN goes through every op that returns one of its operands or a continuous function of them (max, min, relu
   included); comparisons with NaN are false. */
#ifndef ANN_KERNEL_SCALAR_H
#define ANN_KERNEL_SCALAR_H

#include "graph/op.h"

typedef double (*anni_scalar_fn)(double a, double b, double c);

/* NULL if `op` is not elementwise. Operands an op does not have are ignored. */
anni_scalar_fn anni_scalar(ann_op op);

#endif
