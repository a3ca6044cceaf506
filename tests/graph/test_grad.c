/* Gradients of order 1 and 2 of every op's examples against central differences, in float64.

   The function is y = sum(r * f(x) + f(x)^2 / 2) with fixed numbers r, so that linear ops too have second
   derivatives; order 2 differentiates z = sum(s * dy/dx), a projection of the first gradient by fixed numbers
   s. The derivative is taken by the four-point stencil (8(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h,
   whose truncation error is at most h^4 |f5| / 18 and whose rounding error about 3 eps |f| / (2h); h = 2^-10
   makes them about equal for f5 of the size of f, and x + h exact for the examples' values. Both are then
   below 1e-12 |f|; for the steepest example (1/x at 0.5, where f7 is 6e5) the truncation error is 3e-8. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_examples.h"
#include "support/check.h"
#include "support/eval.h"
#include "graph/node.h"

static const double step_h = 0x1p-10;
static const double limit = 1e-6;

typedef struct worst {
    double order[2];
} worst;

/* Relative to the larger of the two; to a thousandth of the largest gradient and of the function's value,
   below which a difference of function values says nothing. */
static double relative_error(double a, double b, double scale) {
    return fabs(a - b) / fmax(fmax(fabs(a), fabs(b)), 1e-3 * scale);
}

static ann_node projection(ann_graph *g, ann_node x, const char *name) {
    return ann_sum_all(g, ann_mul(g, x, ann_input(g, name, ANN_F64, *ann_node_shape(g, x))));
}

static void fill_projection(eval *run, const ann_graph *g) {
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        const ann_node node = {id};
        if (ann_node_op(g, node) != ANN_OP_INPUT) continue;
        const char *name = ann_node_attrs(g, node)->input.name;
        if (name[0] == 'x') continue;
        double *r = eval_input(run, name);
        const int64_t n = ann_shape_elems(ann_node_shape(g, node));
        for (int64_t i = 0; i < n; i++) r[i] = (double)((i * 13 + name[1] * 5 + 3) % 17 - 8) / 8.0 + 0.0625;
    }
}

static double difference(eval *run, ann_node y, double *x) {
    const double at = *x;
    double f[4];
    const double offset[4] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *x = at + offset[i] * step_h;
        eval_run(run, y);
        f[i] = eval_scalar(run, y);
    }
    *x = at;
    return (8.0 * (f[2] - f[1]) - (f[3] - f[0])) / (12.0 * step_h);
}

/* The worst relative error of grads against differences of y, over all elements of x. */
static double compare(eval *run, const ann_graph *g, ann_node y, const ann_node *x, const ann_node *grads,
                      int n) {
    static double kept[4096];
    double top = 0.0, bad = 0.0;
    int64_t used = 0;
    eval_run(run, ANN_NODE_NONE);
    double scale = fabs(eval_scalar(run, y));
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < ann_shape_elems(ann_node_shape(g, x[k])); i++) {
            assert_true(used < 4096);
            kept[used++] = eval_elem(run, grads[k], i);
            top = fmax(top, fabs(kept[used - 1]));
        }
    scale = fmax(fmax(scale, top), 1e-3);
    used = 0;
    for (int k = 0; k < n; k++) {
        double *values = (double *)(uintptr_t)eval_value(run, x[k]);
        for (int64_t i = 0; i < ann_shape_elems(ann_node_shape(g, x[k])); i++) {
            const double error = relative_error(kept[used++], difference(run, y, &values[i]), scale);
            if (!(error <= bad)) bad = error; /* NaN too */
        }
    }
    return bad;
}

/* y of the comment on top. */
static ann_node objective(ann_graph *g, ann_node f) {
    return ann_add(g, projection(g, f, "r"), ann_mul_const(g, ann_sum_all(g, ann_square(g, f)), 0.5));
}

/* sum over k of the projection of grads[k]. */
static ann_node second_objective(ann_graph *g, const ann_node *grads, int n) {
    static const char *const names[EXAMPLE_MAX_IN] = {"s0", "s1", "s2", "s3"};
    ann_node z = projection(g, grads[0], names[0]);
    for (int k = 1; k < n; k++) z = ann_add(g, z, projection(g, grads[k], names[k]));
    return z;
}

static void check_example(const op_example *ex, worst *out) {
    ann_store *store = NULL;
    ann_graph *g = NULL;
    ann_node in[EXAMPLE_MAX_IN], x[EXAMPLE_MAX_IN], first[EXAMPLE_MAX_IN], second[EXAMPLE_MAX_IN];
    int n = 0;
    check_ok(example_store(&store, ANN_F64));
    check_ok(ann_graph_new(&g, store));
    const ann_node f = example_build(g, ex, ANN_F64, in);
    for (int i = 0; i < ex->n_in; i++)
        if (example_differentiable(ex, i)) x[n++] = in[i];
    if (n > 0 && ann_node_dtype(g, f) == ANN_F64) {
        const ann_node y = objective(g, f);
        ann_grad(g, y, x, n, first);
        const ann_node z = second_objective(g, first, n);
        ann_grad(g, z, x, n, second);
        eval *run = eval_new(g, ANN_KERNEL_REFERENCE);
        for (int i = 0; i < ex->n_in; i++)
            example_fill((void *)(uintptr_t)eval_value(run, in[i]), ann_node_dtype(g, in[i]), ex, i);
        fill_projection(run, g);
        const double error[2] = {compare(run, g, y, x, first, n), compare(run, g, z, x, second, n)};
        for (int order = 0; order < 2; order++) {
            if (!(error[order] <= limit))
                fail_msg("%s: order %d: relative error %.3g", ex->name, order + 1, error[order]);
            out->order[order] = fmax(out->order[order], error[order]);
        }
        eval_free(run);
    }
    ann_graph_free(g);
    ann_store_free(store);
}

