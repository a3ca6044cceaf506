/* Groups of parameters: steps of several kinds over one store against PyTorch (float64), what a group is, and
   how its gradient is cut into messages. */
#include "support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "optim/optim.h"
#include "optim_values.h"
#include "pass/pass.h"

static const ann_optim_group groups[] = {{"first", "net/first", 1}, {"second", "net/second", 1}};

static ann_node load(ann_graph *g, const char *name, int64_t n) {
    ann_tensor tensor;
    check_ok(ann_store_declare(&tensor, ann_graph_store(g), name, ANN_F64, &ANN_SHAPE(n), ANN_ROLE_PARAM,
                               (ann_init){ANN_INIT_CONST, 1}));
    return ann_load(g, tensor);
}

static ann_plan *plan_of(ann_graph *g, int64_t bucket_bytes) {
    const ann_pass_options passes = {.join_bytes = bucket_bytes,
                                     .bucket = {bucket_bytes, bucket_bytes},
                                     .eager_updates = true,
                                     .fuse = true};
    ann_graph *lowered;
    ann_plan *plan;
    check_ok(ann_pass_standard(&lowered, g, &passes));
    check_ok(ann_plan_new(&plan, lowered, &(ann_plan_options){.threads = 1}));
    ann_graph_free(lowered);
    return plan;
}

/* ---- steps of two kinds, taken in turns ---- */

enum { FIRST = OPTIM_SPLIT, SECOND = OPTIM_PARAMS - OPTIM_SPLIT, KINDS = 2 };

typedef struct turns {
    ann_store *store;
    ann_plan *plans[KINDS];
    _Alignas(64) double a[OPTIM_PARAMS];
    _Alignas(64) double t[OPTIM_PARAMS];
    _Alignas(64) double lr;
    double *first, *second;
    double norm; /* of the last gradient of both groups */
} turns;

/* sum 0.5 a e^2 + 0.25 e^4 */
static ann_node quartic(ann_graph *g, ann_node a, ann_node e) {
    const ann_node square = ann_square(g, e);
    return ann_sum_all(g, ann_add(g, ann_mul_const(g, ann_mul(g, a, square), 0.5),
                                  ann_mul_const(g, ann_square(g, square), 0.25)));
}

/* Kind 0 moves both tensors to t, kind 1 the second to a place that depends on the first. */
static ann_graph *graph_of_kind(ann_store *store, int kind) {
    const ann_optim adam = {
        .kind = ANN_OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip_norm = 1.5};
    const ann_optim_part part = {.keep = -1, .groups = groups, .group_count = KINDS, .counts = true};
    ann_graph *g;
    check_ok(ann_graph_new(&g, store));
    const ann_node first = load(g, "net/first", FIRST), second = load(g, "net/second", SECOND);
    const ann_node a = ann_input(g, "a", ANN_F64, ANN_SHAPE(OPTIM_PARAMS));
    const ann_node t = ann_input(g, "t", ANN_F64, ANN_SHAPE(OPTIM_PARAMS));
    const int64_t split = FIRST, end = OPTIM_PARAMS;
    ann_node loss;
    if (kind == 0) {
        const ann_node both[] = {first, second};
        loss = quartic(g, a, ann_sub(g, ann_concat(g, both, 2, 0), t));
    } else {
        const ann_node shift = ann_mul_const(g, ann_sum_all(g, first), 0.25);
        const ann_node goal = ann_add(g, ann_slice(g, t, &split, &end), shift);
        loss = quartic(g, ann_slice(g, a, &split, &end), ann_sub(g, second, goal));
    }
    ann_optim_build_part(g, &adam, loss, kind == 0 ? "net/*" : "net/second", &part);
    check_ok(ann_graph_status(g));
    return g;
}

