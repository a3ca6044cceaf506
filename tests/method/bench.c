#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "support/check.h"
#include "support/eval.h"

typedef enum activation { NONE, TANH, SIGMOID } activation;

static const struct {
    const char *name;
    int in, units;
    activation activation;
} blocks[] = {{"encoder", BENCH_INPUTS, BENCH_FEATURES, TANH},
              {"head", BENCH_FEATURES, BENCH_CLASSES, NONE},
              {"discriminator", BENCH_FEATURES, 1, NONE},
              {"decoder", BENCH_FEATURES, BENCH_INPUTS, NONE},
              {"projector", BENCH_FEATURES, 3, NONE},
              {"predictor", 3, 3, NONE},
              {"second", BENCH_FEATURES, BENCH_CLASSES, NONE},
              {"cdan", BENCH_FEATURES *BENCH_CLASSES, 1, NONE},
              {"code", BENCH_INPUTS, 2 * BENCH_FEATURES, NONE},
              {"units", BENCH_INPUTS, BENCH_FEATURES, SIGMOID},
              {"upper", BENCH_FEATURES, 3, SIGMOID},
              {"lower", 3, BENCH_FEATURES, NONE},
              {"whole", BENCH_INPUTS, BENCH_CLASSES, NONE}};
enum { BLOCKS = sizeof blocks / sizeof blocks[0] };

static ann_node activate(ann_graph *g, activation kind, ann_node y) {
    switch (kind) {
    case TANH: return ann_tanh(g, y);
    case SIGMOID: return ann_sigmoid(g, y);
    default: return y;
    }
}

static ann_node apply(const void *of, ann_nn *nn, const char *block, ann_node x) {
    (void)of;
    for (int k = 0; k < BLOCKS; k++) {
        if (strcmp(blocks[k].name, block) != 0) continue;
        char name[64];
        snprintf(name, sizeof name, "%s/fc", block);
        const ann_node y = ann_nn_dense(nn, name, x, blocks[k].units);
        return activate(nn->graph, blocks[k].activation, y);
    }
    return ann_graph_fail(nn->graph, ANN_ERR_NOT_FOUND, "there is no block %s", block);
}

/* ---- values ---- */

/* Of a block's layer, if it is there: weight, then bias. */
static void set_block(const ann_store *store, const char *of, int k, double size) {
    char name[64];
    const int weights = blocks[k].in * blocks[k].units;
    snprintf(name, sizeof name, "%s%s/fc/weight", of, blocks[k].name);
    const ann_tensor weight = ann_store_find(store, name);
    if (weight.id < 0) return;
    snprintf(name, sizeof name, "%s%s/fc/bias", of, blocks[k].name);
    double *w = ann_store_data(store, weight), *b = ann_store_data(store, ann_store_find(store, name));
    for (int i = 0; i < weights; i++) w[i] = size * sin(1.3 * i + k + 1);
    for (int i = 0; i < blocks[k].units; i++) b[i] = size * sin(1.3 * (weights + i) + k + 1);
}

static void set_parameters(const ann_store *store) {
    for (int k = 0; k < BLOCKS; k++) {
        set_block(store, "", k, 0.5);
        set_block(store, ANN_METHOD_TEACHER "/", k, 0.4);
        set_block(store, "tutor/", k, 0.4);
    }
}

static void set_given(const ann_store *store, const bench_values *given) {
    double *data = ann_store_data(store, ann_store_find(store, given->tensor));
    if (!data) fail_msg("there is no %s", given->tensor);
    else memcpy(data, given->values, (size_t)given->n * sizeof *data);
}

static bool has_input(const ann_graph *g, const char *name) {
    for (int32_t id = 0; id < ann_graph_count(g); id++)
        if (ann_node_op(g, (ann_node){id}) == ANN_OP_INPUT &&
            strcmp(ann_node_attrs(g, (ann_node){id})->input.name, name) == 0)
            return true;
    return false;
}

static void set_inputs(eval *e, const ann_graph *g, const int32_t *of) {
    double *x = eval_input(e, "x"), *x2 = eval_input(e, "x2");
    int32_t *y = eval_input(e, "y"), *domain = eval_input(e, "domain");
    int64_t *ids = has_input(g, "ids") ? eval_input(e, "ids") : NULL;
    for (int b = 0; b < BENCH_BATCH; b++) {
        for (int i = 0; i < BENCH_INPUTS; i++) {
            x[b * BENCH_INPUTS + i] = 0.5 + 0.5 * sin(0.9 * (b * BENCH_INPUTS + i));
            x2[b * BENCH_INPUTS + i] = 0.5 + 0.5 * cos(1.1 * (b * BENCH_INPUTS + i));
        }
        domain[b] = of ? of[b] : b % 2;
        y[b] = domain[b] ? -1 : b / 2 % BENCH_CLASSES;
        if (ids) ids[b] = b;
    }
}

/* ---- comparison ---- */

static void compare(const char *what, const double *got, const double *want, int n) {
    double scale = 0;
    for (int i = 0; i < n; i++) scale = fmax(scale, fabs(want[i]));
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 0x1p-40 * scale + 0x1p-52))
            fail_msg("%s[%d]: %.17g instead of %.17g", what, i, got[i], want[i]);
}

enum { LOADS = 64 };

/* The gradient of each trained tensor: of all loads of it. */
static int find_loads(ann_node *loads, const ann_graph *g) {
    int n = 0;
    for (int32_t id = 0; id < ann_graph_count(g); id++) {
        if (ann_node_op(g, (ann_node){id}) != ANN_OP_STORE) continue;
        assert_true(n < LOADS);
        loads[n++] = (ann_node){id};
    }
    return n;
}

