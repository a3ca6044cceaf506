/* Samples of several classes for the tests of neighbours and of the probe, as gen_judge.py makes them:
   table_at(first +
   ...), with 0.3 added to feature c of class c. */
#ifndef ANN_TESTS_METHOD_GROUPED_H
#define ANN_TESTS_METHOD_GROUPED_H

#include "method/judge.h"
#include "table.h"

enum { GROUPED_TRAIN = 300, GROUPED_TEST = 270, GROUPED_D = 6, GROUPED_CLASSES = 4 };

static inline ann_features grouped_samples(float *x, int32_t *label, int n, int64_t first) {
    for (int i = 0; i < n; i++) {
        label[i] = i % GROUPED_CLASSES;
        for (int j = 0; j < GROUPED_D; j++) x[i * GROUPED_D + j] = table_at(first + i * GROUPED_D + j);
        x[i * GROUPED_D + label[i]] += 0.3f;
    }
    return (ann_features){.x = x, .label = label, .n = n, .d = GROUPED_D};
}

#endif