static void turns_new(turns *p) {
    ann_graph *graphs[KINDS];
    check_ok(ann_store_new(&p->store, 1));
    for (int k = 0; k < KINDS; k++) graphs[k] = graph_of_kind(p->store, k);
    check_ok(ann_store_commit(p->store));
    memcpy(p->a, optim_a, sizeof p->a);
    memcpy(p->t, optim_t, sizeof p->t);
    p->lr = 0.05;
    for (int k = 0; k < KINDS; k++) {
        p->plans[k] = plan_of(graphs[k], 1024);
        ann_graph_free(graphs[k]);
        check_ok(ann_plan_bind(p->plans[k], "a", p->a));
        check_ok(ann_plan_bind(p->plans[k], "t", p->t));
        check_ok(ann_plan_bind(p->plans[k], "lr", &p->lr));
        assert_false(ann_plan_has_input(p->plans[k], "step"));
    }
    p->first = ann_store_data(p->store, ann_store_find(p->store, "net/first"));
    p->second = ann_store_data(p->store, ann_store_find(p->store, "net/second"));
    memcpy(p->first, optim_start, FIRST * sizeof(double));
    memcpy(p->second, optim_start + FIRST, SECOND * sizeof(double));
}

static void turns_free(turns *p) {
    for (int k = 0; k < KINDS; k++) ann_plan_free(p->plans[k]);
    ann_store_free(p->store);
}

static void take_turns(turns *p) {
    check_ok(ann_plan_run(p->plans[0], ANN_OK));
    p->norm = *(const double *)ann_plan_output(p->plans[0], "grad_norm");
    for (int i = 0; i < 2; i++) check_ok(ann_plan_run(p->plans[1], ANN_OK));
}

static double count_of(const turns *p, const char *name) {
    const ann_tensor count = ann_store_find(p->store, name);
    assert_true(count.id >= 0);
    return *(const double *)ann_store_data(p->store, count);
}

/* Each of the 60 updates adds a handful of roundings, which the dynamics do not amplify by more than 1e3. */
static void a_group_counts_its_own_updates(void **state) {
    (void)state;
    const double tolerance = 60 * 16 * 1e3 * 0x1p-53;
    turns p;
    turns_new(&p);
    for (int step = 0; step < OPTIM_STEPS; step++) {
        take_turns(&p);
        assert_true(fabs(p.norm - optim_turns_norm[step]) <= tolerance * optim_turns_norm[step]);
        for (int i = 0; i < OPTIM_PARAMS; i++) {
            const double got = i < FIRST ? p.first[i] : p.second[i - FIRST];
            const double want = optim_turns[step * OPTIM_PARAMS + i];
            if (!(fabs(got - want) <= tolerance))
                fail_msg("step %d, parameter %d: %.17g instead of %.17g", step + 1, i, got, want);
        }
    }
    assert_true(count_of(&p, "count/params.first") == OPTIM_STEPS);
    assert_true(count_of(&p, "count/params.second") == 3 * OPTIM_STEPS);
    turns_free(&p);
}

/* What goes into a checkpoint is all that the next steps depend on. */
static void the_store_holds_all_of_the_state(void **state) {
    (void)state;
    turns whole, resumed;
    turns_new(&whole);
    turns_new(&resumed);
    for (int step = 0; step < 7; step++) take_turns(&whole);
    for (int32_t i = 0; i < ann_store_block_count(whole.store); i++)
        if (!ann_store_block_is_scratch(whole.store, (ann_block){i}))
            memcpy(ann_store_block_data(resumed.store, (ann_block){i}),
                   ann_store_block_data(whole.store, (ann_block){i}),
                   (size_t)ann_store_block_elems(whole.store, (ann_block){i}) * sizeof(double));
    for (int step = 0; step < 7; step++) {
        take_turns(&whole);
        take_turns(&resumed);
    }
    assert_memory_equal(whole.first, resumed.first, FIRST * sizeof(double));
    assert_memory_equal(whole.second, resumed.second, SECOND * sizeof(double));
    turns_free(&whole);
    turns_free(&resumed);
}

/* ---- which tensors ---- */

static const char *block_of(const ann_store *store, const char *tensor) {
    const ann_tensor t = ann_store_find(store, tensor);
    assert_true(t.id >= 0);
    return ann_store_block_name(store, ann_store_info(store, t)->block);
}

