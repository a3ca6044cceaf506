/* For the files named *_simd.c, which are compiled once per instruction set (-DANN_SIMD=base|avx2|avx512).
   They are plain C loops for the vectorizer; each defines its kernels under a name that ends in the set's,
   and a kernel accepts only calls on a processor that has the set. Private to src/kernel. */
#ifndef ANN_KERNEL_SIMD_H
#define ANN_KERNEL_SIMD_H

#include "kernel/kernel.h"

#define ANNI_PASTE_(a, b) a##_##b
#define ANNI_PASTE(a, b) ANNI_PASTE_(a, b)
#define ANNI_QUOTE_(a) #a
#define ANNI_QUOTE(a) ANNI_QUOTE_(a)

/* anni_exp -> anni_exp_avx512 */
#define ANNI_SIMD(name) ANNI_PASTE(name, ANN_SIMD)
/* "exp." -> "exp.avx512" */
#define ANNI_SIMD_NAME(prefix) prefix ANNI_QUOTE(ANN_SIMD)

enum { anni_level_base = ANN_CPU_BASE, anni_level_avx2 = ANN_CPU_AVX2, anni_level_avx512 = ANN_CPU_AVX512 };

static inline bool anni_simd_here(void) { return (int)ann_cpu() >= (int)ANNI_SIMD(anni_level); }

#define ANNI_INLINE static inline __attribute__((always_inline))

#endif
