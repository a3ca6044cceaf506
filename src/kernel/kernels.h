/* Every kernel's object, for the table in kernel.c. Private to src/kernel. */
#ifndef ANN_KERNEL_KERNELS_H
#define ANN_KERNEL_KERNELS_H

#include "kernel/kernel.h"

/* Plain C, one for all dtypes of its op. */
extern const ann_kernel anni_kernel_fill_ref; /* ref_source.c */
extern const ann_kernel anni_kernel_rand_ref;
extern const ann_kernel anni_kernel_one_hot_ref;
extern const ann_kernel anni_kernel_elementwise_ref; /* ref_elementwise.c */
extern const ann_kernel anni_kernel_cast_ref;
extern const ann_kernel anni_kernel_fused_ref;
extern const ann_kernel anni_kernel_bias_act_ref;
extern const ann_kernel anni_kernel_dropout_ref;
extern const ann_kernel anni_kernel_copy_ref; /* ref_move.c */
extern const ann_kernel anni_kernel_assign_ref;
extern const ann_kernel anni_kernel_permute_ref;
extern const ann_kernel anni_kernel_bcast_ref;
extern const ann_kernel anni_kernel_slice_ref;
extern const ann_kernel anni_kernel_pad_ref;
extern const ann_kernel anni_kernel_concat_ref;
extern const ann_kernel anni_kernel_pack_ref;
extern const ann_kernel anni_kernel_topk_ref;       /* ref_topk.c */
extern const ann_kernel anni_kernel_reduce_sum_ref; /* ref_reduce.c */
extern const ann_kernel anni_kernel_reduce_max_ref;
extern const ann_kernel anni_kernel_argmax_ref;
extern const ann_kernel anni_kernel_softmax_ref; /* ref_softmax.c */
extern const ann_kernel anni_kernel_log_softmax_ref;
extern const ann_kernel anni_kernel_cross_entropy_ref;
extern const ann_kernel anni_kernel_matmul_ref; /* ref_contract.c */
extern const ann_kernel anni_kernel_conv_ref;
extern const ann_kernel anni_kernel_conv_dx_ref;
extern const ann_kernel anni_kernel_conv_dw_ref;
extern const ann_kernel anni_kernel_sum_pool_ref; /* ref_pool.c */
extern const ann_kernel anni_kernel_sum_pool_dx_ref;
extern const ann_kernel anni_kernel_max_pool_ref;
extern const ann_kernel anni_kernel_max_pool_index_ref;
extern const ann_kernel anni_kernel_window_gather_ref;
extern const ann_kernel anni_kernel_window_scatter_ref;

/* Fast kernels. One for every instruction set: see simd.h. */
#define ANNI_SIMD_KERNEL(name) extern const ann_kernel name##_base, name##_avx2, name##_avx512
ANNI_SIMD_KERNEL(anni_kernel_elementwise); /* elementwise_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_cast);
ANNI_SIMD_KERNEL(anni_kernel_fused);      /* fused_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_bias_act);   /* bias_act_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_reduce_sum); /* reduce_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_softmax);    /* softmax_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_log_softmax);
ANNI_SIMD_KERNEL(anni_kernel_cross_entropy);
ANNI_SIMD_KERNEL(anni_kernel_rand); /* random_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_dropout);
ANNI_SIMD_KERNEL(anni_kernel_max_pool); /* pool_simd.c */
ANNI_SIMD_KERNEL(anni_kernel_max_pool_index);
ANNI_SIMD_KERNEL(anni_kernel_window_gather);
ANNI_SIMD_KERNEL(anni_kernel_window_scatter);
ANNI_SIMD_KERNEL(anni_kernel_sum_pool);
ANNI_SIMD_KERNEL(anni_kernel_sum_pool_dx);

/* For one instruction set. */
extern const ann_kernel anni_kernel_matmul_nt_avx512; /* matmul_nt_simd.c */

/* For every instruction set. */
extern const ann_kernel anni_kernel_permute_blocks; /* move.c */
extern const ann_kernel anni_kernel_bcast_rows;
extern const ann_kernel anni_kernel_topk_radix; /* topk.c */

/* By libraries. */
extern const ann_kernel anni_kernel_matmul_openblas; /* matmul_openblas.c */
extern const ann_kernel anni_kernel_conv_openblas;   /* conv_openblas.c: all three sides */
extern const ann_kernel anni_kernel_matmul_dnnl;     /* matmul_dnnl.c, with oneDNN alone */
extern const ann_kernel anni_kernel_conv_dnnl;       /* conv_dnnl.c, the same: all three sides */

#endif
