#include "method/select.h"

#include <math.h>
#include <stdlib.h>
#include "method/judge.h"

/* p[classes] = softmax of row i; returns its entropy in nats. */
static double predict(double *p, const ann_method_sight *s, int64_t i) {
    const float *z = s->logits + i * s->classes;
    double top = -INFINITY, sum = 0, entropy = 0;
    for (int64_t c = 0; c < s->classes; c++) top = fmax(top, (double)z[c]);
    for (int64_t c = 0; c < s->classes; c++) sum += p[c] = exp((double)z[c] - top);
    for (int64_t c = 0; c < s->classes; c++) {
        p[c] /= sum;
        if (p[c] > 0) entropy -= p[c] * log(p[c]);
    }
    return entropy;
}

/* ---- entropy and information ---- */

typedef struct entropies {
    double conditional, marginal;
} entropies;

static entropies both(const ann_method_sight *s) {
    double *p = calloc(2 * (size_t)s->classes, sizeof *p), *mean = p ? p + s->classes : NULL;
    entropies e = {NAN, NAN};
    if (!p) return e;
    e = (entropies){0, 0};
    for (int64_t i = 0; i < s->samples; i++) {
        e.conditional += predict(p, s, i) / (double)s->samples;
        for (int64_t c = 0; c < s->classes; c++) mean[c] += p[c] / (double)s->samples;
    }
    for (int64_t c = 0; c < s->classes; c++)
        if (mean[c] > 0) e.marginal -= mean[c] * log(mean[c]);
    free(p);
    return e;
}

double ann_select_entropy(const ann_method_sight *target) { return both(target).conditional; }
double ann_select_information(const ann_method_sight *target) {
    const entropies e = both(target);
    return e.marginal - e.conditional;
}

/* ---- density of neighbours ---- */