static bool is_differentiable(int list) {
    if (list == ANN_OP_COUNT) return true;
    const ann_op_info *info = anni_op_info((ann_op)list);
    return info->vjp || info->expand;
}

static worst worst_of[EXAMPLE_LISTS];

static void test_list(void **state) {
    const int list = *(const int *)*state;
    if (!is_differentiable(list)) {
        const ann_op_info *info = anni_op_info((ann_op)list);
        assert_true((info->flags & ANNI_ZERO_GRAD) || info->tier == ANN_TIER_LEAF ||
                    info->tier == ANN_TIER_LOWERED);
        return;
    }
    for (const op_example *ex = example_list(list); ex->name; ex++) check_example(ex, &worst_of[list]);
}

static void print_worst(void) {
    printf("worst relative error against central differences, float64\n%-16s %9s %9s\n", "op", "order 1",
           "order 2");
    for (int i = 0; i < EXAMPLE_LISTS; i++)
        if (is_differentiable(i))
            printf("%-16s %9.1e %9.1e\n", example_list_name(i), worst_of[i].order[0], worst_of[i].order[1]);
}

/* ---- what the examples cannot show ---- */

static eval *run_with(ann_graph *g, const double *x) {
    eval *run = eval_new(g, ANN_KERNEL_REFERENCE);
    memcpy(eval_input(run, "x"), x, 3 * sizeof *x);
    eval_run(run, ANN_NODE_NONE);
    return run;
}

/* The check must be able to fail: the gradient of x^2 is not that of 1.00001 x^2. */
static void a_wrong_gradient_is_found(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(3));
    const ann_node y = ann_sum_all(g, ann_square(g, x)), wrong = ann_mul_const(g, y, 1.00001);
    ann_node grad;
    ann_grad(g, y, &x, 1, &grad);
    eval *run = run_with(g, (double[]){0.5, -1, 2});
    assert_true(compare(run, g, y, &x, &grad, 1) <= 1e-10);
    assert_true(compare(run, g, wrong, &x, &grad, 1) > limit);
    eval_free(run);
    ann_graph_free(g);
}

static void stop_grad_stops(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(3));
    ann_node grad;
    ann_grad(g, ann_sum_all(g, ann_mul(g, x, ann_stop_grad(g, x))), &x, 1, &grad);
    eval *run = run_with(g, (double[]){0.5, -1, 2});
    for (int i = 0; i < 3; i++) assert_true(eval_elem(run, grad, i) == eval_elem(run, x, i));
    eval_free(run);
    ann_graph_free(g);
}

/* Through float and back: differences cannot see it, 2x can. */
static void cast_passes_the_gradient(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(3));
    ann_node grad;
    ann_grad(g, ann_cast(g, ann_sum_all(g, ann_square(g, ann_cast(g, x, ANN_F32))), ANN_F64), &x, 1, &grad);
    assert_int_equal(ann_node_dtype(g, grad), ANN_F64);
    eval *run = run_with(g, (double[]){0.5, -1, 2});
    for (int i = 0; i < 3; i++) assert_true(eval_elem(run, grad, i) == 2 * eval_elem(run, x, i));
    eval_free(run);
    ann_graph_free(g);
}

/* d(x^4)/dx four times is 24. */
static void any_order(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(3));
    ann_node d = ann_square(g, ann_square(g, x));
    for (int order = 0; order < 4; order++) ann_grad(g, ann_sum_all(g, d), &x, 1, &d);
    eval *run = run_with(g, (double[]){0.5, -1, 2});
    for (int i = 0; i < 3; i++) assert_true(fabs(eval_elem(run, d, i) - 24) < 1e-12);
    eval_free(run);
    ann_graph_free(g);
}

static void an_independent_wrt_gets_zeros(void **state) {
    (void)state;
    ann_graph *g = NULL;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(3)),
                   other = ann_input(g, "other", ANN_F64, ANN_SHAPE(2, 2));
    const ann_node wrt[2] = {other, x};
    ann_node grads[2];
    ann_grad(g, ann_sum_all(g, x), wrt, 2, grads);
    assert_true(ann_shape_equal(ann_node_shape(g, grads[0]), &ANN_SHAPE(2, 2)));
    eval *run = run_with(g, (double[]){0.5, -1, 2});
    for (int i = 0; i < 4; i++) assert_true(eval_elem(run, grads[0], i) == 0);
    for (int i = 0; i < 3; i++) assert_true(eval_elem(run, grads[1], i) == 1);
    eval_free(run);
    ann_graph_free(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_gradient_is_found),     cmocka_unit_test(stop_grad_stops),
        cmocka_unit_test(cast_passes_the_gradient),      cmocka_unit_test(any_order),
        cmocka_unit_test(an_independent_wrt_gets_zeros),
    };
    int failures = example_run_lists("gradient", test_list);
    failures += cmocka_run_group_tests_name("rules", tests, NULL, NULL);
    print_worst();
    return failures > 0;
}
