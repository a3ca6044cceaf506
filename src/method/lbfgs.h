/* Minimising a smooth convex function. Private to src/method. */
#ifndef ANN_METHOD_LBFGS_H
#define ANN_METHOD_LBFGS_H

#include <stdint.h>
#include "base/status.h"

typedef struct anni_objective {
    /* *value and gradient[n] at x[n]. */
    ann_status (*evaluate)(void *of, double *value, double *gradient, const double *x);
    void *of;
    int64_t n;
} anni_objective;

typedef struct anni_minimum {
    double value, gradient; /* the latter is the largest magnitude in it */
    int iterations;
} anni_minimum;

/* Goes from x[n] down to where no component of the gradient exceeds `tolerance` in magnitude, where a step no
   longer makes the value smaller (its last digits are reached), or for `iterations` steps, by L-BFGS with the
   last 10 steps (Liu and Nocedal, Mathematical Programming 1989); steps are halved until the value falls
   enough (Armijo), and a step without positive curvature is not remembered. Memory: 24 n doubles. Errors: of
   evaluate, ANN_ERR_MEMORY. */
ann_status anni_lbfgs(anni_minimum *out, double *x, const anni_objective *f, int iterations,
                      double tolerance) ANN_MUST_CHECK;

#endif
