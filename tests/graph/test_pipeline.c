/* Each example and its first gradient, as the graph was built, against the same graph with its composites
   expanded, after each pass, and run as a plan with fast kernels in f64 and f32. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_examples.h"
#include "support/check.h"
#include "support/eval.h"
#include "base/mem.h"
#include "exec/exec.h"
#include "graph/node.h"
#include "pass/pass.h"

/* ---- the subject: outputs "f", "y" and "g0" ... of one example; an assign is an effect ---- */

typedef struct subject {
    const op_example *ex;
    ann_store *store;
    ann_graph *graph;
    ann_node in[EXAMPLE_MAX_IN];
} subject;

static void add_gradient(subject *s, ann_node f, ann_dtype real) {
    static const char *const names[EXAMPLE_MAX_IN] = {"g0", "g1", "g2", "g3"};
    ann_graph *g = s->graph;
    const ann_op_info *info = anni_op_info(ann_node_op(g, f));
    ann_node x[EXAMPLE_MAX_IN], grads[EXAMPLE_MAX_IN];
    int n = 0;
    for (int i = 0; i < s->ex->n_in; i++)
        if (example_differentiable(s->ex, i)) x[n++] = s->in[i];
    if (n == 0 || ann_node_dtype(g, f) != real || !(info->vjp || info->expand)) return;
    const ann_node y = ann_sum_all(g, ann_mul(g, f, ann_add_const(g, ann_mul_const(g, f, 0.5), 0.75)));
    ann_grad(g, y, x, n, grads);
    ann_output(g, "y", y);
    for (int i = 0; i < n; i++) ann_output(g, names[i], grads[i]);
}

static subject subject_new(const op_example *ex, ann_dtype real) {
    subject s = {.ex = ex};
    check_ok(example_store(&s.store, real));
    check_ok(ann_graph_new(&s.graph, s.store));
    const ann_node f = example_build(s.graph, ex, real, s.in);
    if (ann_node_op(s.graph, f) == ANN_OP_ASSIGN) ann_effect(s.graph, f);
    else ann_output(s.graph, "f", f);
    add_gradient(&s, f, real);
    check_ok(ann_graph_status(s.graph));
    return s;
}

static void subject_free(subject *s) {
    ann_graph_free(s->graph);
    ann_store_free(s->store);
}

/* ---- results: the values of all outputs and of the store, one after the other ---- */

enum { MAX_VALUES = 4096 };

typedef struct results {
    int64_t n;
    double value[MAX_VALUES];
    double top;   /* of the oracle: the largest number anywhere in the graph */
    double slack; /* of the oracle: the roundings of all its nodes, each a sum of as many terms as its largest
                     input */
} results;

static void keep(results *r, const void *data, ann_dtype dtype, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        assert_true(r->n < MAX_VALUES);
        r->value[r->n++] = ann_elem_get(data, dtype, i);
    }
}

static void keep_store(results *r, const subject *s) {
    const ann_tensor_info *t = ann_store_info(s->store, (ann_tensor){0});
    keep(r, ann_store_data(s->store, (ann_tensor){0}), t->dtype, ann_shape_elems(&t->shape));
}

static void run_eval(results *r, const subject *s, const ann_graph *g, ann_kernel_policy policy) {
    eval *run = eval_new(g, policy);
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        const ann_node node = {id};
        if (ann_node_op(g, node) != ANN_OP_INPUT) continue;
        const char *name = ann_node_attrs(g, node)->input.name;
        example_fill(eval_input(run, name), ann_node_dtype(g, node), s->ex, name[1] - '0');
    }
    eval_run(run, ANN_NODE_NONE);
    *r = (results){.top = 1.0, .slack = 1.0};
    for (int i = 0; i < ann_graph_output_count(g); i++) {
        const ann_node node = ann_graph_output(g, i, NULL);
        keep(r, eval_value(run, node), ann_node_dtype(g, node), ann_shape_elems(ann_node_shape(g, node)));
    }
    keep_store(r, s);
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        const int64_t n = ann_shape_elems(ann_node_shape(g, (ann_node){id}));
        for (int64_t i = 0; i < n; i++) r->top = fmax(r->top, fabs(eval_elem(run, (ann_node){id}, i)));
        r->slack += 1.0 + 3.0 * sqrt((double)n);
    }
    eval_free(run);
}

