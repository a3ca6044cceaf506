/* exp, log and their relatives for one float, without branches or tables, so that a loop over them
   vectorizes. Reductions and polynomials follow Cephes (Moshier, 1989); errors measured over all floats of a
   sweep are below 3 units in the last place. Private to *_simd.c. */
#ifndef ANN_KERNEL_SIMD_MATH_H
#define ANN_KERNEL_SIMD_MATH_H

#include <math.h>
#include <stdint.h>

#include "kernel/simd.h"

typedef union anni_bits {
    float f;
    int32_t i;
} anni_bits;

ANNI_INLINE float anni_from_bits(int32_t i) { return (anni_bits){.i = i}.f; }
ANNI_INLINE int32_t anni_to_bits(float f) { return (anni_bits){.f = f}.i; }

/* 2^n for n in [-126, 127]. */
ANNI_INLINE float anni_exp2i(int32_t n) { return anni_from_bits((n + 127) * (1 << 23)); }

ANNI_INLINE float anni_exp(float x) {
    /* Beyond these e^x is 0 or infinite in float. Written so that a NaN passes. */
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    const float shifter = 0x1.8p23f; /* adding it rounds to an integer, in the low bits */
    const float shifted = x * 0x1.715476p0f + shifter;
    const int32_t n = anni_to_bits(shifted) - anni_to_bits(shifter);
    const float k = shifted - shifter;
    const float r = (x - k * 0x1.62ep-1f) - k * 0x1.0bfbe8p-15f; /* ln 2 in two parts */
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    /* In two factors: 2^n alone overflows, or is subnormal, near the ends. A NaN's n is arbitrary: keep it in
     * range. */
    const int32_t m = n > 130 ? 130 : n < -152 ? -152 : n;
    return p * anni_exp2i(m >> 1) * anni_exp2i(m - (m >> 1));
}

/* log(m) + add for m in [sqrt(1/2), sqrt(2)) given as m - 1, plus e * ln 2. */
ANNI_INLINE float anni_log_poly(float m, float e) {
    const float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = p * m * z;
    y += e * -2.12194440e-4f;
    y -= 0.5f * z;
    return (m + y) + e * 0.693359375f;
}

ANNI_INLINE float anni_log(float x) {
    const int tiny = x < 0x1p-126f;
    const float scaled = tiny ? x * 0x1p23f : x;
    /* Exponent such that the mantissa is in [sqrt(1/2), sqrt(2)). */
    const int32_t bits = (int32_t)((uint32_t)anni_to_bits(scaled) - 0x3f3504f3u); /* wraps for x < 0 */
    const int32_t n = bits >> 23;
    const float m = anni_from_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    const float y = anni_log_poly(m, (float)(tiny ? n - 23 : n));
    const float at_ends = x == 0.0f ? -INFINITY : x < 0.0f ? NAN : x; /* x itself: infinity or NaN */
    return x > 0.0f && x < INFINITY ? y : at_ends;
}

/* log(1 + u) for u in [0, 1]: what is lost in rounding 1 + u comes back to first order. */
ANNI_INLINE float anni_log1p_unit(float u) {
    const float w = 1.0f + u;
    const int32_t bits = anni_to_bits(w) - 0x3f3504f3;
    const float m = anni_from_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    const float lost = u - (w - 1.0f);
    return anni_log_poly(m, (float)(bits >> 23)) + lost / w;
}

ANNI_INLINE float anni_abs(float x) { return fabsf(x); }

ANNI_INLINE float anni_tanh(float x) {
    const float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const float near = p * z * x + x;
    const float far = 1.0f - 2.0f / (anni_exp(2.0f * anni_abs(x)) + 1.0f);
    return anni_abs(x) < 0.625f ? near : copysignf(far, x);
}

ANNI_INLINE float anni_sigmoid(float x) {
    const float e = anni_exp(-anni_abs(x));
    const float d = 1.0f / (1.0f + e);
    return x >= 0.0f ? d : e * d;
}

ANNI_INLINE float anni_softplus(float x) {
    return (x <= 0.0f ? 0.0f : x) + anni_log1p_unit(anni_exp(-anni_abs(x)));
}

ANNI_INLINE float anni_relu(float x) { return x <= 0.0f ? 0.0f : x; }

#endif
