/* Noise per element: Gaussian, masking, salt and pepper. The loops have no branches and no calls, so that
   they vectorise. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

enum { N = ANNI_ELEMENT_DRAWS };

void anni_draw_elements(uint32_t words[N], const anni_draws *d, int64_t first) {
    const uint64_t stream = (uint64_t)ANN_STREAM_AUGMENT_ELEMENT << 32;
    const uint32_t call = (uint32_t)(first >> 2);
#pragma omp simd
    for (uint32_t i = 0; i < N / 4; i++) {
        const ann_philox4 four = ann_philox(d->key, d->sample, stream | (call + i));
        words[4 * i] = four.v[0];
        words[4 * i + 1] = four.v[1];
        words[4 * i + 2] = four.v[2];
        words[4 * i + 3] = four.v[3];
    }
}

static inline int64_t part_of(int64_t count, int64_t first) { return count - first < N ? count - first : N; }

/* ---- Gaussian ---- */

static inline float from_bits(int32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static inline int32_t to_bits(float f) {
    int32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Natural logarithm of x in [2^-24, 1]; the polynomial is that of Cephes' logf (Moshier 1989). */
static inline float log_of(float x) {
    const int32_t bits = to_bits(x) - 0x3f3504f3; /* below sqrt(1/2): one exponent less */
    const float e = (float)(bits >> 23);
    const float m = from_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f, z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    return m + (p * m * z - 0.5f * z) + e * 0.69314718f;
}

/* sin of t turns, t in [-1/4, 1/4]: the Taylor series, whose error is below 1e-7 here. */
static inline float sin_of_turns(float t) {
    const float x = t * 6.2831853f, z = x * x;
    float p = -2.5052108e-8f;
    p = p * z + 2.7557319e-6f;
    p = p * z - 1.9841270e-4f;
    p = p * z + 8.3333333e-3f;
    p = p * z - 1.6666667e-1f;
    return x + x * z * p;
}

/* Standard normal numbers by Box and Muller (1958): words i and i + N/2 give numbers i and i + N/2. */
static void to_normal(float normal[N], const uint32_t words[N]) {
    for (int i = 0; i < N / 2; i++) {
        const float u = (float)(int32_t)((words[i] >> 8) + 1) * 0x1p-24f; /* (0, 1] */
        const float t = (float)(int32_t)(words[i + N / 2] >> 8) * 0x1p-24f - 0.5f;
        const float r = sqrtf(-2.0f * log_of(u)), a = fabsf(t);
        const float folded = 0.25f - fabsf(a - 0.25f); /* a or 1/2 - a: their sines are the same */
        normal[i] = -r * sin_of_turns(0.25f - a);      /* the half turn taken off t turns the sign */
        normal[i + N / 2] = -r * copysignf(sin_of_turns(folded), t);
    }
}

void anni_gaussian(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                   const anni_draws *d) {
    (void)pca;
    const int64_t count = image->channels * image->pixels;
    const float sigma = (float)op->sigma;
    uint32_t words[N];
    float normal[N];
    for (int64_t first = 0; first < count; first += N) {
        const int64_t n = part_of(count, first);
        float *x = image->now + first;
        anni_draw_elements(words, d, first);
        to_normal(normal, words);
        for (int64_t i = 0; i < n; i++) x[i] += sigma * normal[i];
    }
}

/* ---- masking, salt and pepper ---- */

/* Words below it, of 24 bits, have probability p. */
static int32_t threshold(double p) { return (int32_t)ceil(p * 0x1p24); }

void anni_mask(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca, const anni_draws *d) {
    (void)pca;
    const int64_t count = image->channels * image->pixels;
    const int32_t below = threshold(op->fraction);
    uint32_t words[N];
    for (int64_t first = 0; first < count; first += N) {
        const int64_t n = part_of(count, first);
        float *x = image->now + first;
        anni_draw_elements(words, d, first);
        for (int64_t i = 0; i < n; i++) x[i] = (int32_t)(words[i] >> 8) < below ? 0.0f : x[i];
    }
}

void anni_salt_pepper(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                      const anni_draws *d) {
    (void)pca;
    const int32_t pepper = threshold(0.5 * op->fraction), both = threshold(op->fraction);
    uint32_t words[N];
    for (int64_t first = 0; first < image->pixels; first += N) {
        const int64_t n = part_of(image->pixels, first);
        anni_draw_elements(words, d, first);
        for (int64_t c = 0; c < image->channels; c++) {
            float *x = image->now + c * image->pixels + first;
            for (int64_t i = 0; i < n; i++) {
                const int32_t u = (int32_t)(words[i] >> 8);
                x[i] = u < pepper ? 0.0f : u < both ? 1.0f : x[i];
            }
        }
    }
}
