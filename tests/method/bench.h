/* A small model on which methods are compared with an independent implementation, in float64: 8 samples of 6
   numbers, 4 of a labelled source and 4 of an unlabelled target, and dense blocks whose parameters are 0.5
   sin(1.3 i + k + 1), a teacher's and a tutor's 0.4 sin(...), i counting a block's elements (weight, then
   bias) and k blocks. tests/reference/method_bench.py is its double. */
#ifndef TESTS_METHOD_BENCH_H
#define TESTS_METHOD_BENCH_H

#include "method/method.h"

/* BENCH_WHOLE: phases[].batch, of which the samples are a smaller last one. */
enum { BENCH_BATCH = 8, BENCH_WHOLE = 9, BENCH_INPUTS = 6, BENCH_FEATURES = 4, BENCH_CLASSES = 3 };

/* What is to come out for a tensor: its gradient, or with ANN_ROLE_STATE its value after the step. */
typedef struct bench_values {
    const char *tensor;
    int n;
    const double *values;
} bench_values;

typedef struct bench_case {
    ann_method_config config;
    const char *const *model; /* NULL: {"encoder", "head"} */
    int model_count;
    ann_method_likeness likeness;
    double progress;
    int step, stage;
    const int32_t *domain; /* [BENCH_BATCH]; NULL: 0, 1, 0, 1 ... */
    bool noisy;            /* what is to be reconstructed is x2 */
    bool evaluates;        /* the loss is the sum of what the method's `evaluate` says */
    double loss;
    const bench_values *gradients;
    int gradient_count;
    const float *table;        /* [BENCH_BATCH], of a method that has one */
    const bench_values *given; /* values of tensors that are no block's */
    int given_count;
} bench_case;

/* What a generator wrote for a case. */
#define BENCH_VALUES(name)                                                                                   \
    .loss = name##_loss, .gradients = name##_gradients,                                                      \
    .gradient_count = sizeof name##_gradients / sizeof name##_gradients[0]

/* Builds, computes and compares; whatever differs fails the test. The tolerance is that of rounding: 2^12 eps
   relative to the largest element. */
void bench_check(const bench_case *c);
/* The graph's error is this text. */
void bench_refuses(const bench_case *c, const char *error);

#endif
