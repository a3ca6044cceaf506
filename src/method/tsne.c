/* t-SNE, exact. Coordinates are [2, n], so that loops over samples are over neighbours in memory. */
#include "method/tsne.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "base/philox.h"
#include "method/arrays.h"
#include "method/features.h"

/* ---- P ---- */

/* row = exp(-beta (distance - nearest)), 0 at i; returns its entropy once it is normalised, and its sum. */
static double entropy(double *row, double *sum, const double *distance, int64_t n, int64_t i, double nearest,
                      double beta) {
    double total = 0, moment = 0;
    for (int64_t j = 0; j < n; j++) {
        const double further = distance[j] - nearest;
        row[j] = j == i ? 0 : exp(-beta * further);
        total += row[j];
        moment += row[j] * (j == i ? 0 : further);
    }
    *sum = total;
    return log(total) + beta * moment / total;
}

/* Row i of conditional probabilities from its distances; the entropy falls as beta grows. */
static void find_row(double *row, const double *distance, int64_t n, int64_t i, double perplexity) {
    enum { BISECTIONS = 200 };
    const double wanted = log(perplexity);
    double nearest = INFINITY, low = 0, high = INFINITY, mean = 0, sum = 1;
    for (int64_t j = 0; j < n; j++) {
        if (j != i) nearest = fmin(nearest, distance[j]);
        mean += distance[j] / (double)(n - 1);
    }
    double beta = mean > nearest ? 1 / (mean - nearest) : 1;
    for (int step = 0; step < BISECTIONS; step++) {
        const double excess = entropy(row, &sum, distance, n, i, nearest, beta) - wanted;
        if (fabs(excess) <= 1e-10) break;
        if (excess > 0) low = beta;
        else high = beta;
        const double next = isinf(high) ? 2 * beta : (low + high) / 2;
        if (isinf(next)) break;
        beta = next;
    }
    for (int64_t j = 0; j < n; j++) row[j] /= sum;
}

void anni_tsne_affinities(double *p, double *row, int64_t n, double perplexity) {
    for (int64_t i = 0; i < n; i++) {
        find_row(row, p + i * n, n, i, perplexity);
        for (int64_t j = 0; j < n; j++) p[i * n + j] = row[j];
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            p[i * n + j] = p[j * n + i] = (p[i * n + j] + p[j * n + i]) / (2 * (double)n);
}

/* ---- descent ---- */

/* The sum over q_ij's denominators is known at the end only, so what attracts and what repels is added up
 * apart. */
void anni_tsne_gradient(double *gradient, double *repulsion, const double *p, double exaggeration,
                        const double *y, int64_t n) {
    double all = -(double)n; /* without the pairs (i, i), of which each is 1 */
    for (int64_t i = 0; i < n; i++) {
        const double *p_i = p + i * n, *u = y, *v = y + n, u_i = u[i], v_i = v[i];
        double pull_u = 0, pull_v = 0, push_u = 0, push_v = 0, sum = 0;
#pragma omp simd reduction(+ : pull_u, pull_v, push_u, push_v, sum)
        for (int64_t j = 0; j < n; j++) {
            const double du = u_i - u[j], dv = v_i - v[j], near = 1 / (1 + du * du + dv * dv);
            const double pull = p_i[j] * near, push = near * near;
            sum += near;
            pull_u += pull * du;
            pull_v += pull * dv;
            push_u += push * du;
            push_v += push * dv;
        }
        all += sum;
        gradient[i] = pull_u;
        gradient[n + i] = pull_v;
        repulsion[i] = push_u;
        repulsion[n + i] = push_v;
    }
    for (int64_t i = 0; i < 2 * n; i++) gradient[i] = 4 * (exaggeration * gradient[i] - repulsion[i] / all);
}

double anni_tsne_divergence(const double *p, const double *y, int64_t n) {
    double all = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            const double du = y[i] - y[j], dv = y[n + i] - y[n + j], square = du * du + dv * dv;
            if (j == i) continue;
            all += 1 / (1 + square);
            if (p[i * n + j] > 0) sum += p[i * n + j] * (log(p[i * n + j]) + log1p(square));
        }
    }
    return sum + log(all); /* the p_ij sum up to 1 */
}

typedef struct descent {
    int64_t n;
    double *p, *y, *gradient, *velocity, *gain, *scratch; /* [n, n], then [2, n] each */
} descent;

