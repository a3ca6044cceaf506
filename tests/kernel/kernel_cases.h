/* Calls on which every kernel of the table is compared with its reference: sizes that are odd, one, zero,
   just below and above the width of a vector or of a tile, and the layers of real networks. */
#ifndef ANN_TESTS_KERNEL_KERNEL_CASES_H
#define ANN_TESTS_KERNEL_KERNEL_CASES_H

#include "kernel/kernel.h"

typedef enum case_gen {
    CASE_SIGNED,    /* uniform in (-2, 2) */
    CASE_POSITIVE,  /* uniform in (0.01, 10) */
    CASE_WIDE,      /* uniform in (-100, 100) */
    CASE_SMALL_INT, /* -3..3, as floats: sums and products are exact */
    CASE_SQUARE,    /* 0, 1, 4, 9 */
    CASE_POWER,     /* 1, 2, 4 */
    CASE_BINARY,
    CASE_SPECIAL_A, /* zeros, infinities, NaN, extremes ... */
    CASE_SPECIAL_B, /* such that (A, B) at equal places are all pairs */
    CASE_LABEL,     /* i32, -1..mod */
    CASE_IDS,       /* i64 */
    CASE_INDEX      /* u8, 0..mod-1 */
} case_gen;

enum { CASE_SPECIALS = 22 };

/* How far a result may be from the reference's, in units of u = 2^-24 or 2^-53. */
typedef enum case_bound {
    BOUND_EXACT,
    BOUND_VALUE, /* slack * u * |reference|: one function of one element */
    BOUND_SUM, /* slack * u * the same sum over absolute values: what roundings of the terms of a sum can add
                  up to */
    BOUND_ROW  /* slack * u * (1 + 2 max |input|): softmax and its family, whose exponents are differences of
                  inputs */
} case_bound;

enum { CASE_MAX_IN = 4 };

typedef struct kernel_case {
    char name[128];
    ann_op op;
    ann_attrs attrs;
    int n_in;
    ann_shape in_shape[CASE_MAX_IN];
    ann_dtype in_dtype[CASE_MAX_IN];
    case_gen gen[CASE_MAX_IN];
    int mod;
    ann_shape out_shape;
    ann_dtype out_dtype;
    case_bound bound;
    double slack;
    bool in_place; /* out may be input 0's memory */
} kernel_case;

typedef void (*case_visit)(const kernel_case *c);

/* Calls visit with each case; `real` is the dtype of float tensors. */
void kernel_cases(ann_dtype real, case_visit visit);
/* Random fused loops over small integers, whose every value is exact. */
void fused_cases(ann_dtype real, case_visit visit);

void kernel_case_fill(void *data, const kernel_case *c, int input);

#endif
