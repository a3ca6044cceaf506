#include "method/discriminator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "method/features.h"
#include "method/lbfgs.h"
#include "method/vector.h"

static const double tolerance = 1e-6;
enum { ITERATIONS = 1000 };

typedef struct problem {
    double *x;            /* [n, d + 1]: standardized samples, the source's first, and a 1 */
    double *mean, *scale; /* [d]: the standardization */
    int64_t n_source, n, d;
    double l2;
} problem;

static void copy_rows(double *to, anni_array rows) {
    const ann_features f = {.x = rows.x, .n = rows.n, .d = rows.width};
    anni_features_rows(to, rows.width + 1, &f, 0, rows.n, NULL);
}

static void standardize(problem *p) {
    const int64_t width = p->d + 1;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->d; k++) p->mean[k] += p->x[i * width + k] / (double)p->n;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->d; k++) {
            const double off = p->x[i * width + k] -= p->mean[k];
            p->scale[k] += off * off / (double)p->n; /* the variance, inverted below */
        }
    for (int64_t k = 0; k < p->d; k++) {
        const double rounding = 1e-12 * p->mean[k] * p->mean[k]; /* what is left of a constant feature */
        p->scale[k] = p->scale[k] > rounding ? 1 / sqrt(p->scale[k]) : 0;
    }
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->d; k++) p->x[i * width + k] *= p->scale[k];
}

/* log(1 + exp(z)); *slope is its derivative. */
static double softplus(double *slope, double z) {
    const double e = exp(-fabs(z));
    *slope = (z > 0 ? 1 : e) / (1 + e);
    return fmax(z, 0) + log1p(e);
}

static ann_status evaluate(void *of, double *value, double *gradient, const double *v) {
    const problem *p = of;
    const int64_t width = p->d + 1;
    double sum = 0;
    memset(gradient, 0, (size_t)width * sizeof *gradient);
    for (int64_t i = 0; i < p->n; i++) {
        const double *x = p->x + i * width, sign = i < p->n_source ? 1 : -1;
        double slope;
        sum += softplus(&slope, sign * anni_dot(x, v, width));
        anni_add(gradient, sign * slope / (double)p->n, x, width);
    }
    anni_add(gradient, p->l2, v, p->d);
    *value = sum / (double)p->n + p->l2 / 2 * anni_dot(v, v, p->d);
    return ANN_OK;
}

/* The weights of standardized samples become those of samples. v: [d + 1]. */
static void keep(anni_discriminator *out, const problem *p, const double *v) {
    for (int64_t k = 0; k < p->d; k++) out->weight[k] = v[k] * p->scale[k];
    memcpy(out->mean, p->mean, (size_t)p->d * sizeof *out->mean);
    out->bias = v[p->d] + log((double)p->n_source / (double)(p->n - p->n_source));
}

static ann_status fit(anni_discriminator *out, anni_array source, anni_array target, double l2) {
    const int64_t n = source.n + target.n, d = source.width;
    double *memory;
    ANN_TRY(anni_doubles_new(&memory, n * (d + 1) + 3 * d + 1));
    problem p = {.x = memory, .n_source = source.n, .n = n, .d = d, .l2 = l2};
    p.mean = p.x + n * (d + 1);
    p.scale = p.mean + d;
    double *v = p.scale + d;
    copy_rows(p.x, source);
    copy_rows(p.x + source.n * (d + 1), target);
    standardize(&p);
    const anni_objective objective = {.evaluate = evaluate, .of = &p, .n = d + 1};
    anni_minimum at;
    const ann_status status = anni_lbfgs(&at, v, &objective, ITERATIONS, tolerance);
    if (status == ANN_OK) keep(out, &p, v);
    free(memory);
    return status;
}

ann_status anni_discriminator_fit(anni_discriminator *out, anni_array source, anni_array target, double l2) {
    *out = (anni_discriminator){.d = source.width};
    if (!(l2 > 0 && isfinite(l2))) return ann_error(ANN_ERR_ARG, "a domain discriminator with l2 %g", l2);
    ANN_TRY(anni_array_check(source, "features of the source"));
    ANN_TRY(anni_array_check(target, "features of the target"));
    ANN_TRY(anni_doubles_new(&out->weight, 2 * out->d));
    out->mean = out->weight + out->d;
    const ann_status status = fit(out, source, target, l2);
    if (status != ANN_OK) anni_discriminator_free(out);
    return status;
}

void anni_discriminator_free(anni_discriminator *d) {
    free(d->weight);
    *d = (anni_discriminator){0};
}

double anni_discriminator_log_ratio(const anni_discriminator *d, const float *x) {
    double logit = d->bias;
    for (int64_t k = 0; k < d->d; k++) logit += d->weight[k] * ((double)x[k] - d->mean[k]);
    return logit;
}