/* Momentum, and a gain for each coordinate that grows while it keeps its direction (Jacobs 1988). */
static void step(const descent *s, double exaggeration, double momentum, double rate) {
    const int64_t n = s->n;
    anni_tsne_gradient(s->gradient, s->scratch, s->p, exaggeration, s->y, n);
    for (int64_t i = 0; i < 2 * n; i++) {
        const bool turns = (s->gradient[i] > 0) == (s->velocity[i] > 0);
        s->gain[i] = turns ? fmax(0.01, 0.8 * s->gain[i]) : s->gain[i] + 0.2;
        s->velocity[i] = momentum * s->velocity[i] - rate * s->gain[i] * s->gradient[i];
        s->y[i] += s->velocity[i];
    }
    for (int64_t first = 0; first < 2 * n; first += n) { /* the mean stays 0 */
        double mean = 0;
        for (int64_t i = first; i < first + n; i++) mean += s->y[i] / (double)n;
        for (int64_t i = first; i < first + n; i++) s->y[i] -= mean;
    }
}

static void descend(const descent *s, int iterations) {
    const int early = iterations / 4 < 250 ? iterations / 4 : 250;
    const double rate = fmax(50, (double)s->n / 48);
    for (int64_t i = 0; i < 2 * s->n; i++) s->gain[i] = 1;
    for (int i = 0; i < iterations; i++) step(s, i < early ? 12 : 1, i < early ? 0.5 : 0.8, rate);
}

/* ---- the beginning ---- */

/* y = the first two principal components, or one where there is but one feature. */
static ann_status take_components(double *y, const ann_pca *pca, const ann_features *f, int threads) {
    const double scale = pca->variance[0] > 0 ? 1e-4 / sqrt(pca->variance[0]) : 0;
    float *z = malloc((size_t)(f->n * pca->k) * sizeof *z);
    if (z == NULL)
        return ann_error(ANN_ERR_MEMORY, "coordinates of %" PRId64 " samples: out of memory", f->n);
    const ann_status status = ann_pca_project(z, pca, f, threads);
    for (int64_t i = 0; i < f->n * pca->k && status == ANN_OK; i++)
        y[i % pca->k * f->n + i / pca->k] = scale * (double)z[i];
    free(z);
    return status;
}

static ann_status begin(const descent *s, const ann_features *f, int threads) {
    const anni_array x = {f->x, f->n, f->d};
    ann_pca pca;
    ANN_TRY(ann_pca_fit(&pca, f, f->d < 2 ? 1 : 2, threads));
    ann_status status = take_components(s->y, &pca, f, threads);
    if (status == ANN_OK) status = anni_squared_distances(s->p, x, x, threads);
    for (int64_t i = 0; i < 2 * f->n; i++)
        s->y[i] += 1e-6 * ann_random_normal(0, ANN_STREAM_JUDGE, (uint64_t)(i % f->n), (uint64_t)(i / f->n));
    ann_pca_free(&pca);
    return status;
}

static ann_status embed(float *y, double *divergence, const descent *s, const ann_features *f,
                        const ann_tsne_options *options) {
    const double most = fmin(30, (double)(f->n - 1) / 3);
    ANN_TRY(begin(s, f, options->threads));
    anni_tsne_affinities(s->p, s->scratch, f->n, options->perplexity > 0 ? options->perplexity : most);
    descend(s, options->iterations > 0 ? options->iterations : 1000);
    for (int64_t i = 0; i < 2 * f->n; i++) y[i] = (float)s->y[i % 2 * f->n + i / 2];
    if (divergence != NULL) *divergence = anni_tsne_divergence(s->p, s->y, f->n);
    return ANN_OK;
}

ann_status ann_tsne_embed(float *y, double *divergence, const ann_features *f,
                          const ann_tsne_options *options) {
    ANN_TRY(anni_features_check(f, 0));
    const double perplexity = options->perplexity;
    if (f->n < 4 || (perplexity != 0 && !(perplexity >= 1 && perplexity < (double)f->n)))
        return ann_error(ANN_ERR_ARG, "t-SNE of %" PRId64 " samples with perplexity %g", f->n, perplexity);
    const size_t n = (size_t)f->n, total = n * n + 10 * n;
    double *memory = calloc(total, sizeof *memory);
    if (memory == NULL) return ann_error(ANN_ERR_MEMORY, "t-SNE of %" PRId64 " samples: out of memory", f->n);
    descent s = {.n = f->n, .p = memory, .y = memory + n * n};
    s.gradient = s.y + 2 * n;
    s.velocity = s.gradient + 2 * n;
    s.gain = s.velocity + 2 * n;
    s.scratch = s.gain + 2 * n;
    const ann_status status = embed(y, divergence, &s, f, options);
    free(memory);
    return status;
}
