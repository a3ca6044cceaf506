/* Numbers of 16 bits: bfloat16 and IEEE binary16. One element each, written for the vectorizer. Rounding is
   to the nearest, ties to even; a NaN stays a NaN. Private to src/kernel. */
#ifndef ANN_KERNEL_HALF_H
#define ANN_KERNEL_HALF_H

#include <stdint.h>
#include <string.h>

#define ANNI_HALF static inline __attribute__((always_inline))

ANNI_HALF uint16_t anni_bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40u; /* of a NaN, whose last bits rounding could carry away */
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

ANNI_HALF float anni_of_bf16(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What is too large becomes infinite. Subnormal results come from an addition that shifts their bits to the
   end of the float: 0.5 has the spacing 2^-24 of binary16's subnormals. */
ANNI_HALF uint16_t anni_f16_of(float value) {
    uint32_t bits, result;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    float small;
    memcpy(&small, &magnitude, sizeof small);
    small += 0.5f;
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    const uint32_t rounded = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    result = magnitude < 0x38800000u ? small_bits - 0x3f000000u : rounded;
    result = magnitude >= 0x477ff000u ? 0x7c00u : result;
    result = magnitude > 0x7f800000u ? 0x7e00u : result;
    return (uint16_t)(sign | result);
}

ANNI_HALF float anni_of_f16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = half & 0x7fffu;
    const uint32_t normal = (magnitude << 13) + (112u << 23), special = normal + (112u << 23);
    const float small = (float)(int32_t)magnitude * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &small, sizeof bits);
    bits = magnitude < 0x400u ? bits : magnitude >= 0x7c00u ? special : normal;
    bits |= sign;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
