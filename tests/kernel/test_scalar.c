/* What the elementwise functions do where formulas written down plainly would overflow, lose all digits, or
 * lose a NaN. */
#include <float.h>
#include <math.h>

#include "kernel/scalar.h"
#include "support/check.h"

static double call1(ann_op op, double a) { return anni_scalar(op)(a, 0.0, 0.0); }
static double call2(ann_op op, double a, double b) { return anni_scalar(op)(a, b, 0.0); }

static void saturating_functions_do_not_overflow(void **state) {
    (void)state;
    assert_true(call1(ANN_OP_SIGMOID, 1000) == 1 && call1(ANN_OP_SIGMOID, -1000) == 0);
    assert_true(call1(ANN_OP_SIGMOID, (double)INFINITY) == 1 &&
                call1(ANN_OP_SIGMOID, -(double)INFINITY) == 0);
    assert_true(call1(ANN_OP_SOFTPLUS, 1000) == 1000 && call1(ANN_OP_SOFTPLUS, -1000) == 0);
    assert_true(call1(ANN_OP_TANH, 1000) == 1 && call1(ANN_OP_TANH, -1000) == -1);
    /* softplus(x) - softplus(-x) = x, sigmoid(x) + sigmoid(-x) = 1; far below zero both are e^x. */
    for (double x = 0.125; x < 700; x *= 1.5) {
        assert_true(fabs(call1(ANN_OP_SOFTPLUS, x) - call1(ANN_OP_SOFTPLUS, -x) - x) <=
                    4 * DBL_EPSILON * (1 + x));
        assert_true(fabs(call1(ANN_OP_SIGMOID, x) + call1(ANN_OP_SIGMOID, -x) - 1) <= 4 * DBL_EPSILON);
    }
    for (double x = -700; x < -40; x += 7) {
        assert_true(fabs(call1(ANN_OP_SOFTPLUS, x) / exp(x) - 1) <= 4 * DBL_EPSILON);
        assert_true(fabs(call1(ANN_OP_SIGMOID, x) / exp(x) - 1) <= 4 * DBL_EPSILON);
    }
}

static void nan_goes_through(void **state) {
    (void)state;
    const double nan = (double)NAN;
    static const ann_op unary[] = {ANN_OP_NEG,      ANN_OP_ABS,   ANN_OP_EXP,        ANN_OP_LOG,
                                   ANN_OP_SQRT,     ANN_OP_RECIP, ANN_OP_TANH,       ANN_OP_SIGMOID,
                                   ANN_OP_SOFTPLUS, ANN_OP_RELU,  ANN_OP_ROUND_BF16, ANN_OP_ROUND_F16};
    static const ann_op binary[] = {ANN_OP_ADD, ANN_OP_SUB, ANN_OP_MUL, ANN_OP_DIV, ANN_OP_MAX, ANN_OP_MIN};
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) assert_true(isnan(call1(unary[i], nan)));
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        assert_true(isnan(call2(binary[i], nan, 1)) && isnan(call2(binary[i], 1, nan)));
    assert_true(call1(ANN_OP_SIGN, nan) == 0 && call1(ANN_OP_STEP, nan) == 0);
    assert_true(call2(ANN_OP_EQ, nan, nan) == 0 && call2(ANN_OP_GT, nan, 1) == 0 &&
                call2(ANN_OP_GT, 1, nan) == 0);
    assert_true(anni_scalar(ANN_OP_SELECT)(nan, 1, 2) == 1); /* NaN is not zero */
    assert_true(anni_scalar(ANN_OP_SELECT)(0, nan, 2) == 2); /* the branch not taken does not matter */
}

static void values_at_the_kinks(void **state) {
    (void)state;
    assert_true(call1(ANN_OP_RELU, 0) == 0 && call1(ANN_OP_STEP, 0) == 0 && call1(ANN_OP_SIGN, 0) == 0);
    assert_true(call1(ANN_OP_RELU, -(double)INFINITY) == 0 &&
                call1(ANN_OP_RELU, (double)INFINITY) == (double)INFINITY);
    assert_true(call1(ANN_OP_ROUND_BF16, 1 + 0x1p-8) == 1 &&
                call1(ANN_OP_ROUND_BF16, 1 + 0x3p-8) == 1 + 0x1p-6);
    assert_true(call1(ANN_OP_ROUND_F16, 1 + 0x1p-11) == 1 && call1(ANN_OP_ROUND_F16, 65519) == 65504 &&
                call1(ANN_OP_ROUND_F16, -65520) == -(double)INFINITY &&
                call1(ANN_OP_ROUND_F16, 0x3p-25) == 0x1p-23);
    assert_true(call1(ANN_OP_SIGN, -3) == -1 && call1(ANN_OP_SIGN, 3) == 1);
    assert_true(call2(ANN_OP_MAX, 2, 2) == 2 && call2(ANN_OP_MIN, 2, 2) == 2);
}

static void only_elementwise_ops_have_one(void **state) {
    (void)state;
    for (ann_op op = 0; op < ANN_OP_COUNT; op++)
        assert_int_equal(anni_scalar(op) != NULL, op >= ANN_OP_NEG && op <= ANN_OP_SELECT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saturating_functions_do_not_overflow), cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(values_at_the_kinks), cmocka_unit_test(only_elementwise_ops_have_one)};
    return cmocka_run_group_tests_name("scalar", tests, NULL, NULL);
}
