/* An OpenBLAS that is older than the processor. */
#ifndef ANNULUS_LAUNCH_BLAS_H
#define ANNULUS_LAUNCH_BLAS_H

/* OpenBLAS chooses its kernels when it is loaded. Where it took the processor for one of the oldest, and the
   environment has not said so, this program is started once more, in the same process, with OPENBLAS_CORETYPE
   set while it loads. To be called before anything else. */
void blas_settle(char **argv);

#endif
