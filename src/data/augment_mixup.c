/* Mixup: partners, shares, and the blend. */
#include "data/augment_ops.h"

#include <math.h>

bool ann_augment_has_mixup(const ann_augment *augment) { return augment && augment->mixup_alpha > 0; }

/* ---- Beta(alpha, alpha), as the share of one of two Gamma numbers ---- */

/* Draws of one Gamma number: `next` is the element of the next one. */
typedef struct gamma_draws {
    uint64_t seed, position, next;
} gamma_draws;

static double uniform(gamma_draws *d) {
    return ann_random_uniform(d->seed, ANN_STREAM_MIXUP, d->position, d->next++);
}
/* From two elements, the first of them even. */
static double normal(gamma_draws *d) {
    const uint64_t pair = (d->next + 1) / 2;
    d->next = 2 * pair + 2;
    return ann_random_normal(d->seed, ANN_STREAM_MIXUP, d->position, pair);
}

/* Logarithm of a Gamma(shape, 1) number (Marsaglia and Tsang, "A simple method for generating gamma
   variables", ACM TOMS 2000; each try is accepted with probability above 0.95). Shapes below 1 by Gamma(shape
   + 1) U^(1/shape), in logarithms, for which 1e-6 is not too small. */
static double log_gamma_number(double shape, gamma_draws *d) {
    const double d0 = (shape < 1 ? shape + 1 : shape) - 1.0 / 3.0, c = 1 / sqrt(9 * d0);
    const double boost = shape < 1 ? log(1 - uniform(d)) / shape : 0;
    for (;;) {
        const double x = normal(d), t = 1 + c * x, u = 1 - uniform(d);
        if (t <= 0) continue;
        const double v = t * t * t;
        if (log(u) < 0.5 * x * x + d0 * (1 - v + log(v))) return boost + log(d0 * v);
    }
}

static double beta_number(double alpha, uint64_t seed, int64_t position) {
    enum { SECOND = 1 << 20 }; /* elements of the second number; the first is accepted long before */
    gamma_draws a = {seed, (uint64_t)position, 4}, b = {seed, (uint64_t)position, SECOND};
    const double log_a = log_gamma_number(alpha, &a), log_b = log_gamma_number(alpha, &b);
    return 1 / (1 + exp(log_b - log_a));
}

/* ---- pairs ---- */

int64_t ann_mixup_partner(const ann_augment *a, float *lambda, int64_t first, int64_t count, int lanes,
                          int64_t position) {
    *lambda = 1;
    if (!ann_augment_has_mixup(a)) return position;
    if (ann_random_uniform(a->seed, ANN_STREAM_MIXUP, (uint64_t)position, 0) >= a->mixup_p) return position;
    *lambda = (float)beta_number(a->mixup_alpha, a->seed, position);
    /* The lane whose part [lane n / lanes, (lane + 1) n / lanes) of the batch has the position. */
    const int64_t at = position - first, lane = ((at + 1) * lanes - 1) / count;
    const int64_t low = lane * count / lanes, high = (lane + 1) * count / lanes;
    const uint64_t round = (uint64_t)(first + low), n = (uint64_t)(high - low);
    return first + low +
           (int64_t)ann_permute_index(a->seed, ANN_STREAM_MIXUP, round, n, (uint64_t)(at - low));
}

void ann_mixup_blend(const ann_augment *a, void *x, const void *partner, float lambda) {
    const int64_t n = a->channels * a->height * a->width;
    const float rest = 1.0f - lambda;
    if (lambda == 1) return;
    if (a->dtype == ANN_U8) {
        uint8_t *out = x;
        const uint8_t *other = partner;
        for (int64_t i = 0; i < n; i++)
            out[i] = (uint8_t)(int32_t)(lambda * (float)out[i] + rest * (float)other[i] + 0.5f);
        return;
    }
    float *out = x;
    const float *other = partner;
    for (int64_t i = 0; i < n; i++) out[i] = lambda * out[i] + rest * other[i];
}
