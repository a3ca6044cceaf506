/* Kernel mean matching by sequential minimal optimisation. */
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/vector.h"
#include "method/weigh.h"

enum { ITERATIONS = 1000000 };
static const double default_bound = 1000, default_tolerance = 1e-5;

/* Equality in place of the inequality: coefficient n, with a kernel and q of 0, takes what is left of the
   greatest sum. */
typedef struct kmm {
    int64_t n;
    double bound, low, high; /* 0 <= x_i <= bound, low <= sum of x_0..n-1 <= high */
    double *kernel, *q;      /* K [n, n], [n] */
    double *x, *gradient;    /* [n + 1]: coefficients, and K x - q */
} kmm;

static double most_of(const kmm *p, int64_t i) { return i < p->n ? p->bound : p->high - p->low; }

static double kernel_at(const kmm *p, int64_t i, int64_t j) {
    return i < p->n && j < p->n ? p->kernel[i * p->n + j] : 0;
}

static double curvature(const kmm *p, int64_t i, int64_t j) {
    return fmax(kernel_at(p, i, i) + kernel_at(p, j, j) - 2 * kernel_at(p, i, j), 1e-12);
}

/* The coefficient of least gradient that can grow (*up), and of those that can shrink in favour of it the one
   whose pair promises the most (*down). Returns how far the greatest gradient of those is above the least, 0
   if it is not. */
static double choose_pair(int64_t *up, int64_t *down, const kmm *p) {
    double violation = 0, best = 0;
    *up = *down = -1;
    for (int64_t i = 0; i <= p->n; i++)
        if (p->x[i] < most_of(p, i) && (*up < 0 || p->gradient[i] < p->gradient[*up])) *up = i;
    for (int64_t j = 0; j <= p->n && *up >= 0; j++) {
        const double fall = p->gradient[j] - p->gradient[*up];
        if (!(p->x[j] > 0 && fall > 0)) continue;
        violation = fmax(violation, fall);
        const double gain = fall * fall / curvature(p, *up, j);
        if (gain > best) {
            best = gain;
            *down = j;
        }
    }
    return violation;
}

/* Moves from x_down to x_up what is best, or what the bounds allow. */
static void move(kmm *p, int64_t up, int64_t down) {
    const double wanted = (p->gradient[down] - p->gradient[up]) / curvature(p, up, down);
    const double room = fmin(most_of(p, up) - p->x[up], p->x[down]), amount = fmin(wanted, room);
    p->x[up] = amount == most_of(p, up) - p->x[up] ? most_of(p, up) : p->x[up] + amount;
    p->x[down] = p->x[down] - amount;
    if (up < p->n) anni_add(p->gradient, amount, p->kernel + up * p->n, p->n);
    if (down < p->n) anni_add(p->gradient, -amount, p->kernel + down * p->n, p->n);
}

static void minimise(ann_weigh_report *report, kmm *p, double tolerance, int iterations) {
    const double scale = 2 * p->high / ((double)p->n * (double)p->n);
    int64_t up, down;
    p->x[p->n] = p->high - (double)p->n;
    for (int64_t i = 0; i < p->n; i++) {
        p->x[i] = 1;
        p->gradient[i] = -p->q[i];
        for (int64_t j = 0; j < p->n; j++) p->gradient[i] += p->kernel[i * p->n + j];
    }
    report->gap = scale * choose_pair(&up, &down, p);
    for (report->iterations = 0; report->iterations < iterations && report->gap > tolerance;
         report->iterations++) {
        move(p, up, down);
        report->gap = scale * choose_pair(&up, &down, p);
    }
}

/* ---- the problem ---- */

static void apply_kernel(double *squares, int64_t count, double width) {
    for (int64_t i = 0; i < count; i++) squares[i] = exp(-squares[i] / (2 * width * width));
}

/* q, and *width if it is 0. */
static ann_status meet_target(double *width, kmm *p, const ann_weigh_domains *of) {
    const anni_array source = {of->source, of->ns, of->d}, target = {of->target, of->nt, of->d};
    double *k;
    ANN_TRY(anni_doubles_new(&k, of->ns * of->nt));
    ann_status status = anni_squared_distances(k, source, target, of->threads);
    if (status == ANN_OK && *width == 0) status = anni_median_distance(width, k, of->ns * of->nt);
    if (status == ANN_OK) apply_kernel(k, of->ns * of->nt, *width);
    for (int64_t i = 0; i < of->ns; i++) {
        double sum = 0;
        for (int64_t j = 0; j < of->nt; j++) sum += k[i * of->nt + j];
        p->q[i] = sum * (double)of->ns / (double)of->nt;
    }
    free(k);
    return status;
}

static ann_status solve(double *w, ann_weigh_report *report, kmm *p, const ann_weigh_domains *of,
                        const ann_weigh_kmm_options *options) {
    const anni_array source = {of->source, of->ns, of->d};
    double sum = 0;
    report->width = options->width;
    ANN_TRY(meet_target(&report->width, p, of));
    ANN_TRY(anni_squared_distances(p->kernel, source, source, of->threads));
    apply_kernel(p->kernel, p->n * p->n, report->width);
    minimise(report, p, options->tolerance > 0 ? options->tolerance : default_tolerance,
             options->iterations > 0 ? options->iterations : ITERATIONS);
    for (int64_t i = 0; i < p->n; i++) sum += p->x[i];
    for (int64_t i = 0; i < p->n; i++) w[i] = p->x[i] * (double)p->n / sum;
    return ANN_OK;
}

static ann_status check(const ann_weigh_domains *of, const ann_weigh_kmm_options *o) {
    if (!(o->width >= 0 && isfinite(o->width)) || !(o->bound == 0 || (o->bound >= 1 && isfinite(o->bound))) ||
        !(o->slack >= 0 && o->slack < 1) || !(o->tolerance >= 0) || o->iterations < 0)
        return ann_error(ANN_ERR_ARG,
                         "kernel mean matching of width %g, bound %g, slack %g, tolerance %g, %d iterations",
                         o->width, o->bound, o->slack, o->tolerance, o->iterations);
    ANN_TRY(anni_array_check((anni_array){of->source, of->ns, of->d}, "features of the source"));
    return anni_array_check((anni_array){of->target, of->nt, of->d}, "features of the target");
}

ann_status ann_weigh_kmm(double *w, ann_weigh_report *report, const ann_weigh_domains *of,
                         const ann_weigh_kmm_options *options) {
    double *memory;
    ANN_TRY(check(of, options));
    const int64_t n = of->ns;
    const double slack = options->slack > 0 ? options->slack : 1 - 1 / sqrt((double)n);
    ANN_TRY(anni_doubles_new(&memory, n * (n + 3) + 2));
    kmm p = {.n = n,
             .bound = options->bound > 0 ? options->bound : default_bound,
             .low = (double)n * (1 - slack),
             .high = (double)n * (1 + slack),
             .kernel = memory};
    p.q = p.kernel + n * n;
    p.x = p.q + n;
    p.gradient = p.x + n + 1;
    ann_weigh_report own;
    const ann_status status = solve(w, report != NULL ? report : &own, &p, of, options);
    free(memory);
    return status;
}