/* Entropy of softmax(S_i / 0.05) over j != i; p [n, k] of unit length. row: [n] scratch. */
static double row_entropy(const float *p, double *row, int64_t n, int64_t k, int64_t i) {
    double top = -INFINITY, sum = 0, weighted = 0;
    for (int64_t j = 0; j < n; j++) {
        double dot = 0;
        for (int64_t c = 0; c < k; c++) dot += (double)p[i * k + c] * (double)p[j * k + c];
        row[j] = dot / 0.05;
        if (j != i) top = fmax(top, row[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        if (j == i) continue;
        const double e = exp(row[j] - top);
        sum += e;
        weighted += e * (row[j] - top);
    }
    return log(sum) - weighted / sum;
}

ann_status ann_select_density(double *out, const ann_method_sight *target) {
    const int64_t n = target->samples < ANN_SELECT_SND_SAMPLES ? target->samples : ANN_SELECT_SND_SAMPLES,
                  k = target->classes;
    float *p = calloc((size_t)(n * k), sizeof *p);
    double *row = calloc((size_t)(n + k), sizeof *row), total = 0;
    *out = NAN;
    if (p && row) {
        for (int64_t i = 0; i < n; i++) {
            double squares = 0;
            predict(row, target, i * target->samples / n);
            for (int64_t c = 0; c < k; c++) squares += row[c] * row[c];
            for (int64_t c = 0; c < k; c++) p[i * k + c] = (float)(row[c] / sqrt(squares));
        }
        for (int64_t i = 0; i < n && n > 1; i++) total += row_entropy(p, row, n, k, i);
        if (n > 1) *out = total / (double)n;
    }
    const bool good = p && row;
    free(p);
    free(row);
    return good ? ANN_OK
                : ann_error(ANN_ERR_MEMORY, "no memory for the neighbours of %lld samples", (long long)n);
}

/* ---- deep embedded validation ---- */

/* Features of the training samples of both domains, standardized, with the domain as the label; mean and
   scale [d] are the standardization. */
typedef struct domains {
    float *x;
    int32_t *label;
    double *mean, *scale;
    int64_t n, d;
} domains;

static void standardize(float *out, const float *x, const domains *of, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < of->d; k++)
            out[i * of->d + k] = (float)(((double)x[i * of->d + k] - of->mean[k]) * of->scale[k]);
}

static void measure(domains *of, const ann_method_sight *part) {
    for (int64_t i = 0; i < part->samples; i++)
        for (int64_t k = 0; k < of->d; k++) {
            const double v = (double)part->features[i * of->d + k];
            of->mean[k] += v;
            of->scale[k] += v * v;
        }
}

static ann_status join(domains *of, const ann_method_sight *source, const ann_method_sight *target) {
    const size_t n = (size_t)(source->samples + target->samples), d = (size_t)source->width;
    *of = (domains){.x = calloc(n * d, sizeof(float)),
                    .label = calloc(n, sizeof(int32_t)),
                    .mean = calloc(d, sizeof(double)),
                    .scale = calloc(d, sizeof(double)),
                    .n = (int64_t)n,
                    .d = (int64_t)d};
    if (!of->x || !of->label || !of->mean || !of->scale)
        return ann_error(ANN_ERR_MEMORY, "no memory for the features of %zu samples", n);
    measure(of, source);
    measure(of, target);
    for (size_t k = 0; k < d; k++) {
        of->mean[k] /= (double)n;
        const double variance = of->scale[k] / (double)n - of->mean[k] * of->mean[k];
        of->scale[k] = variance > 1e-12 ? 1 / sqrt(variance) : 0;
    }
    standardize(of->x, source->features, of, source->samples);
    standardize(of->x + source->samples * of->d, target->features, of, target->samples);
    for (int64_t i = source->samples; i < of->n; i++) of->label[i] = 1;
    return ANN_OK;
}

static void domains_free(domains *of) {
    free(of->x);
    free(of->label);
    free(of->mean);
    free(of->scale);
}

/* p(target | f) / p(source | f) of a probe between the two. */
static double odds(const ann_probe *probe, const domains *of, const float *f) {
    double logit = probe->weight[2 * of->d + 1] - probe->weight[2 * of->d];
    for (int64_t k = 0; k < of->d; k++)
        logit +=
            (probe->weight[2 * k + 1] - probe->weight[2 * k]) * ((double)f[k] - of->mean[k]) * of->scale[k];
    return exp(fmin(logit, 50));
}

typedef struct sums {
    double w, ww, wl, wwl; /* of weights, their squares, weighted losses, and those times the weight */
} sums;

/* mean(w l) + eta mean(w) - eta, eta = -cov(w l, w) / var(w). */
static double estimate(const sums *s, double n) {
    const double mean_w = s->w / n, mean_wl = s->wl / n;
    const double variance = s->ww / n - mean_w * mean_w, covariance = s->wwl / n - mean_wl * mean_w;
    const double eta = variance > 0 ? -covariance / variance : 0;
    return mean_wl + eta * mean_w - eta;
}

static ann_status weigh(double *out, const ann_probe *probe, const domains *of, double ratio,
                        const ann_method_sight *validation) {
    sums s = {0, 0, 0, 0};
    int64_t n = 0;
    double *p = calloc((size_t)validation->classes, sizeof *p);
    if (!p) return ann_error(ANN_ERR_MEMORY, "no memory for a prediction");
    for (int64_t i = 0; i < validation->samples; i++) {
        const int32_t label = validation->labels[i];
        if (label < 0 || label >= validation->classes) continue;
        predict(p, validation, i);
        const double w = ratio * odds(probe, of, validation->features + i * of->d),
                     l = -log(fmax(p[label], 1e-300));
        s.w += w;
        s.ww += w * w;
        s.wl += w * l;
        s.wwl += w * w * l;
        n++;
    }
    free(p);
    if (n > 0) *out = estimate(&s, (double)n);
    return ANN_OK;
}

ann_status ann_select_dev(double *out, const ann_method_sight *source, const ann_method_sight *target,
                          const ann_method_sight *validation) {
    const ann_probe_options options = {.l2 = 1e-3};
    domains of;
    ann_probe probe;
    *out = NAN;
    if (source->samples == 0 || target->samples == 0 || validation->samples == 0) return ANN_OK;
    ann_status status = join(&of, source, target);
    if (status == ANN_OK)
        status = ann_probe_fit(&probe, &(ann_features){of.x, of.label, of.n, of.d}, 2, &options);
    if (status == ANN_OK) {
        status = weigh(out, &probe, &of, (double)source->samples / (double)target->samples, validation);
        ann_probe_free(&probe);
    }
    domains_free(&of);
    return status;
}
