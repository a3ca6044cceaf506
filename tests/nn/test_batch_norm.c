/* Batch normalisation against PyTorch (float64): output, gradients, running statistics, evaluation, freezing.
 */
#include "support/check.h"

#include <math.h>
#include <string.h>

#include "batch_norm_values.h"
#include "nn/nn.h"
#include "support/eval.h"

enum { ELEMS = 6 * 2 * 2 * 3, CHANNELS = 3 };

typedef struct model {
    ann_store *store;
    ann_graph *graph;
    ann_node y, loss, dx, dgamma, dbeta;
} model;

static void set(const ann_store *store, const char *name, const double *values) {
    memcpy(ann_store_data(store, ann_store_find(store, name)), values, CHANNELS * sizeof *values);
}

/* loss = sum w y + y^2 / 2. batch_total > 0: statistics through the reductions over ranks; momentum > 0: in
   place of the layer's. */
static void model_build(model *m, bool training, const char *trained, double batch_total, double momentum) {
    check_ok(ann_store_new(&m->store, 1));
    check_ok(ann_graph_new(&m->graph, m->store));
    ann_graph *g = m->graph;
    const ann_node other = ann_scalar(g, ANN_F64, momentum);
    ann_nn nn = {.graph = g,
                 .training = training,
                 .dtype = ANN_F64,
                 .trained = trained,
                 .batch_total = batch_total,
                 .batch_scale = ann_scalar(g, ANN_F64, 1.0 / 6),
                 .momentum = momentum > 0 ? &other : NULL};
    const ann_node x = ann_input(g, "x", ANN_F64, ANN_SHAPE(6, 2, 2, 3));
    const ann_node w = ann_input(g, "w", ANN_F64, ANN_SHAPE(6, 2, 2, 3));
    m->y = ann_nn_batch_norm(&nn, "net/bn", x, 0.1, 1e-3);
    m->loss = ann_sum_all(g, ann_add(g, ann_mul(g, w, m->y), ann_mul_const(g, ann_square(g, m->y), 0.5)));
    ann_node wrt[3] = {x, ANN_NODE_NONE, ANN_NODE_NONE}, grads[3];
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        const ann_node node = {id};
        if (ann_node_op(g, node) != ANN_OP_STORE) continue;
        const ann_tensor_info *info = ann_store_info(m->store, ann_node_attrs(g, node)->store.tensor);
        if (strcmp(info->name, "net/bn/gamma") == 0) wrt[1] = node;
        if (strcmp(info->name, "net/bn/beta") == 0) wrt[2] = node;
    }
    ann_grad(g, m->loss, wrt, 3, grads);
    m->dx = grads[0];
    m->dgamma = grads[1];
    m->dbeta = grads[2];
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(m->store));
    set(m->store, "net/bn/gamma", bn_gamma);
    set(m->store, "net/bn/beta", bn_beta);
}

static eval *model_run(const model *m) {
    eval *e = eval_new(m->graph, ANN_KERNEL_REFERENCE);
    memcpy(eval_input(e, "x"), bn_x, sizeof bn_x);
    memcpy(eval_input(e, "w"), bn_w, sizeof bn_w);
    eval_run(e, ANN_NODE_NONE);
    return e;
}

static void model_free(model *m) {
    ann_graph_free(m->graph);
    ann_store_free(m->store);
}

/* Sums of 24 terms of size about 4, divided by deviations of about 1.5. */
static void compare(const char *what, const double *got, const double *want, int n) {
    const double tolerance = 24 * 64 * 0x1p-53;
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s[%d]: %.17g instead of %.17g", what, i, got[i], want[i]);
}

static const double *tensor(const model *m, const char *name) {
    return ann_store_data(m->store, ann_store_find(m->store, name));
}

static void check_training(double batch_total) {
    model m;
    model_build(&m, true, NULL, batch_total, 0);
    eval *e = model_run(&m);
    compare("y", eval_value(e, m.y), bn_y, ELEMS);
    compare("dx", eval_value(e, m.dx), bn_dx, ELEMS);
    compare("dgamma", eval_value(e, m.dgamma), bn_dgamma, CHANNELS);
    compare("dbeta", eval_value(e, m.dbeta), bn_dbeta, CHANNELS);
    compare("mean", tensor(&m, "net/bn/mean"), bn_mean, CHANNELS);
    compare("var", tensor(&m, "net/bn/var"), bn_var, CHANNELS);
    eval_free(e);
    model_free(&m);
}

static void test_training(void **state) {
    (void)state;
    check_training(0);
}
static void test_training_over_ranks(void **state) {
    (void)state;
    check_training(6);
}

/* The statistics moved by a quarter from 0 and 1, and not by the layer's tenth. */
static void test_momentum(void **state) {
    (void)state;
    model m;
    double mean[CHANNELS], var[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        mean[c] = 2.5 * bn_mean[c];
        var[c] = 1 + 2.5 * (bn_var[c] - 1);
    }
    model_build(&m, true, NULL, 0, 0.25);
    eval *e = model_run(&m);
    compare("mean", tensor(&m, "net/bn/mean"), mean, CHANNELS);
    compare("var", tensor(&m, "net/bn/var"), var, CHANNELS);
    eval_free(e);
    model_free(&m);
}

/* With the running statistics: in evaluation, and in training when frozen; neither moves them. */
static void check_running(bool training, const char *trained) {
    model m;
    model_build(&m, training, trained, 6, 0);
    set(m.store, "net/bn/mean", bn_mean);
    set(m.store, "net/bn/var", bn_var);
    eval *e = model_run(&m);
    compare("y", eval_value(e, m.y), bn_y_eval, ELEMS);
    assert_memory_equal(tensor(&m, "net/bn/mean"), bn_mean, sizeof bn_mean);
    assert_memory_equal(tensor(&m, "net/bn/var"), bn_var, sizeof bn_var);
    eval_free(e);
    model_free(&m);
}

static void test_evaluation(void **state) {
    (void)state;
    check_running(false, NULL);
}
static void test_frozen(void **state) {
    (void)state;
    check_running(true, "head/*");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training), cmocka_unit_test(test_training_over_ranks),
        cmocka_unit_test(test_momentum), cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
