#include <cblas.h>
#ifdef ANN_HAVE_ONEDNN
#include <dnnl.h>
#endif

#include <string.h>
#include "kernel/kernel.h"

const char *ann_kernel_better_core(const char *core, ann_cpu_level level) {
    static const char *const old[] = {"Core2", "Nehalem", "Prescott", "Sandybridge", "Haswell", "Zen"};
    enum { WITHOUT_AVX2 = 4, COUNT = sizeof old / sizeof old[0] };
    const int count = level == ANN_CPU_AVX512 ? COUNT : level == ANN_CPU_AVX2 ? WITHOUT_AVX2 : 0;
    for (int i = 0; i < count; i++)
        if (strcmp(core, old[i]) == 0) return level == ANN_CPU_AVX512 ? "SkylakeX" : "Haswell";
    return NULL;
}

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
