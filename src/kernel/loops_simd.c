#include "kernel/loops.h"

#include "kernel/half.h"
#include "kernel/simd_math.h"

typedef float (*element_fn)(float a, float b, float c, float d);

ANNI_INLINE void each(float *out, const float *a, const float *b, const float *c, const float *d, int64_t n,
                      element_fn f) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] = f(a[i], b[i], c[i], d[i]);
}

#define UNUSED __attribute__((unused))
#define UNARY float a, float b UNUSED, float c UNUSED, float d UNUSED
#define BINARY float a, float b, float c UNUSED, float d UNUSED
#define TERNARY float a, float b, float c, float d UNUSED
#define LOOP float *out, const float *a, const float *b, const float *c, const float *d, int64_t n

ANNI_INLINE float neg(UNARY) { return -a; }
ANNI_INLINE float absolute(UNARY) { return anni_abs(a); }
ANNI_INLINE float sign(UNARY) { return (a > 0.0f ? 1.0f : 0.0f) - (a < 0.0f ? 1.0f : 0.0f); }
ANNI_INLINE float step(UNARY) { return a > 0.0f ? 1.0f : 0.0f; }
ANNI_INLINE float exponential(UNARY) { return anni_exp(a); }
ANNI_INLINE float logarithm(UNARY) { return anni_log(a); }
ANNI_INLINE float square_root(UNARY) { return sqrtf(a); }
ANNI_INLINE float reciprocal(UNARY) { return 1.0f / a; }
ANNI_INLINE float hyperbolic_tangent(UNARY) { return anni_tanh(a); }
ANNI_INLINE float sigmoid(UNARY) { return anni_sigmoid(a); }
ANNI_INLINE float softplus(UNARY) { return anni_softplus(a); }
ANNI_INLINE float relu(UNARY) { return anni_relu(a); }
ANNI_INLINE float round_bf16(UNARY) { return anni_of_bf16(anni_bf16_of(a)); }
ANNI_INLINE float round_f16(UNARY) { return anni_of_f16(anni_f16_of(a)); }
ANNI_INLINE float add(BINARY) { return a + b; }
ANNI_INLINE float subtract(BINARY) { return a - b; }
ANNI_INLINE float multiply(BINARY) { return a * b; }
ANNI_INLINE float divide(BINARY) { return a / b; }
ANNI_INLINE float maximum(BINARY) { return ((a >= b) | (a != a)) ? a : b; }
ANNI_INLINE float minimum(BINARY) { return ((a <= b) | (a != a)) ? a : b; }
ANNI_INLINE float equal(BINARY) { return a == b ? 1.0f : 0.0f; }
ANNI_INLINE float greater(BINARY) { return a > b ? 1.0f : 0.0f; }
ANNI_INLINE float choose(TERNARY) { return a != 0.0f ? b : c; }
ANNI_INLINE float multiply_add(TERNARY) { return a * b + c; }
ANNI_INLINE float multiply_sub(TERNARY) { return a * b - c; }
ANNI_INLINE float sub_multiply(TERNARY) { return c - a * b; }
ANNI_INLINE float sub_divide(TERNARY) { return c - a / b; }
ANNI_INLINE float sub_multiply_divide(float a, float b, float c, float d) { return c - a * d / b; }
ANNI_INLINE float sqrt_multiply_add(TERNARY) { return sqrtf(a) * b + c; }
ANNI_INLINE float blend(float a, float b, float c, float d) { return a * b + c * d; }
/* A product and not a choice: 0 times infinity or NaN is NaN. */
ANNI_INLINE float step_multiply(BINARY) { return (a > 0.0f ? 1.0f : 0.0f) * b; }

