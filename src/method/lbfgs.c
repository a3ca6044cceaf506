#include "method/lbfgs.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "method/vector.h"

enum { MEMORY = 10, HALVINGS = 40 };

typedef struct state {
    const anni_objective *f;
    int64_t n;
    double value, trial_value;
    double *x, *gradient, *trial, *trial_gradient, *direction; /* [n] */
    double *step[MEMORY], *change[MEMORY];                     /* [n]: of x and of the gradient */
    double curvature[MEMORY];                                  /* step . change */
    int64_t taken;                                             /* pairs so far; the last MEMORY are kept */
} state;

static double largest(const double *x, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most;
}

/* direction = -(inverse Hessian) gradient, by the recursion of two loops. Without a pair, a step of length 1.
 */
static void choose_direction(state *s) {
    const int64_t n = s->n, oldest = s->taken > MEMORY ? s->taken - MEMORY : 0;
    double share[MEMORY];
    memcpy(s->direction, s->gradient, (size_t)n * sizeof *s->direction);
    for (int64_t i = s->taken - 1; i >= oldest; i--) {
        const int at = (int)(i % MEMORY);
        share[at] = anni_dot(s->step[at], s->direction, n) / s->curvature[at];
        anni_add(s->direction, -share[at], s->change[at], n);
    }
    const int last = (int)((s->taken + MEMORY - 1) % MEMORY);
    const double scale = s->taken > 0 ? s->curvature[last] / anni_dot(s->change[last], s->change[last], n)
                                      : 1 / fmax(1, sqrt(anni_dot(s->gradient, s->gradient, n)));
    for (int64_t j = 0; j < n; j++) s->direction[j] *= -scale;
    for (int64_t i = oldest; i < s->taken; i++) {
        const int at = (int)(i % MEMORY);
        const double back = anni_dot(s->change[at], s->direction, n) / s->curvature[at];
        anni_add(s->direction, -share[at] - back, s->step[at], n);
    }
}

/* trial = x + length direction with a value that has fallen enough; *found is false if there is none. */
static ann_status search(state *s, bool *found) {
    const double slope = anni_dot(s->gradient, s->direction, s->n);
    double length = 1;
    *found = false;
    for (int i = 0; i < HALVINGS && !*found; i++, length /= 2) {
        memcpy(s->trial, s->x, (size_t)s->n * sizeof *s->x);
        anni_add(s->trial, length, s->direction, s->n);
        ANN_TRY(s->f->evaluate(s->f->of, &s->trial_value, s->trial_gradient, s->trial));
        *found = s->trial_value < s->value && s->trial_value <= s->value + 1e-4 * length * slope;
    }
    return ANN_OK;
}

/* Remembers the pair that leads from x to trial, and goes there. */
static void advance(state *s) {
    const int at = (int)(s->taken % MEMORY);
    for (int64_t j = 0; j < s->n; j++) {
        s->step[at][j] = s->trial[j] - s->x[j];
        s->change[at][j] = s->trial_gradient[j] - s->gradient[j];
    }
    s->curvature[at] = anni_dot(s->step[at], s->change[at], s->n);
    s->taken += s->curvature[at] > 1e-14 * anni_dot(s->change[at], s->change[at], s->n);
    memcpy(s->x, s->trial, (size_t)s->n * sizeof *s->x);
    memcpy(s->gradient, s->trial_gradient, (size_t)s->n * sizeof *s->gradient);
    s->value = s->trial_value;
}

static ann_status minimise(anni_minimum *out, state *s, int iterations, double tolerance) {
    bool found = true;
    ANN_TRY(s->f->evaluate(s->f->of, &s->value, s->gradient, s->x));
    while (out->iterations < iterations && largest(s->gradient, s->n) > tolerance) {
        choose_direction(s);
        ANN_TRY(search(s, &found));
        if (!found) break;
        advance(s);
        out->iterations++;
    }
    out->value = s->value;
    out->gradient = largest(s->gradient, s->n);
    return ANN_OK;
}

ann_status anni_lbfgs(anni_minimum *out, double *x, const anni_objective *f, int iterations,
                      double tolerance) {
    const int64_t n = f->n;
    state s = {.f = f, .n = n};
    *out = (anni_minimum){0};
    double *memory = malloc((size_t)((4 + 2 * MEMORY) * n) * sizeof *memory);
    if (memory == NULL)
        return ann_error(ANN_ERR_MEMORY, "minimising over %" PRId64 " numbers: out of memory", n);
    s.x = x;
    s.gradient = memory;
    s.trial = memory + n;
    s.trial_gradient = memory + 2 * n;
    s.direction = memory + 3 * n;
    for (int i = 0; i < MEMORY; i++) {
        s.step[i] = memory + (4 + i) * n;
        s.change[i] = memory + (4 + MEMORY + i) * n;
    }
    const ann_status status = minimise(out, &s, iterations, tolerance);
    free(memory);
    return status;
}
