#include "support/model.h"

#include "base/philox.h"
#include "support/check.h"

static ann_node param(model *m, const char *name, ann_dtype dtype, ann_shape shape, ann_tensor *out) {
    check_ok(ann_store_declare(out, m->store, name, dtype, &shape, ANN_ROLE_PARAM,
                               (ann_init){ANN_INIT_UNIFORM, 0.5}));
    return ann_load(m->graph, *out);
}

/* Adam with clipping by norm, as flat vectors. */
static void update(model *m, ann_node loss, const ann_node *wrt, const ann_tensor *tensors, int n) {
    ann_graph *g = m->graph;
    ann_node grads[8];
    int64_t offsets[8];
    ann_grad(g, loss, wrt, n, grads);
    check_ok(ann_store_group(&m->params, m->store, "params", tensors, n));
    check_ok(ann_store_group_like(&m->m, m->store, "m", m->params));
    check_ok(ann_store_group_like(&m->v, m->store, "v", m->params));
    for (int i = 0; i < n; i++) offsets[i] = ann_store_info(m->store, tensors[i])->offset_elems;
    const ann_node sum =
        ann_allreduce(g, ann_pack(g, grads, n, offsets, ann_store_block_elems(m->store, m->params)), 0);
    const ann_node norm = ann_sqrt(g, ann_sum_all(g, ann_square(g, sum)));
    const ann_node one = ann_scalar(g, ann_node_dtype(g, norm), 1);
    const ann_node d = ann_mul(g, sum, ann_min(g, one, ann_div(g, ann_mul_const(g, one, 0.5), norm)));
    const ann_node p = ann_load_block(g, m->params), m0 = ann_load_block(g, m->m),
                   v0 = ann_load_block(g, m->v);
    const ann_node m1 = ann_add(g, ann_mul_const(g, m0, 0.9), ann_mul_const(g, d, 0.1));
    const ann_node v1 = ann_add(g, ann_mul_const(g, v0, 0.99), ann_mul_const(g, ann_square(g, d), 0.01));
    const ann_node lr = ann_cast(g, ann_input(g, "lr", ANN_F64, ANN_SCALAR), ann_node_dtype(g, d));
    const ann_node p1 =
        ann_sub(g, p, ann_mul(g, lr, ann_div(g, m1, ann_add_const(g, ann_sqrt(g, v1), 1e-3))));
    ann_effect(g, ann_assign(g, m0, m1));
    ann_effect(g, ann_assign(g, v0, v1));
    ann_effect(g, ann_assign(g, p, p1));
    ann_output(g, "norm", norm);
}

void model_new(model *m, ann_dtype dtype) {
    check_ok(ann_store_new(&m->store, 7));
    check_ok(ann_graph_new(&m->graph, m->store));
    ann_graph *g = m->graph;
    ann_tensor t[6], running;
    const ann_node x = ann_input(g, "x", dtype, ANN_SHAPE(MODEL_BATCH, MODEL_SIDE, MODEL_SIDE, 1));
    const ann_node y = ann_input(g, "y", ANN_I32, ANN_SHAPE(MODEL_BATCH));
    const ann_node ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(MODEL_BATCH));
    const ann_node wc = param(m, "conv/weight", dtype, ANN_SHAPE(4, 3, 3, 1), &t[0]);
    const ann_node bc = param(m, "conv/bias", dtype, ANN_SHAPE(4), &t[1]);
    const ann_node w1 = param(m, "fc1/weight", dtype, ANN_SHAPE(36, 16), &t[2]);
    const ann_node b1 = param(m, "fc1/bias", dtype, ANN_SHAPE(16), &t[3]);
    const ann_node w2 = param(m, "fc2/weight", dtype, ANN_SHAPE(16, MODEL_CLASSES), &t[4]);
    const ann_node b2 = param(m, "fc2/bias", dtype, ANN_SHAPE(MODEL_CLASSES), &t[5]);
    const ann_window same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
    const ann_window half = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
    ann_scope_push(g, "conv");
    ann_node h = ann_relu(g, ann_add(g, ann_conv2d(g, x, wc, same), bc));
    h = ann_flatten(g, ann_max_pool2d(g, h, half));
    ann_scope_pop(g);
    ann_scope_push(g, "fc1");
    h = ann_tanh(g, ann_add(g, ann_matmul(g, h, w1, false, false), b1));
    const ann_node mean = ann_mul_const(g, ann_reduce_sum(g, ann_stop_grad(g, h), 1), 1.0 / MODEL_BATCH);
    h = ann_dropout(g, h, ids, 0.25, 11, 3);
    ann_scope_pop(g);
    const ann_node logits = ann_add(g, ann_matmul(g, h, w2, false, false), b2);
    const ann_node loss =
        ann_mul_const(g, ann_sum_all(g, ann_cross_entropy(g, logits, y)), 1.0 / MODEL_BATCH);
    const ann_node hits = ann_cast(g, ann_eq(g, ann_argmax(g, logits), y), dtype);
    ann_output(g, "loss", loss);
    ann_output(g, "correct", ann_sum_all(g, hits));
    check_ok(ann_store_declare(&running, m->store, "running/mean", dtype, &ANN_SHAPE(1, 16), ANN_ROLE_STATE,
                               (ann_init){ANN_INIT_ZERO, 0}));
    const ann_node old = ann_load(g, running);
    ann_effect(g, ann_assign(g, old, ann_add(g, ann_mul_const(g, old, 0.9), ann_mul_const(g, mean, 0.1))));
    /* reverse order of use, as optimizers lay blocks out */
    update(m, loss, (ann_node[]){b2, w2, b1, w1, bc, wc}, (ann_tensor[]){t[5], t[4], t[3], t[2], t[1], t[0]},
           6);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(m->store));
}

void model_free(model *m) {
    ann_graph_free(m->graph);
    ann_store_free(m->store);
}

void model_images(double *x) {
    for (uint64_t i = 0; i < MODEL_BATCH * MODEL_SIDE * MODEL_SIDE; i++)
        x[i] = ann_random_uniform(5, 0, 0, i) - 0.3;
}
void model_labels(int32_t *y) {
    for (int i = 0; i < MODEL_BATCH; i++) y[i] = i % MODEL_CLASSES;
}
