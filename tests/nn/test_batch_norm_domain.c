/* Batch normalisation per domain against PyTorch (float64): one layer a domain, of which one is absent from
   the batch and one has a single sample. */
#include "support/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "batch_norm_domain_values.h"
#include "nn/nn.h"
#include "support/eval.h"

enum { BATCH = 8, ELEMS = BATCH * 2 * 2 * 3, CHANNELS = 3, DOMAINS = 4, EVAL = 3 };

typedef struct model {
    ann_store *store;
    ann_graph *graph;
    ann_node y, grads[3]; /* with respect to x, gamma, beta */
    eval *run;
} model;

typedef struct variant {
    bool evaluates;
    const char *trained;
    bool over_ranks; /* statistics through the reductions */
    double momentum; /* > 0: in place of the layer's */
} variant;

static double *tensor(const model *m, const char *part, int domain) {
    char name[64];
    snprintf(name, sizeof name, domain == EVAL ? "net/bn/%s" : "net/bn/%s%d", part, domain);
    const ann_tensor found = ann_store_find(m->store, name);
    return found.id < 0 ? NULL : ann_store_data(m->store, found);
}

static void set(const model *m, const char *part, int domain, const double *values) {
    double *to = tensor(m, part, domain);
    if (to) memcpy(to, values, CHANNELS * sizeof *values);
}

static ann_node loaded(const model *m, const char *name) {
    for (int32_t id = 0; id < ann_graph_count(m->graph); id++) {
        const ann_node node = {id};
        if (ann_node_op(m->graph, node) != ANN_OP_STORE) continue;
        const ann_tensor of = ann_node_attrs(m->graph, node)->store.tensor;
        if (strcmp(ann_store_info(m->store, of)->name, name) == 0) return node;
    }
    fail_msg("%s is not loaded", name);
    return ANN_NODE_NONE;
}

static void build(model *m, const variant *v) {
    ann_graph *g = m->graph;
    const ann_node momentum = ann_scalar(g, ANN_F64, v->momentum);
    const ann_shape shape = ANN_SHAPE(BATCH, 2, 2, CHANNELS);
    ann_nn nn = {.graph = g,
                 .training = !v->evaluates,
                 .dtype = ANN_F64,
                 .trained = v->trained,
                 .batch_total = v->over_ranks ? BATCH : 0,
                 .batch_scale = ann_scalar(g, ANN_F64, 1.0 / BATCH),
                 .domain_count = DOMAINS,
                 .eval_domain = EVAL,
                 .domain = ann_input(g, "domain", ANN_I32, ANN_SHAPE(BATCH)),
                 .momentum = v->momentum > 0 ? &momentum : NULL};
    const ann_node x = ann_input(g, "x", ANN_F64, shape), w = ann_input(g, "w", ANN_F64, shape);
    m->y = ann_nn_batch_norm(&nn, "net/bn", x, 0.1, 1e-3);
    const ann_node squares = ann_mul_const(g, ann_square(g, m->y), 0.5);
    const ann_node wrt[3] = {x, loaded(m, "net/bn/gamma"), loaded(m, "net/bn/beta")};
    ann_grad(g, ann_sum_all(g, ann_add(g, ann_mul(g, w, m->y), squares)), wrt, 3, m->grads);
}

static void model_run(model *m, const variant *v) {
    check_ok(ann_store_new(&m->store, 1));
    check_ok(ann_graph_new(&m->graph, m->store));
    build(m, v);
    check_ok(ann_graph_status(m->graph));
    check_ok(ann_store_commit(m->store));
    set(m, "gamma", EVAL, bnd_gamma);
    set(m, "beta", EVAL, bnd_beta);
    for (int d = 0; d < DOMAINS; d++) {
        set(m, "mean", d, bnd_mean + CHANNELS * d);
        set(m, "var", d, bnd_var + CHANNELS * d);
    }
    m->run = eval_new(m->graph, ANN_KERNEL_REFERENCE);
    memcpy(eval_input(m->run, "x"), bnd_x, sizeof bnd_x);
    memcpy(eval_input(m->run, "w"), bnd_w, sizeof bnd_w);
    memcpy(eval_input(m->run, "domain"), bnd_domain, sizeof bnd_domain);
    eval_run(m->run, ANN_NODE_NONE);
}

