/* Layer normalisation against PyTorch (float64): output, gradients, and gradients of gradients. */
#include "support/check.h"

#include <math.h>
#include <string.h>

#include "layer_norm_values.h"
#include "nn/nn.h"
#include "support/eval.h"

enum { ELEMS = 4 * 2 * 3 * 5, CHANNELS = 5 };

typedef struct model {
    ann_store *store;
    ann_graph *graph;
    ann_node y, first[3], second[2]; /* with respect to x, gamma, beta; x, gamma */
} model;

static ann_node half_square(ann_graph *g, ann_node x) { return ann_mul_const(g, ann_square(g, x), 0.5); }

/* The node of the graph that loads the tensor. */
static ann_node loaded(const model *m, const char *name) {
    for (int32_t id = 0; id < ann_graph_count(m->graph); id++) {
        const ann_node node = {id};
        if (ann_node_op(m->graph, node) != ANN_OP_STORE) continue;
        const ann_tensor tensor = ann_node_attrs(m->graph, node)->store.tensor;
        if (strcmp(ann_store_info(m->store, tensor)->name, name) == 0) return node;
    }
    fail_msg("%s is not loaded", name);
    return ANN_NODE_NONE;
}

static void set(const ann_store *store, const char *name, const double *values) {
    memcpy(ann_store_data(store, ann_store_find(store, name)), values, CHANNELS * sizeof *values);
}

/* loss = sum w y + y^2 / 2; the second order is of sum dx^2 / 2. */
static void model_build(model *m, bool training) {
    check_ok(ann_store_new(&m->store, 1));
    check_ok(ann_graph_new(&m->graph, m->store));
    ann_graph *g = m->graph;
    ann_nn nn = {.graph = g, .training = training, .dtype = ANN_F64};
    const ann_shape shape = ANN_SHAPE(4, 2, 3, 5);
    const ann_node x = ann_input(g, "x", ANN_F64, shape), w = ann_input(g, "w", ANN_F64, shape);
    m->y = ann_nn_layer_norm(&nn, "net/ln", x, 1e-3);
    const ann_node loss = ann_sum_all(g, ann_add(g, ann_mul(g, w, m->y), half_square(g, m->y)));
    const ann_node wrt[3] = {x, loaded(m, "net/ln/gamma"), loaded(m, "net/ln/beta")};
    ann_grad(g, loss, wrt, 3, m->first);
    ann_grad(g, ann_sum_all(g, half_square(g, m->first[0])), wrt, 2, m->second);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(m->store));
    set(m->store, "net/ln/gamma", ln_gamma);
    set(m->store, "net/ln/beta", ln_beta);
}

/* Sums of 24 terms, of a parameter's gradient, and some 64 roundings in what they are made of. */
static void compare(const char *what, const eval *e, ann_node node, const double *want, int n) {
    const double tolerance = 24 * 64 * 0x1p-53;
    for (int i = 0; i < n; i++)
        if (!(fabs(eval_elem(e, node, i) - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s[%d]: %.17g instead of %.17g", what, i, eval_elem(e, node, i), want[i]);
}

static void check(bool training) {
    model m;
    model_build(&m, training);
    eval *e = eval_new(m.graph, ANN_KERNEL_REFERENCE);
    memcpy(eval_input(e, "x"), ln_x, sizeof ln_x);
    memcpy(eval_input(e, "w"), ln_w, sizeof ln_w);
    eval_run(e, ANN_NODE_NONE);
    compare("y", e, m.y, ln_y, ELEMS);
    compare("dx", e, m.first[0], ln_dx, ELEMS);
    compare("dgamma", e, m.first[1], ln_dgamma, CHANNELS);
    compare("dbeta", e, m.first[2], ln_dbeta, CHANNELS);
    compare("ddx", e, m.second[0], ln_ddx, ELEMS);
    compare("ddgamma", e, m.second[1], ln_ddgamma, CHANNELS);
    eval_free(e);
    ann_graph_free(m.graph);
    ann_store_free(m.store);
}

static void test_training(void **state) {
    (void)state;
    check(true);
}
static void test_evaluation(void **state) {
    (void)state;
    check(false);
}

static void test_needs_an_axis(void **state) {
    (void)state;
    model m;
    check_ok(ann_store_new(&m.store, 1));
    check_ok(ann_graph_new(&m.graph, m.store));
    ann_nn nn = {.graph = m.graph, .dtype = ANN_F64};
    ann_nn_layer_norm(&nn, "ln", ann_input(m.graph, "x", ANN_F64, ANN_SHAPE(4)), 1e-5);
    assert_int_equal(ann_graph_status(m.graph), ANN_ERR_SHAPE);
    ann_graph_free(m.graph);
    ann_store_free(m.store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_needs_an_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
