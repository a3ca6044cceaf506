#include "kernel/kernel.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/kernels.h"

/* A row of the table: kernels best first, the reference last. */
#define ROW(...) ((const ann_kernel *const[]){__VA_ARGS__, NULL})
/* Rows with nothing but the reference. */
#define REF(kernel) ROW(&(kernel))
#define REF_FLOAT(kernel)                                                                                    \
    { [ANN_F32] = REF(kernel), [ANN_F64] = REF(kernel) }
#define REF_ANY(kernel)                                                                                      \
    {                                                                                                        \
        [ANN_F32] = REF(kernel), [ANN_F64] = REF(kernel), [ANN_I32] = REF(kernel), [ANN_I64] = REF(kernel),  \
        [ANN_U8] = REF(kernel)                                                                               \
    }

/* The dtypes whose every value is exact as a double. */
#define REF_EXACT(kernel)                                                                                    \
    { [ANN_F32] = REF(kernel), [ANN_F64] = REF(kernel), [ANN_I32] = REF(kernel), [ANN_U8] = REF(kernel) }
/* The kernels of a *_simd.c file, best first. */
#if defined(__x86_64__)
#define SIMD(kernel) &kernel##_avx512, &kernel##_avx2, &kernel##_base
#define SIMD_AVX512(kernel) &kernel##_avx512,
#else
#define SIMD(kernel) &kernel##_base
#define SIMD_AVX512(kernel)
#endif
/* Fast for f32, plain for f64 (and the integers). */
#define FAST_FLOAT(kernel)                                                                                   \
    { [ANN_F32] = ROW(SIMD(kernel), &kernel##_ref), [ANN_F64] = REF(kernel##_ref) }
#define FAST_ANY(kernel)                                                                                     \
    {                                                                                                        \
        [ANN_F32] = ROW(SIMD(kernel), &kernel##_ref), [ANN_F64] = REF(kernel##_ref),                         \
        [ANN_I32] = REF(kernel##_ref), [ANN_I64] = REF(kernel##_ref), [ANN_U8] = REF(kernel##_ref)           \
    }
#define FAST_EXACT(kernel)                                                                                   \
    {                                                                                                        \
        [ANN_F32] = ROW(SIMD(kernel), &kernel##_ref), [ANN_F64] = REF(kernel##_ref),                         \
        [ANN_I32] = REF(kernel##_ref), [ANN_U8] = REF(kernel##_ref)                                          \
    }
#ifdef ANN_HAVE_ONEDNN
#define ONEDNN(kernel) &kernel,
#else
#define ONEDNN(kernel)
#endif

/* [op][dtype of the output]. Ops without a row (leaves, allreduce) are the executor's own. */
static const ann_kernel *const *const table[ANN_OP_COUNT][ANN_DTYPE_COUNT] = {
    [ANN_OP_FILL] = REF_ANY(anni_kernel_fill_ref),
    [ANN_OP_RAND] = FAST_FLOAT(anni_kernel_rand),

    [ANN_OP_NEG] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_ABS] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_SIGN] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_STEP] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_EXP] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_LOG] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_SQRT] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_RECIP] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_TANH] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_SIGMOID] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_SOFTPLUS] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_RELU] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_ROUND_BF16] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_ROUND_F16] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_ADD] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_SUB] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_MUL] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_DIV] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_MAX] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_MIN] = FAST_FLOAT(anni_kernel_elementwise),
    [ANN_OP_EQ] = FAST_EXACT(anni_kernel_elementwise),
    [ANN_OP_GT] = FAST_EXACT(anni_kernel_elementwise),
    [ANN_OP_SELECT] = FAST_EXACT(anni_kernel_elementwise),
    [ANN_OP_CAST] = FAST_ANY(anni_kernel_cast),
    [ANN_OP_STOP_GRAD] = REF_ANY(anni_kernel_copy_ref),

    [ANN_OP_RESHAPE] = REF_ANY(anni_kernel_copy_ref),
    [ANN_OP_PERMUTE] = {[ANN_F32] = ROW(&anni_kernel_permute_blocks, &anni_kernel_permute_ref),
                        [ANN_F64] = REF(anni_kernel_permute_ref),
                        [ANN_I32] = ROW(&anni_kernel_permute_blocks, &anni_kernel_permute_ref),
                        [ANN_I64] = REF(anni_kernel_permute_ref),
                        [ANN_U8] = REF(anni_kernel_permute_ref)},
    [ANN_OP_BCAST] = {[ANN_F32] = ROW(&anni_kernel_bcast_rows, &anni_kernel_bcast_ref),
                      [ANN_F64] = REF(anni_kernel_bcast_ref),
                      [ANN_I32] = ROW(&anni_kernel_bcast_rows, &anni_kernel_bcast_ref),
                      [ANN_I64] = REF(anni_kernel_bcast_ref),
                      [ANN_U8] = REF(anni_kernel_bcast_ref)},
    [ANN_OP_SLICE] = REF_ANY(anni_kernel_slice_ref),
    [ANN_OP_PAD] = REF_ANY(anni_kernel_pad_ref),
    [ANN_OP_CONCAT] = REF_ANY(anni_kernel_concat_ref),

    [ANN_OP_REDUCE_SUM] = FAST_FLOAT(anni_kernel_reduce_sum),
    [ANN_OP_REDUCE_MAX] = REF_FLOAT(anni_kernel_reduce_max_ref),
    [ANN_OP_ARGMAX] = {[ANN_I32] = REF(anni_kernel_argmax_ref)},
    [ANN_OP_ONE_HOT] = REF_ANY(anni_kernel_one_hot_ref),

    [ANN_OP_MATMUL] = {[ANN_F32] = ROW(SIMD_AVX512(anni_kernel_matmul_nt) ONEDNN(anni_kernel_matmul_dnnl) &
                                           anni_kernel_matmul_openblas,
                                       &anni_kernel_matmul_ref),
                       [ANN_F64] = ROW(&anni_kernel_matmul_openblas, &anni_kernel_matmul_ref)},
    [ANN_OP_CONV] = {[ANN_F32] = ROW(ONEDNN(anni_kernel_conv_dnnl) & anni_kernel_conv_openblas,
                                     &anni_kernel_conv_ref),
                     [ANN_F64] = REF(anni_kernel_conv_ref)},
    [ANN_OP_CONV_DX] = {[ANN_F32] = ROW(ONEDNN(anni_kernel_conv_dnnl) & anni_kernel_conv_openblas,
                                        &anni_kernel_conv_dx_ref),
                        [ANN_F64] = REF(anni_kernel_conv_dx_ref)},
    [ANN_OP_CONV_DW] = {[ANN_F32] = ROW(ONEDNN(anni_kernel_conv_dnnl) & anni_kernel_conv_openblas,
                                        &anni_kernel_conv_dw_ref),
                        [ANN_F64] = REF(anni_kernel_conv_dw_ref)},

    [ANN_OP_SUM_POOL] = FAST_FLOAT(anni_kernel_sum_pool),
    [ANN_OP_SUM_POOL_DX] = FAST_FLOAT(anni_kernel_sum_pool_dx),
    [ANN_OP_MAX_POOL_INDEX] = {[ANN_U8] =
                                   ROW(SIMD(anni_kernel_max_pool_index), &anni_kernel_max_pool_index_ref)},
    [ANN_OP_WINDOW_GATHER] = FAST_FLOAT(anni_kernel_window_gather),
    [ANN_OP_WINDOW_SCATTER] = FAST_FLOAT(anni_kernel_window_scatter),

    [ANN_OP_ASSIGN] = REF_ANY(anni_kernel_assign_ref),

    [ANN_OP_SOFTMAX] = FAST_FLOAT(anni_kernel_softmax),
    [ANN_OP_LOG_SOFTMAX] = FAST_FLOAT(anni_kernel_log_softmax),
    [ANN_OP_CROSS_ENTROPY] = FAST_FLOAT(anni_kernel_cross_entropy),
    [ANN_OP_DROPOUT] = FAST_FLOAT(anni_kernel_dropout),
    [ANN_OP_MAX_POOL] = FAST_FLOAT(anni_kernel_max_pool),

    [ANN_OP_PACK] = REF_FLOAT(anni_kernel_pack_ref),
    [ANN_OP_TOPK] = {[ANN_F32] = ROW(&anni_kernel_topk_radix, &anni_kernel_topk_ref),
                     [ANN_F64] = REF(anni_kernel_topk_ref)},
    [ANN_OP_FUSED] = FAST_FLOAT(anni_kernel_fused),
    [ANN_OP_BIAS_ACT] = FAST_FLOAT(anni_kernel_bias_act),
};

