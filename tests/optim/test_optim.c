/* Every optimizer, 20 steps, against PyTorch (float64); and what the flat gradient is made of. */
#include "support/check.h"

#include <math.h>
#include <string.h>

#include "exec/exec.h"
#include "optim/optim.h"
#include "optim_values.h"
#include "pass/pass.h"

static ann_node constant(ann_graph *g, const char *name, int64_t n) {
    return ann_input(g, name, ANN_F64, ANN_SHAPE(n));
}

/* sum 0.5 a (p - t)^2 + 0.25 (p - t)^4 over one of the two tensors */
static ann_node loss_of(ann_graph *g, const char *name, int64_t n, const char *a_name, const char *t_name) {
    ann_tensor tensor;
    check_ok(ann_store_declare(&tensor, ann_graph_store(g), name, ANN_F64, &ANN_SHAPE(n), ANN_ROLE_PARAM,
                               (ann_init){ANN_INIT_ZERO, 0}));
    const ann_node e = ann_sub(g, ann_load(g, tensor), constant(g, t_name, n));
    const ann_node square = ann_square(g, e);
    const ann_node each = ann_add(g, ann_mul_const(g, ann_mul(g, constant(g, a_name, n), square), 0.5),
                                  ann_mul_const(g, ann_square(g, square), 0.25));
    return ann_sum_all(g, each);
}

typedef struct problem {
    ann_store *store;
    ann_plan *plan;
    _Alignas(64) double a1[OPTIM_PARAMS];
    _Alignas(64) double a2[OPTIM_PARAMS];
    _Alignas(64) double t1[OPTIM_PARAMS];
    _Alignas(64) double t2[OPTIM_PARAMS];
    _Alignas(64) double lr;
    _Alignas(64) double step;
    double *p1, *p2;
} problem;

static void bind(problem *p, const char *name, const double *data) {
    if (ann_plan_has_input(p->plan, name)) check_ok(ann_plan_bind(p->plan, name, data));
}

static void problem_new(problem *p, const ann_optim *optim, const ann_optim_part *part) {
    const ann_pass_options passes = {.bucket = {1024, 1024}, .eager_updates = true, .fuse = true};
    const ann_plan_options options = {.threads = 1, .policy = ANN_KERNEL_FAST};
    ann_graph *graph, *lowered;
    check_ok(ann_store_new(&p->store, 1));
    check_ok(ann_graph_new(&graph, p->store));
    const ann_node first = loss_of(graph, "net/first", OPTIM_SPLIT, "a1", "t1");
    const ann_node second = loss_of(graph, "net/second", OPTIM_PARAMS - OPTIM_SPLIT, "a2", "t2");
    ann_optim_build_part(graph, optim, ann_add(graph, first, second), "net/*", part);
    check_ok(ann_graph_status(graph));
    check_ok(ann_store_commit(p->store));
    check_ok(ann_pass_standard(&lowered, graph, &passes));
    check_ok(ann_plan_new(&p->plan, lowered, &options));
    ann_graph_free(lowered);
    ann_graph_free(graph);
    p->p1 = ann_store_data(p->store, ann_store_find(p->store, "net/first"));
    p->p2 = ann_store_data(p->store, ann_store_find(p->store, "net/second"));
    for (int i = 0; i < OPTIM_PARAMS; i++) {
        const int j = i < OPTIM_SPLIT ? i : i - OPTIM_SPLIT;
        (i < OPTIM_SPLIT ? p->p1 : p->p2)[j] = optim_start[i];
        (i < OPTIM_SPLIT ? p->a1 : p->a2)[j] = optim_a[i];
        (i < OPTIM_SPLIT ? p->t1 : p->t2)[j] = optim_t[i];
    }
    bind(p, "a1", p->a1);
    bind(p, "a2", p->a2);
    bind(p, "t1", p->t1);
    bind(p, "t2", p->t2);
    bind(p, "lr", &p->lr);
    bind(p, "step", &p->step);
}

