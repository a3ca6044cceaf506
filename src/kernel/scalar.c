#include "kernel/scalar.h"

#include <math.h>

#include "kernel/half.h"

#define UNUSED __attribute__((unused))
#define UNARY double a, double b UNUSED, double c UNUSED
#define BINARY double a, double b, double c UNUSED

static double neg(UNARY) { return -a; }
static double absolute(UNARY) { return fabs(a); }
static double sign(UNARY) { return (double)((a > 0) - (a < 0)); }
static double step(UNARY) { return (double)(a > 0); }
static double exponential(UNARY) { return exp(a); }
static double logarithm(UNARY) { return log(a); }
static double square_root(UNARY) { return sqrt(a); }
static double reciprocal(UNARY) { return 1.0 / a; }
static double hyperbolic_tangent(UNARY) { return tanh(a); }
/* exp of a negative number only: it cannot overflow. */
static double sigmoid(UNARY) {
    const double e = exp(-fabs(a));
    return a >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}
/* log(1 + e^a) = max(a, 0) + log(1 + e^-|a|). */
static double softplus(UNARY) { return (a > 0 ? a : 0.0) + log1p(exp(-fabs(a))); }
static double relu(UNARY) { return a <= 0 ? 0.0 : a; }
static double round_bf16(UNARY) { return (double)anni_of_bf16(anni_bf16_of((float)a)); }
static double round_f16(UNARY) { return (double)anni_of_f16(anni_f16_of((float)a)); }
static double add(BINARY) { return a + b; }
static double subtract(BINARY) { return a - b; }
static double multiply(BINARY) { return a * b; }
static double divide(BINARY) { return a / b; }
static double maximum(BINARY) { return a >= b || isnan(a) ? a : b; }
static double minimum(BINARY) { return a <= b || isnan(a) ? a : b; }
static double equal(BINARY) { return (double)(a == b); }
static double greater(BINARY) { return (double)(a > b); }
static double choose(double a, double b, double c) { return a != 0 ? b : c; }

anni_scalar_fn anni_scalar(ann_op op) {
    static const anni_scalar_fn table[ANN_OP_COUNT] = {
        [ANN_OP_NEG] = neg,
        [ANN_OP_ABS] = absolute,
        [ANN_OP_SIGN] = sign,
        [ANN_OP_STEP] = step,
        [ANN_OP_EXP] = exponential,
        [ANN_OP_LOG] = logarithm,
        [ANN_OP_SQRT] = square_root,
        [ANN_OP_RECIP] = reciprocal,
        [ANN_OP_TANH] = hyperbolic_tangent,
        [ANN_OP_SIGMOID] = sigmoid,
        [ANN_OP_SOFTPLUS] = softplus,
        [ANN_OP_RELU] = relu,
        [ANN_OP_ROUND_BF16] = round_bf16,
        [ANN_OP_ROUND_F16] = round_f16,
        [ANN_OP_ADD] = add,
        [ANN_OP_SUB] = subtract,
        [ANN_OP_MUL] = multiply,
        [ANN_OP_DIV] = divide,
        [ANN_OP_MAX] = maximum,
        [ANN_OP_MIN] = minimum,
        [ANN_OP_EQ] = equal,
        [ANN_OP_GT] = greater,
        [ANN_OP_SELECT] = choose,
    };
    return table[op];
}