const ann_kernel *ann_kernel_list(ann_op op, ann_dtype dtype, int i) {
    const ann_kernel *const *row = table[op][dtype];
    if (row == NULL) return NULL;
    for (int k = 0; k < i; k++)
        if (row[k] == NULL) return NULL;
    return row[i];
}

const ann_kernel *ann_kernel_select(const ann_kernel_call *call, ann_kernel_policy policy) {
    const ann_kernel *const *row = table[call->op][call->out_dtype];
    if (row == NULL) return NULL;
    for (; *row != NULL; row++) {
        if (policy == ANN_KERNEL_REFERENCE && row[1] != NULL) continue;
        if ((*row)->accepts == NULL || (*row)->accepts(call)) return *row;
    }
    return NULL;
}

/* ---- the processor ---- */

static atomic_int cpu_limit = ANN_CPU_AVX512;

static ann_cpu_level cpu_detect(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return ANN_CPU_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return ANN_CPU_AVX512;
    return ANN_CPU_AVX2;
#else
    return ANN_CPU_BASE;
#endif
}

ann_cpu_level ann_cpu(void) {
    const ann_cpu_level level = cpu_detect(), limit = (ann_cpu_level)atomic_load(&cpu_limit);
    return level < limit ? level : limit;
}

void ann_cpu_limit(ann_cpu_level level) { atomic_store(&cpu_limit, (int)level); }

/* Weak: a build on another BLAS, which has no such function, still links. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

void ann_kernel_init(void) {
    if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
}