static void run_plan(results *r, const subject *s, const ann_graph *g, ann_kernel_policy policy) {
    static const char *const names[EXAMPLE_MAX_IN] = {"x0", "x1", "x2", "x3"};
    const ann_plan_options options = {.threads = 2, .policy = policy};
    ann_plan *plan = NULL;
    void *memory[EXAMPLE_MAX_IN] = {NULL};
    size_t bytes[EXAMPLE_MAX_IN] = {0};
    check_ok(ann_plan_new(&plan, g, &options));
    for (int i = 0; i < s->ex->n_in; i++) {
        const ann_dtype dtype = ann_node_dtype(s->graph, s->in[i]);
        bytes[i] = (size_t)ann_shape_elems(&s->ex->in[i].shape) * ann_dtype_bytes(dtype) + 1;
        check_ok(ann_mem_alloc(&memory[i], bytes[i]));
        example_fill(memory[i], dtype, s->ex, i);
        if (ann_plan_has_input(plan, names[i])) check_ok(ann_plan_bind(plan, names[i], memory[i]));
    }
    check_ok(ann_plan_run(plan, ANN_OK));
    *r = (results){0};
    for (int i = 0; i < ann_graph_output_count(s->graph); i++) {
        const char *name;
        const ann_node node = ann_graph_output(s->graph, i, &name);
        const void *data = ann_plan_output(plan, name);
        assert_non_null(data);
        keep(r, data, ann_node_dtype(s->graph, node), ann_shape_elems(ann_node_shape(s->graph, node)));
    }
    keep_store(r, s);
    ann_plan_free(plan);
    for (int i = 0; i < s->ex->n_in; i++) ann_mem_free(memory[i], bytes[i]);
}

static void compare(const results *got, const results *oracle, const op_example *ex, const char *what,
                    ann_dtype real) {
    const double u = real == ANN_F32 ? 0x1p-24 : 0x1p-53, bound = oracle->slack * u * oracle->top;
    assert_int_equal(got->n, oracle->n);
    for (int64_t i = 0; i < got->n; i++)
        if (!(fabs(got->value[i] - oracle->value[i]) <= bound))
            fail_msg("%s, %s in %s: value %lld is %.17g, should be %.17g within %.3g", ex->name, what,
                     ann_dtype_name(real), (long long)i, got->value[i], oracle->value[i], bound);
}

/* ---- the ways ---- */

static ann_status expand_all(ann_graph **out, const ann_graph *g) {
    return ann_pass_expand(out, g, ANN_EXPAND_ALL);
}
static ann_status order(ann_graph **out, const ann_graph *g) { return ann_pass_order(out, g, true); }

static void check_pass(const op_example *ex, const results *oracle, const char *name,
                       ann_status (*pass)(ann_graph **out, const ann_graph *graph)) {
    static results got;
    subject s = subject_new(ex, ANN_F64);
    ann_graph *after = NULL;
    check_ok(pass(&after, s.graph));
    run_eval(&got, &s, after, ANN_KERNEL_REFERENCE);
    compare(&got, oracle, ex, name, ANN_F64);
    ann_graph_free(after);
    subject_free(&s);
}

static void check_plan(const op_example *ex, const results *oracle, ann_dtype real, bool fuse,
                       ann_kernel_policy policy) {
    static results got;
    subject s = subject_new(ex, real);
    ann_graph *after = NULL;
    const ann_pass_options options = {.bucket = {1 << 20, 1 << 18}, .eager_updates = true, .fuse = fuse};
    check_ok(ann_pass_standard(&after, s.graph, &options));
    run_plan(&got, &s, after, policy);
    compare(&got, oracle, ex, fuse ? "fused plan" : "plan", real);
    ann_graph_free(after);
    subject_free(&s);
}

static void check_example(const op_example *ex) {
    static results oracle;
    subject s = subject_new(ex, ANN_F64);
    run_eval(&oracle, &s, s.graph, ANN_KERNEL_REFERENCE);
    subject_free(&s);
    check_pass(ex, &oracle, "expand", expand_all);
    check_pass(ex, &oracle, "simplify", ann_pass_simplify);
    check_pass(ex, &oracle, "fuse", ann_pass_fuse);
    check_pass(ex, &oracle, "order", order);
    check_plan(ex, &oracle, ANN_F64, false, ANN_KERNEL_REFERENCE);
    check_plan(ex, &oracle, ANN_F64, true, ANN_KERNEL_FAST);
    check_plan(ex, &oracle, ANN_F32, false, ANN_KERNEL_FAST);
    check_plan(ex, &oracle, ANN_F32, true, ANN_KERNEL_FAST);
}

static void test_list(void **state) {
    for (const op_example *ex = example_list(*(const int *)*state); ex->name; ex++) check_example(ex);
}

/* ---- composites ---- */

static bool has_composite(const ann_graph *g) {
    for (int32_t id = 0; id < ann_graph_count(g); id++)
        if (anni_op_info(ann_node_op(g, (ann_node){id}))->tier == ANN_TIER_COMPOSITE) return true;
    return false;
}

/* What was compared above under "expand" was really without composites, and each composite has its expansion.
 */
static void every_composite_expands(void **state) {
    (void)state;
    for (int list = 0; list < ANN_OP_COUNT; list++) {
        if (anni_op_info((ann_op)list)->tier != ANN_TIER_COMPOSITE) continue;
        assert_non_null(anni_op_info((ann_op)list)->expand);
        for (const op_example *ex = example_list(list); ex->name; ex++) {
            subject s = subject_new(ex, ANN_F64);
            ann_graph *after = NULL;
            assert_true(has_composite(s.graph));
            check_ok(expand_all(&after, s.graph));
            assert_false(has_composite(after));
            ann_graph_free(after);
            subject_free(&s);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_composite_expands)};
    ann_kernel_init();
    int failures = example_run_lists("pipeline", test_list);
    failures += cmocka_run_group_tests_name("composites", tests, NULL, NULL);
    return failures > 0;
}