static void problem_free(problem *p) {
    ann_plan_free(p->plan);
    ann_store_free(p->store);
}

/* Each of the 20 steps adds a handful of roundings, which the dynamics do not amplify by more than 1e3. */
static void compare_part(const ann_optim *optim, const ann_optim_part *part, const double *expected) {
    const double tolerance = 20 * 16 * 1e3 * 0x1p-53;
    problem p;
    problem_new(&p, optim, part);
    for (int step = 0; step < OPTIM_STEPS; step++) {
        p.lr = 0.05;
        p.step = step + 1;
        check_ok(ann_plan_run(p.plan, ANN_OK));
        for (int i = 0; i < OPTIM_PARAMS; i++) {
            const double got = i < OPTIM_SPLIT ? p.p1[i] : p.p2[i - OPTIM_SPLIT];
            const double want = expected[step * OPTIM_PARAMS + i];
            if (!(fabs(got - want) <= tolerance))
                fail_msg("step %d, parameter %d: %.17g instead of %.17g", step + 1, i, got, want);
        }
    }
    problem_free(&p);
}

static void compare(const ann_optim *optim, const double *expected) {
    compare_part(optim, &(ann_optim_part){.keep = -1}, expected);
}

static void test_sgd(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_SGD}, optim_sgd);
}
static void test_momentum(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9}, optim_momentum);
}
static void test_nesterov(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_NESTEROV, .momentum = 0.8}, optim_nesterov);
}
static void test_adam(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}, optim_adam);
    compare(&(ann_optim){.kind = ANN_OPTIM_ADAM, .beta1 = 0.7, .beta2 = 0.95, .eps = 1e-2}, optim_adam_eps);
}
static void test_adamw(void **state) {
    (void)state;
    compare(
        &(ann_optim){.kind = ANN_OPTIM_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1},
        optim_adamw);
}
static void test_penalties(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_SGD, .l1 = 0.3, .l2 = 0.2}, optim_sgd_l1_l2);
    compare(&(ann_optim){.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9, .l2 = 0.3},
            optim_momentum_weight_decay);
}
static void test_clipping(void **state) {
    (void)state;
    compare(&(ann_optim){.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9, .l2 = 0.1, .clip_norm = 0.5},
            optim_clip_norm);
    compare(&(ann_optim){.kind = ANN_OPTIM_SGD, .clip_value = 0.4}, optim_clip_value);
}

/* ---- groups ---- */

static const ann_optim_group both_rates[] = {{"slow", "net/first", 0.2}, {"fast", "net/*", 2}};

static void compare_groups(const ann_optim *optim, const double *expected) {
    ann_optim_part part = {.keep = -1, .groups = both_rates, .group_count = 2};
    compare_part(optim, &part, expected);
    part.counts = true;
    compare_part(optim, &part, expected);
}

static void test_groups_have_rates_of_their_own(void **state) {
    (void)state;
    compare_groups(&(ann_optim){.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9}, optim_groups_momentum);
    compare_groups(&(ann_optim){.kind = ANN_OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8},
                   optim_groups_adam);
    compare_groups(
        &(ann_optim){.kind = ANN_OPTIM_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1},
        optim_groups_adamw);
}

static void test_groups_are_clipped_together(void **state) {
    (void)state;
    compare_groups(&(ann_optim){.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9, .l2 = 0.1, .clip_norm = 0.5},
                   optim_groups_clip_norm);
}

/* ---- which parameters ---- */

static ann_node load_named(ann_graph *g, const char *name) {
    ann_tensor tensor;
    check_ok(ann_store_declare(&tensor, ann_graph_store(g), name, ANN_F64, &ANN_SHAPE(3), ANN_ROLE_PARAM,
                               (ann_init){ANN_INIT_CONST, 2}));
    return ann_load(g, tensor);
}