static const char *name_of(const ann_graph *g, ann_node load) {
    return ann_store_info(ann_graph_store(g), ann_node_attrs(g, load)->store.tensor)->name;
}

static void compare_gradient(const eval *e, const ann_graph *g, const bench_values *want,
                             const ann_node *loads, const ann_node *grads, int n) {
    double sum[256] = {0};
    bool found = false;
    assert_true(want->n <= 256);
    for (int i = 0; i < n; i++) {
        if (strcmp(name_of(g, loads[i]), want->tensor) != 0) continue;
        found = true;
        for (int j = 0; j < want->n; j++) sum[j] += eval_elem(e, grads[i], j);
    }
    if (!found) fail_msg("%s is not loaded", want->tensor);
    compare(want->tensor, sum, want->values, want->n);
}

static void compare_state(const ann_store *store, const bench_values *want) {
    const ann_tensor tensor = ann_store_find(store, want->tensor);
    if (tensor.id < 0) fail_msg("there is no %s", want->tensor);
    compare(want->tensor, ann_store_data(store, tensor), want->values, want->n);
}

static bool is_state(const ann_store *store, const char *name) {
    const ann_tensor tensor = ann_store_find(store, name);
    return tensor.id >= 0 && ann_store_info(store, tensor)->role == ANN_ROLE_STATE;
}

/* Scalar. */
static ann_node build(ann_method *m, const bench_case *c) {
    return c->evaluates ? ann_sum_all(m->nn->graph, ann_method_evaluate(m)) : ann_method_build(m);
}

/* A graph of the case over a store of its own. */
typedef struct setup {
    ann_store *store;
    ann_graph *graph;
    ann_node loss;
} setup;

static setup set_up(const bench_case *c) {
    static const char *const model[] = {"encoder", "head"};
    setup s;
    check_ok(ann_store_new(&s.store, 1));
    check_ok(ann_graph_new(&s.graph, s.store));
    ann_graph *g = s.graph;
    ann_nn nn = {
        .graph = g, .training = !c->evaluates, .dtype = ANN_F64, .seed = 5, .batch_scale = ANN_NODE_NONE};
    nn.ids = ann_input(g, "ids", ANN_I64, ANN_SHAPE(BENCH_BATCH));
    const ann_method_blocks of = {
        .apply = apply, .model = c->model ? c->model : model, .model_count = c->model ? c->model_count : 2};
    ann_method m = {.config = &c->config,
                    .blocks = &of,
                    .nn = &nn,
                    .likeness = c->likeness,
                    .local = BENCH_BATCH,
                    .global = BENCH_BATCH,
                    .whole = BENCH_WHOLE,
                    .scale = ann_scalar(g, ANN_F64, 1.0 / BENCH_BATCH),
                    .progress = ann_scalar(g, ANN_F64, c->progress),
                    .cosine = ann_scalar(g, ANN_F64, cos(acos(-1) * c->progress)),
                    .x = ann_input(g, "x", ANN_F64, ANN_SHAPE(BENCH_BATCH, BENCH_INPUTS)),
                    .x2 = ann_input(g, "x2", ANN_F64, ANN_SHAPE(BENCH_BATCH, BENCH_INPUTS)),
                    .labels = ann_input(g, "y", ANN_I32, ANN_SHAPE(BENCH_BATCH)),
                    .domain = ann_input(g, "domain", ANN_I32, ANN_SHAPE(BENCH_BATCH)),
                    .domains = 2,
                    .step = c->step,
                    .stage = c->stage,
                    .table =
                        c->table ? ann_input(g, "table", ANN_F32, ANN_SHAPE(BENCH_BATCH)) : ANN_NODE_NONE,
                    .logits = ANN_NODE_NONE};
    m.clean = c->noisy ? m.x2 : m.x;
    s.loss = build(&m, c);
    return s;
}

static void tear_down(setup *s) {
    ann_graph_free(s->graph);
    ann_store_free(s->store);
}

void bench_check(const bench_case *c) {
    setup s = set_up(c);
    ann_node loads[LOADS], grads[LOADS];
    check_ok(ann_graph_status(s.graph));
    const int n = find_loads(loads, s.graph);
    ann_grad(s.graph, s.loss, loads, n, grads);
    check_ok(ann_store_commit(s.store));
    set_parameters(s.store);
    for (int i = 0; i < c->given_count; i++) set_given(s.store, &c->given[i]);
    eval *e = eval_new(s.graph, ANN_KERNEL_REFERENCE);
    set_inputs(e, s.graph, c->domain);
    if (c->table) memcpy(eval_input(e, "table"), c->table, BENCH_BATCH * sizeof *c->table);
    eval_run(e, ANN_NODE_NONE);
    const double got = eval_scalar(e, s.loss);
    compare("loss", &got, &c->loss, 1);
    for (int i = 0; i < c->gradient_count; i++) {
        if (is_state(s.store, c->gradients[i].tensor)) compare_state(s.store, &c->gradients[i]);
        else compare_gradient(e, s.graph, &c->gradients[i], loads, grads, n);
    }
    eval_free(e);
    tear_down(&s);
}

void bench_refuses(const bench_case *c, const char *error) {
    setup s = set_up(c);
    assert_int_not_equal(ann_graph_status(s.graph), ANN_OK);
    assert_string_equal(ann_error_text(), error);
    tear_down(&s);
}