/* sum(a * b) + sum(c) */
static ann_graph *three_tensors(ann_store *store, const char *wrt, const ann_optim_group *of, int count) {
    const ann_optim momentum = {.kind = ANN_OPTIM_MOMENTUM, .momentum = 0.9};
    const ann_optim_part part = {.keep = -1, .groups = of, .group_count = count};
    ann_graph *g;
    check_ok(ann_graph_new(&g, store));
    const ann_node a = load(g, "net/a", 3), b = load(g, "net/b", 3), c = load(g, "head/c", 3);
    ann_optim_build_part(g, &momentum, ann_sum_all(g, ann_add(g, ann_mul(g, a, b), c)), wrt, &part);
    return g;
}

static void a_tensor_is_of_the_first_group_that_matches(void **state) {
    (void)state;
    static const ann_optim_group of[] = {{"one", "net/b", 1}, {"none", "tail/*", 1}, {"", "*", 1}};
    ann_store *store;
    check_ok(ann_store_new(&store, 1));
    ann_graph *g = three_tensors(store, "*", of, 3);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(store));
    assert_string_equal(block_of(store, "net/b"), "params.one");
    assert_string_equal(block_of(store, "net/a"), "params");
    assert_string_equal(block_of(store, "head/c"), "params");
    assert_string_equal(block_of(store, "momentum/net/b"), "momentum/params.one");
    assert_string_equal(block_of(store, "momentum/head/c"), "momentum/params");
    assert_int_equal(ann_store_block_count(store), 4);
    ann_graph_free(g);
    ann_store_free(store);
}

static void assert_refused(const char *wrt, const ann_optim_group *of, int count, ann_status status,
                           const char *text) {
    ann_store *store;
    check_ok(ann_store_new(&store, 1));
    ann_graph *whole = three_tensors(store, "*", groups, 0);
    check_ok(ann_graph_status(whole));
    ann_graph *g = three_tensors(store, wrt, of, count);
    assert_int_equal(ann_graph_status(g), status);
    if (!strstr(ann_error_text(), text)) fail_msg("'%s' lacks '%s'", ann_error_text(), text);
    ann_graph_free(g);
    ann_graph_free(whole);
    ann_store_free(store);
}

static void what_is_not_a_group_is_refused(void **state) {
    (void)state;
    static const ann_optim_group net[] = {{"net", "net/*", 1}}, all[] = {{"", "*", 1}};
    static const ann_optim_group long_name[] = {
        {"a_name_that_is_much_longer_than_the_name_of_any_block_may_be", "*", 1}};
    assert_refused("*", net, 1, ANN_ERR_NOT_FOUND, "head/c is in no group of parameters");
    assert_refused("net/*", all, 1, ANN_ERR_ARG, "2 of the 3 tensors of params are trained");
    assert_refused("*", long_name, 1, ANN_ERR_ARG, "has too long a name");
    assert_refused("net/*", net, 1, ANN_ERR_ARG, "already"); /* in another group */
}

/* ---- messages ---- */

enum { ELEMS = 32, TENSORS = 4 };

static const char *const names[TENSORS] = {"a/x", "a/y", "b/x", "b/y"};

/* Of the same size, which tells their vectors apart by nothing but what they depend on; and one that is
   smaller. */
static const ann_optim_group halves[] = {{"a", "a/*", 1}, {"b", "b/*", 1}},
                             quarter[] = {{"a", "a/x", 1}, {"b", "*", 1}};