/* sum(first * shared) + sum(second * shared): "shared" is loaded twice, "frozen" is not trained. */
static void build_shared(ann_graph *g, const char *wrt) {
    const ann_optim sgd = {.kind = ANN_OPTIM_SGD};
    const ann_node first = load_named(g, "first"), shared = load_named(g, "shared");
    const ann_node a = ann_mul(g, first, shared);
    const ann_node second = load_named(g, "second"), again = load_named(g, "shared");
    const ann_node b = ann_mul(g, second, again);
    const ann_node c = ann_add(g, ann_add(g, a, b), load_named(g, "frozen"));
    ann_optim_build(g, &sgd, ann_sum_all(g, c), wrt);
}

static void test_block_is_in_reverse_order_of_use(void **state) {
    (void)state;
    static const char *const order[] = {"second", "shared", "first"};
    ann_store *store;
    ann_graph *g, *again;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    build_shared(g, "*,!frozen");
    check_ok(ann_graph_status(g));
    int64_t end = 0;
    for (int i = 0; i < 3; i++) {
        const ann_tensor_info *info = ann_store_info(store, ann_store_find(store, order[i]));
        assert_string_equal(ann_store_block_name(store, info->block), "params");
        assert_true(info->offset_elems >= end);
        end = info->offset_elems + 3;
    }
    assert_true(ann_store_info(store, ann_store_find(store, "frozen"))->block.id < 0);
    /* A second graph finds the block; one that trains more than it holds is refused. */
    check_ok(ann_graph_new(&again, store));
    build_shared(again, "*,!frozen");
    check_ok(ann_graph_status(again));
    assert_int_equal(ann_store_block_count(store), 1);
    ann_graph_free(again);
    check_ok(ann_graph_new(&again, store));
    build_shared(again, "*");
    assert_int_equal(ann_graph_status(again), ANN_ERR_ARG);
    ann_graph_free(again);
    ann_graph_free(g);
    ann_store_free(store);
}

static void test_shared_parameter_gets_the_sum(void **state) {
    (void)state;
    const ann_pass_options passes = {.bucket = {1024, 1024}, .eager_updates = true, .fuse = true};
    const ann_plan_options options = {.threads = 1, .policy = ANN_KERNEL_FAST};
    _Alignas(64) static const double lr = 0.5;
    ann_store *store;
    ann_graph *g, *lowered;
    ann_plan *plan;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    build_shared(g, "*,!frozen");
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(store));
    check_ok(ann_pass_standard(&lowered, g, &passes));
    check_ok(ann_plan_new(&plan, lowered, &options));
    check_ok(ann_plan_bind(plan, "lr", &lr));
    if (ann_plan_has_input(plan, "step")) check_ok(ann_plan_bind(plan, "step", &lr));
    check_ok(ann_plan_run(plan, ANN_OK));
    const struct {
        const char *name;
        double value;
    } want[] = {{"first", 2 - 0.5 * 2}, {"second", 2 - 0.5 * 2}, {"shared", 2 - 0.5 * 4}, {"frozen", 2}};
    for (int i = 0; i < 4; i++) {
        const double *value = ann_store_data(store, ann_store_find(store, want[i].name));
        for (int j = 0; j < 3; j++) assert_true(value[j] == want[i].value);
    }
    ann_plan_free(plan);
    ann_graph_free(lowered);
    ann_graph_free(g);
    ann_store_free(store);
}

static void test_nothing_to_train_is_an_error(void **state) {
    (void)state;
    ann_store *store;
    ann_graph *g;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    build_shared(g, "encoder/*");
    assert_int_equal(ann_graph_status(g), ANN_ERR_NOT_FOUND);
    assert_non_null(strstr(ann_error_text(), "encoder/*"));
    ann_graph_free(g);
    ann_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_momentum),
        cmocka_unit_test(test_nesterov),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_groups_have_rates_of_their_own),
        cmocka_unit_test(test_groups_are_clipped_together),
        cmocka_unit_test(test_block_is_in_reverse_order_of_use),
        cmocka_unit_test(test_shared_parameter_gets_the_sum),
        cmocka_unit_test(test_nothing_to_train_is_an_error),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
