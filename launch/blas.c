#include "blas.h"

#include <stdlib.h>
#include <unistd.h>
#include "kernel/kernel.h"

void blas_settle(char **argv) {
    static const char core[] = "OPENBLAS_CORETYPE", mark[] = "ANNULUS_BLAS_SETTLED";
    if (getenv(mark)) { /* it is read; what this process starts has its own choice */
        (void)unsetenv(mark);
        (void)unsetenv(core);
        return;
    }
    const char *better =
        getenv(core) ? NULL : ann_kernel_better_core(ann_kernel_describe_libraries().core, ann_cpu());
    if (!better || setenv(core, better, 1) != 0 || setenv(mark, "1", 1) != 0) return;
    (void)execv("/proc/self/exe", argv);
    (void)unsetenv(core);
    (void)unsetenv(mark);
}