static void model_free(model *m) {
    eval_free(m->run);
    ann_graph_free(m->graph);
    ann_store_free(m->store);
}

/* Sums of 32 terms of size about 4, divided by deviations of about 1, and of 0.1 where there is one sample.
 */
static void compare(const char *what, const double *got, const double *want, int n) {
    const double tolerance = 32 * 64 * 0x1p-53;
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s[%d]: %.17g instead of %.17g", what, i, got[i], want[i]);
}

static void check_running(const model *m, const double *mean, const double *var) {
    for (int d = 0; d < DOMAINS; d++) {
        compare("mean", tensor(m, "mean", d), mean + CHANNELS * d, CHANNELS);
        compare("var", tensor(m, "var", d), var + CHANNELS * d, CHANNELS);
    }
}

static void check_training(bool over_ranks) {
    model m;
    model_run(&m, &(variant){.over_ranks = over_ranks});
    compare("y", eval_value(m.run, m.y), bnd_y, ELEMS);
    compare("dx", eval_value(m.run, m.grads[0]), bnd_dx, ELEMS);
    compare("dgamma", eval_value(m.run, m.grads[1]), bnd_dgamma, CHANNELS);
    compare("dbeta", eval_value(m.run, m.grads[2]), bnd_dbeta, CHANNELS);
    check_running(&m, bnd_mean_after, bnd_var_after);
    /* The absent domain's are the same bits. */
    assert_memory_equal(tensor(&m, "mean", 2), bnd_mean + 2 * CHANNELS, CHANNELS * sizeof(double));
    assert_memory_equal(tensor(&m, "var", 2), bnd_var + 2 * CHANNELS, CHANNELS * sizeof(double));
    model_free(&m);
}

static void test_training(void **state) {
    (void)state;
    check_training(false);
}
static void test_training_over_ranks(void **state) {
    (void)state;
    check_training(true);
}

static void test_momentum(void **state) {
    (void)state;
    model m;
    model_run(&m, &(variant){.momentum = 0.25});
    check_running(&m, bnd_mean_quarter, bnd_var_quarter);
    model_free(&m);
}

/* Each sample by the running statistics of its domain, which stay. */
static void test_frozen(void **state) {
    (void)state;
    model m;
    model_run(&m, &(variant){.trained = "head/*"});
    compare("y", eval_value(m.run, m.y), bnd_y_frozen, ELEMS);
    assert_int_equal(ann_graph_effect_count(m.graph), 0);
    model_free(&m);
}

/* All samples by those of one domain, the only ones that are declared. */
static void test_evaluation(void **state) {
    (void)state;
    model m;
    model_run(&m, &(variant){.evaluates = true});
    compare("y", eval_value(m.run, m.y), bnd_y_eval, ELEMS);
    assert_int_equal(ann_graph_effect_count(m.graph), 0);
    assert_null(tensor(&m, "mean", 0));
    assert_non_null(tensor(&m, "mean", 3));
    model_free(&m);
}

static void check_refused(ann_nn nn) {
    model m;
    check_ok(ann_store_new(&m.store, 1));
    check_ok(ann_graph_new(&m.graph, m.store));
    nn.graph = m.graph;
    nn.dtype = ANN_F64;
    nn.domain = ann_input(m.graph, "domain", ANN_I32, ANN_SHAPE(2));
    ann_nn_batch_norm(&nn, "bn", ann_input(m.graph, "x", ANN_F64, ANN_SHAPE(2, 3)), 0.1, 1e-5);
    assert_int_equal(ann_graph_status(m.graph), ANN_ERR_ARG);
    ann_graph_free(m.graph);
    ann_store_free(m.store);
}

static void test_wrong_domains(void **state) {
    (void)state;
    ann_nn_moving moving[2];
    check_refused((ann_nn){.domain_count = ANN_NN_DOMAINS + 1});
    check_refused((ann_nn){.domain_count = 2, .eval_domain = 2});
    check_refused((ann_nn){.domain_count = 2, .eval_domain = -1});
    check_refused((ann_nn){.training = true, .domain_count = 2, .moving = moving, .moving_room = 2});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),   cmocka_unit_test(test_training_over_ranks),
        cmocka_unit_test(test_momentum),   cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_evaluation), cmocka_unit_test(test_wrong_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
