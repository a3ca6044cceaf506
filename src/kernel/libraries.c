#include <cblas.h>
#ifdef ANN_HAVE_ONEDNN
#include <dnnl.h>
#endif

#include "kernel/kernel.h"

ann_kernel_libraries ann_kernel_describe_libraries(void) {
    static const char *const flavours[] = {"sequential", "pthread", "OpenMP"};
    const int flavour = openblas_get_parallel();
    ann_kernel_libraries libraries = {.openblas = openblas_get_config(),
                                      .flavour = flavour >= 0 && flavour <= 2 ? flavours[flavour] : "unknown",
                                      .core = openblas_get_corename()};
#ifdef ANN_HAVE_ONEDNN
    const dnnl_version_t *version = dnnl_version();
    libraries.dnnl[0] = version->major;
    libraries.dnnl[1] = version->minor;
    libraries.dnnl[2] = version->patch;
#endif
    return libraries;
}
