/* The tree over which micro-batches' gradients are summed: every one once, and for a power of two the
   balanced tree, bit by bit. */
#include "support/check.h"

#include <math.h>
#include <string.h>

#include "exec/exec.h"
#include "optim/optim.h"
#include "pass/pass.h"

enum { KINDS = 18, COUNTS = 130 };

/* What the plans of a step do, on numbers. */
static float step_sum(const float *grads, int count) {
    float kept[KINDS] = {0}, sum = 0;
    for (int i = 0; i < count; i++) {
        const ann_optim_part part = ann_optim_part_of(i, count);
        sum = grads[i];
        for (int j = 0; j < KINDS; j++)
            if (part.fold >> j & 1) sum = kept[j] + sum;
        if (part.keep >= 0) kept[part.keep] = sum;
        assert_int_equal(part.keep < 0, i == count - 1);
    }
    return sum;
}

static float tree_sum(const float *grads, int count) {
    return count == 1 ? grads[0] : tree_sum(grads, count / 2) + tree_sum(grads + count / 2, count / 2);
}

static void every_gradient_counts_once(void **state) {
    (void)state;
    for (int count = 1; count <= COUNTS; count++)
        for (int i = 0; i < count; i++) {
            float grads[COUNTS] = {0};
            grads[i] = 1;
            assert_true(step_sum(grads, count) == 1);
        }
}

static void a_power_of_two_is_the_balanced_tree(void **state) {
    (void)state;
    float grads[128], in_a_row = 0;
    for (int i = 0; i < 128; i++) grads[i] = 1.0f / (float)(3 * i + 1);
    for (int count = 1; count <= 128; count *= 2)
        assert_true(step_sum(grads, count) == tree_sum(grads, count));
    for (int i = 0; i < 128; i++) in_a_row += grads[i];
    assert_true(in_a_row != tree_sum(grads, 128)); /* the order shows */
}

/* Micro-batches of one kind are run by one plan. */
static void equal_kinds_have_equal_parts(void **state) {
    (void)state;
    for (int count = 1; count <= COUNTS; count++) {
        int first[KINDS];
        const int kinds = ann_optim_part_kinds(count);
        assert_in_range(kinds, 1, KINDS);
        memset(first, -1, sizeof first);
        for (int i = 0; i < count; i++) {
            const int kind = ann_optim_part_kind(i, count);
            assert_in_range(kind, 0, kinds - 1);
            if (first[kind] < 0) first[kind] = i;
            const ann_optim_part a = ann_optim_part_of(i, count), b = ann_optim_part_of(first[kind], count);
            assert_true(a.fold == b.fold && a.keep == b.keep);
        }
        for (int k = 0; k < kinds; k++) assert_true(first[k] >= 0);
    }
}

/* ---- plans of micro-batches ---- */

enum { N = 3, LARGEST = 7 };

static ann_plan *plan_of_kind(ann_graph *g) {
    const ann_pass_options passes = {.bucket = {64, 64}, .eager_updates = true, .fuse = true};
    ann_graph *lowered;
    ann_plan *plan;
    check_ok(ann_pass_standard(&lowered, g, &passes));
    check_ok(ann_plan_new(&plan, lowered, &(ann_plan_options){.threads = 1}));
    ann_graph_free(lowered);
    return plan;
}

/* loss = sum(p x), of gradient x; the batch's statistic is 2 x, of which a quarter counts. */
static ann_graph *graph_of_kind(ann_store *store, int index, int count) {
    const ann_optim sgd = {.kind = ANN_OPTIM_SGD};
    const ann_init zero = {ANN_INIT_ZERO, 0};
    ann_tensor p, running;
    ann_graph *g;
    check_ok(ann_graph_new(&g, store));
    check_ok(ann_store_declare(&p, store, "p", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_PARAM, zero));
    check_ok(ann_store_declare(&running, store, "running", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_STATE, zero));
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(N));
    const ann_nn_moving moving = {ann_load(g, running), ann_mul_const(g, x, 2), 0.25};
    ann_optim_part part = ann_optim_part_of(index, count);
    part.moving = &moving;
    part.moving_count = 1;
    part.moving_scale = 1.0 / count;
    ann_optim_build_part(g, &sgd, ann_sum_all(g, ann_mul(g, ann_load(g, p), x)), "*", &part);
    check_ok(ann_graph_status(g));
    return g;
}

/* Two steps of `count` micro-batches of integers, which add up exactly. */
static void check_steps(int count) {
    _Alignas(64) static const double lr = 1;
    _Alignas(64) double x[8];
    double p[N] = {0}, running[N] = {0};
    ann_graph *graphs[KINDS];
    ann_plan *plans[KINDS];
    ann_store *store;
    check_ok(ann_store_new(&store, 1));
    const int kinds = ann_optim_part_kinds(count);
    for (int i = 0; i < count; i++) {
        const int kind = ann_optim_part_kind(i, count);
        if (i == count - 1 || i == (1 << (kind - 1)) - 1) graphs[kind] = graph_of_kind(store, i, count);
    }
    check_ok(ann_store_commit(store));
    for (int k = 0; k < kinds; k++) {
        plans[k] = plan_of_kind(graphs[k]);
        check_ok(ann_plan_bind(plans[k], "x", x));
        if (ann_plan_has_input(plans[k], "lr")) check_ok(ann_plan_bind(plans[k], "lr", &lr));
        ann_graph_free(graphs[k]);
    }
    for (int s = 0; s < 2; s++) {
        double sum[N] = {0};
        for (int i = 0; i < count; i++) {
            for (int e = 0; e < N; e++) sum[e] += x[e] = (i + 1) * (e + 3 * s + 1);
            check_ok(ann_plan_run(plans[ann_optim_part_kind(i, count)], ANN_OK));
        }
        for (int e = 0; e < N; e++) {
            p[e] -= sum[e];
            running[e] = 0.75 * running[e] + 0.25 / count * 2 * sum[e];
        }
    }
    const double *have_p = ann_store_data(store, ann_store_find(store, "p"));
    const double *have_running = ann_store_data(store, ann_store_find(store, "running"));
    for (int e = 0; e < N; e++) {
        assert_true(have_p[e] == p[e]);
        assert_true(fabs(have_running[e] - running[e]) < 1e-12);
    }
    for (int k = 0; k < kinds; k++) ann_plan_free(plans[k]);
    ann_store_free(store);
}

static void plans_add_up_gradients_and_statistics(void **state) {
    (void)state;
    for (int count = 1; count <= LARGEST; count++) check_steps(count);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_gradient_counts_once),
                                       cmocka_unit_test(a_power_of_two_is_the_balanced_tree),
                                       cmocka_unit_test(equal_kinds_have_equal_parts),
                                       cmocka_unit_test(plans_add_up_gradients_and_statistics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