/* Steps of sum(p^3). Returns the number of messages; values: [TENSORS][ELEMS]. */
static int cubes(double values[TENSORS][ELEMS], const ann_optim_group *of, int64_t bucket_bytes,
                 double clip_norm) {
    const ann_optim adam = {
        .kind = ANN_OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip_norm = clip_norm};
    const ann_optim_part part = {.keep = -1, .groups = of, .group_count = of ? 2 : 0};
    _Alignas(64) double lr = 0.1;
    _Alignas(64) double step;
    ann_store *store;
    ann_graph *g;
    ann_node loss = ANN_NODE_NONE;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    for (int i = 0; i < TENSORS; i++) {
        const ann_node p = load(g, names[i], ELEMS), cube = ann_mul(g, ann_square(g, p), p);
        loss = i ? ann_add(g, loss, ann_sum_all(g, cube)) : ann_sum_all(g, cube);
    }
    ann_optim_build_part(g, &adam, loss, "*", &part);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(store));
    ann_plan *plan = plan_of(g, bucket_bytes);
    ann_graph_free(g);
    check_ok(ann_plan_bind(plan, "lr", &lr));
    check_ok(ann_plan_bind(plan, "step", &step));
    for (int i = 0; i < TENSORS; i++)
        for (int k = 0; k < ELEMS; k++)
            ((double *)ann_store_data(store, ann_store_find(store, names[i])))[k] = 0.1 * (k + 1) - 0.3 * i;
    for (int i = 1; i <= 3; i++) {
        step = i;
        check_ok(ann_plan_run(plan, ANN_OK));
    }
    for (int i = 0; i < TENSORS; i++)
        memcpy(values[i], ann_store_data(store, ann_store_find(store, names[i])), sizeof values[i]);
    const int messages = ann_plan_message_count(plan);
    ann_plan_free(plan);
    ann_store_free(store);
    return messages;
}

static void every_group_is_cut_into_buckets(void **state) {
    (void)state;
    double one[TENSORS][ELEMS], two[TENSORS][ELEMS], cut[TENSORS][ELEMS];
    cubes(one, NULL, 1 << 20, 0);
    assert_int_equal(cubes(two, halves, 3 * ELEMS * sizeof(double), 0), 2); /* two groups do not fit */
    assert_int_equal(cubes(cut, halves, ELEMS * sizeof(double), 0), TENSORS);
    assert_memory_equal(one, two, sizeof one);
    assert_memory_equal(one, cut, sizeof one);
}

static void small_groups_share_a_message(void **state) {
    (void)state;
    double one[TENSORS][ELEMS], two[TENSORS][ELEMS];
    const int64_t both = TENSORS * ELEMS * sizeof(double);
    for (int clipped = 0; clipped < 2; clipped++) {
        const double clip_norm = clipped ? 0.5 : 0;
        assert_int_equal(cubes(one, NULL, 2 * both, clip_norm), 1);
        assert_int_equal(cubes(two, halves, both, clip_norm), 2); /* the first one is half of a bucket */
        assert_int_equal(cubes(two, quarter, both - 64, clip_norm), 3); /* too large; the rest is cut */
        assert_int_equal(cubes(two, quarter, both, clip_norm), 1);
        assert_int_equal(cubes(two, halves, both + 64, clip_norm), 1);
        for (int i = 0; i < TENSORS; i++)
            for (int k = 0; k < ELEMS; k++)
                assert_true(fabs(one[i][k] - two[i][k]) <= clipped * 3 * 0.1 * 128 * 0x1p-53);
    }
}

/* The norm is a sum of 128 squares in another order, and the rate at most 0.1 per step. */
static void buckets_of_all_groups_make_the_norm(void **state) {
    (void)state;
    double one[TENSORS][ELEMS], cut[TENSORS][ELEMS];
    cubes(one, NULL, 1 << 20, 0.5);
    assert_int_equal(cubes(cut, halves, ELEMS * sizeof(double), 0.5), TENSORS);
    for (int i = 0; i < TENSORS; i++)
        for (int k = 0; k < ELEMS; k++) assert_true(fabs(one[i][k] - cut[i][k]) <= 3 * 0.1 * 128 * 0x1p-53);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_counts_its_own_updates),
        cmocka_unit_test(the_store_holds_all_of_the_state),
        cmocka_unit_test(a_tensor_is_of_the_first_group_that_matches),
        cmocka_unit_test(what_is_not_a_group_is_refused),
        cmocka_unit_test(every_group_is_cut_into_buckets),
        cmocka_unit_test(small_groups_share_a_message),
        cmocka_unit_test(buckets_of_all_groups_make_the_norm),
    };
    ann_kernel_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