static void neg_loop(LOOP) { each(out, a, b, c, d, n, neg); }
static void absolute_loop(LOOP) { each(out, a, b, c, d, n, absolute); }
static void sign_loop(LOOP) { each(out, a, b, c, d, n, sign); }
static void step_loop(LOOP) { each(out, a, b, c, d, n, step); }
static void exponential_loop(LOOP) { each(out, a, b, c, d, n, exponential); }
static void logarithm_loop(LOOP) { each(out, a, b, c, d, n, logarithm); }
static void square_root_loop(LOOP) { each(out, a, b, c, d, n, square_root); }
static void reciprocal_loop(LOOP) { each(out, a, b, c, d, n, reciprocal); }
static void hyperbolic_tangent_loop(LOOP) { each(out, a, b, c, d, n, hyperbolic_tangent); }
static void sigmoid_loop(LOOP) { each(out, a, b, c, d, n, sigmoid); }
static void softplus_loop(LOOP) { each(out, a, b, c, d, n, softplus); }
static void relu_loop(LOOP) { each(out, a, b, c, d, n, relu); }
static void round_bf16_loop(LOOP) { each(out, a, b, c, d, n, round_bf16); }
static void round_f16_loop(LOOP) { each(out, a, b, c, d, n, round_f16); }
static void add_loop(LOOP) { each(out, a, b, c, d, n, add); }
static void subtract_loop(LOOP) { each(out, a, b, c, d, n, subtract); }
static void multiply_loop(LOOP) { each(out, a, b, c, d, n, multiply); }
static void divide_loop(LOOP) { each(out, a, b, c, d, n, divide); }
static void maximum_loop(LOOP) { each(out, a, b, c, d, n, maximum); }
static void minimum_loop(LOOP) { each(out, a, b, c, d, n, minimum); }
static void equal_loop(LOOP) { each(out, a, b, c, d, n, equal); }
static void greater_loop(LOOP) { each(out, a, b, c, d, n, greater); }
static void choose_loop(LOOP) { each(out, a, b, c, d, n, choose); }
static void multiply_add_loop(LOOP) { each(out, a, b, c, d, n, multiply_add); }
static void multiply_sub_loop(LOOP) { each(out, a, b, c, d, n, multiply_sub); }
static void sub_multiply_loop(LOOP) { each(out, a, b, c, d, n, sub_multiply); }
static void sub_divide_loop(LOOP) { each(out, a, b, c, d, n, sub_divide); }
static void sub_multiply_divide_loop(LOOP) { each(out, a, b, c, d, n, sub_multiply_divide); }
static void sqrt_multiply_add_loop(LOOP) { each(out, a, b, c, d, n, sqrt_multiply_add); }
static void blend_loop(LOOP) { each(out, a, b, c, d, n, blend); }
static void step_multiply_loop(LOOP) { each(out, a, b, c, d, n, step_multiply); }

anni_loop_fn ANNI_SIMD(anni_loop)(int op) {
    static const anni_loop_fn table[ANNI_LOOP_COUNT] = {
        [ANN_OP_NEG] = neg_loop,
        [ANN_OP_ABS] = absolute_loop,
        [ANN_OP_SIGN] = sign_loop,
        [ANN_OP_STEP] = step_loop,
        [ANN_OP_EXP] = exponential_loop,
        [ANN_OP_LOG] = logarithm_loop,
        [ANN_OP_SQRT] = square_root_loop,
        [ANN_OP_RECIP] = reciprocal_loop,
        [ANN_OP_TANH] = hyperbolic_tangent_loop,
        [ANN_OP_SIGMOID] = sigmoid_loop,
        [ANN_OP_SOFTPLUS] = softplus_loop,
        [ANN_OP_RELU] = relu_loop,
        [ANN_OP_ROUND_BF16] = round_bf16_loop,
        [ANN_OP_ROUND_F16] = round_f16_loop,
        [ANN_OP_ADD] = add_loop,
        [ANN_OP_SUB] = subtract_loop,
        [ANN_OP_MUL] = multiply_loop,
        [ANN_OP_DIV] = divide_loop,
        [ANN_OP_MAX] = maximum_loop,
        [ANN_OP_MIN] = minimum_loop,
        [ANN_OP_EQ] = equal_loop,
        [ANN_OP_GT] = greater_loop,
        [ANN_OP_SELECT] = choose_loop,
        [ANNI_LOOP_MUL_ADD] = multiply_add_loop,
        [ANNI_LOOP_MUL_SUB] = multiply_sub_loop,
        [ANNI_LOOP_SUB_MUL] = sub_multiply_loop,
        [ANNI_LOOP_SUB_DIV] = sub_divide_loop,
        [ANNI_LOOP_SUB_MUL_DIV] = sub_multiply_divide_loop,
        [ANNI_LOOP_SQRT_MUL_ADD] = sqrt_multiply_add_loop,
        [ANNI_LOOP_BLEND] = blend_loop,
        [ANNI_LOOP_STEP_MUL] = step_multiply_loop,
    };
    return op >= 0 && op < ANNI_LOOP_COUNT ? table[op] : NULL;
}

static void from_f64(float *restrict out, const double *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)in[i];
}
static void from_i32(float *out, const int32_t *in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)in[i];
}
static void from_i64(float *restrict out, const int64_t *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)in[i];
}
static void from_u8(float *restrict out, const uint8_t *restrict in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)in[i];
}
static void from_f32(float *out, const float *in, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = in[i];
}

void ANNI_SIMD(anni_to_float)(float *out, const void *in, ann_dtype dtype, int64_t n) {
    if (dtype == ANN_F32) from_f32(out, in, n);
    else if (dtype == ANN_F64) from_f64(out, in, n);
    else if (dtype == ANN_I32) from_i32(out, in, n);
    else if (dtype == ANN_I64) from_i64(out, in, n);
    else from_u8(out, in, n);
}
