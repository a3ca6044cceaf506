/* Plans against the tests' interpreter: each pass alone and the whole pipeline give the same step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/hash.h"
#include "exec/exec.h"
#include "support/model.h"
#include "graph/node.h"
#include "nn/nn.h"
#include "optim/optim.h"
#include "pass/pass.h"
#include "support/check.h"
#include "support/eval.h"

enum { STEPS = 5, PIXELS = MODEL_BATCH * MODEL_SIDE * MODEL_SIDE };

typedef struct inputs {
    double x64[PIXELS];
    float x32[PIXELS];
    int32_t y[MODEL_BATCH];
    int64_t ids[MODEL_BATCH];
    double lr;
} inputs;

static void inputs_at(inputs *in, int step) {
    model_images(in->x64);
    for (int i = 0; i < PIXELS; i++) in->x32[i] = (float)in->x64[i];
    model_labels(in->y);
    for (int i = 0; i < MODEL_BATCH; i++) in->ids[i] = step * MODEL_BATCH + i;
    in->lr = 0.05 / (step + 1);
}

typedef struct trace {
    double loss[STEPS], norm[STEPS], correct[STEPS];
    double *params;
    int64_t n;
} trace;

/* Every tensor of the store but the moments, one after the other. */
static void keep_params(trace *t, const model *m, ann_dtype dtype) {
    t->n = 0;
    t->params = calloc(4096, sizeof *t->params);
    for (int i = 0; i < ann_store_count(m->store); i++) {
        const ann_tensor_info *info = ann_store_info(m->store, (ann_tensor){i});
        const int64_t elems = ann_shape_elems(&info->shape);
        assert_true(t->n + elems <= 4096);
        for (int64_t k = 0; k < elems && info->role != ANN_ROLE_MOMENT; k++)
            t->params[t->n++] = ann_elem_get(ann_store_data(m->store, (ann_tensor){i}), dtype, k);
    }
}

/* The oracle: the graph as it was built, by the interpreter in float64. */
static void run_oracle(trace *t) {
    model m;
    model_new(&m, ANN_F64);
    eval *e = eval_new(m.graph, ANN_KERNEL_REFERENCE);
    for (int s = 0; s < STEPS; s++) {
        inputs in;
        inputs_at(&in, s);
        memcpy(eval_input(e, "x"), in.x64, sizeof in.x64);
        memcpy(eval_input(e, "y"), in.y, sizeof in.y);
        memcpy(eval_input(e, "ids"), in.ids, sizeof in.ids);
        memcpy(eval_input(e, "lr"), &in.lr, sizeof in.lr);
        eval_run(e, ANN_NODE_NONE);
        t->loss[s] = eval_scalar(e, ann_graph_output(m.graph, 0, NULL));
        t->correct[s] = eval_scalar(e, ann_graph_output(m.graph, 1, NULL));
        t->norm[s] = eval_scalar(e, ann_graph_output(m.graph, 2, NULL));
    }
    keep_params(t, &m, ANN_F64);
    eval_free(e);
    model_free(&m);
}

typedef ann_status (*transform)(ann_graph **out, const ann_graph *graph);

static void bind_all(ann_plan *plan, const inputs *in, ann_dtype dtype) {
    check_ok(ann_plan_bind(plan, "x", dtype == ANN_F64 ? (const void *)in->x64 : in->x32));
    check_ok(ann_plan_bind(plan, "y", in->y));
    check_ok(ann_plan_bind(plan, "ids", in->ids));
    check_ok(ann_plan_bind(plan, "lr", &in->lr));
}

static void run_plan(trace *t, transform pass, ann_dtype dtype, ann_kernel_policy policy, int threads) {
    model m;
    ann_graph *g;
    ann_plan *plan;
    model_new(&m, dtype);
    check_ok(pass(&g, m.graph));
    check_ok(ann_plan_new(&plan, g, &(ann_plan_options){.threads = threads, .policy = policy}));
    for (int s = 0; s < STEPS; s++) {
        inputs in;
        inputs_at(&in, s);
        bind_all(plan, &in, dtype);
        check_ok(ann_plan_run(plan, ANN_OK));
        t->loss[s] = ann_elem_get(ann_plan_output(plan, "loss"), dtype, 0);
        t->correct[s] = ann_elem_get(ann_plan_output(plan, "correct"), dtype, 0);
        t->norm[s] = ann_elem_get(ann_plan_output(plan, "norm"), dtype, 0);
    }
    keep_params(t, &m, dtype);
    ann_plan_free(plan);
    ann_graph_free(g);
    model_free(&m);
}

static void compare(const trace *got, const trace *want, double tolerance) {
    assert_int_equal(got->n, want->n);
    for (int s = 0; s < STEPS; s++) {
        assert_true(fabs(got->loss[s] - want->loss[s]) <= tolerance * fabs(want->loss[s]));
        assert_true(fabs(got->norm[s] - want->norm[s]) <= tolerance * fabs(want->norm[s]));
        assert_true(got->correct[s] == want->correct[s]);
    }
    for (int64_t i = 0; i < got->n; i++) assert_true(fabs(got->params[i] - want->params[i]) <= tolerance);
    assert_true(want->loss[STEPS - 1] < want->loss[0]);
}

/* ---- the passes, one by one ---- */

static ann_status none(ann_graph **out, const ann_graph *g) { return ann_pass_order(out, g, false); }
static ann_status simplify(ann_graph **out, const ann_graph *g) { return ann_pass_simplify(out, g); }
static ann_status expand(ann_graph **out, const ann_graph *g) {
    return ann_pass_expand(out, g, ANN_EXPAND_ALL);
}
static ann_status slice(ann_graph **out, const ann_graph *g) { return ann_pass_slice(out, g, 256); }
static ann_status bucket(ann_graph **out, const ann_graph *g) {
    return ann_pass_bucket(out, g, &(ann_bucket_options){512, 64});
}
static ann_status fuse(ann_graph **out, const ann_graph *g) { return ann_pass_fuse(out, g); }
static ann_status order_eager(ann_graph **out, const ann_graph *g) { return ann_pass_order(out, g, true); }
static ann_status standard(ann_graph **out, const ann_graph *g) {
    return ann_pass_standard(out, g,
                             &(ann_pass_options){.slice_bytes = 512, .bucket = {512, 64}, .fuse = true});
}
static ann_status standard_eager(ann_graph **out, const ann_graph *g) {
    return ann_pass_standard(out, g,
                             &(ann_pass_options){.bucket = {512, 64}, .fuse = true, .eager_updates = true});
}

static void each_pass_keeps_the_step(void **state) {
    (void)state;
    static const struct {
        const char *name;
        transform pass;
    } passes[] = {{"none", none},         {"simplify", simplify}, {"expand", expand},
                  {"slice", slice},       {"bucket", bucket},     {"fuse", fuse},
                  {"order", order_eager}, {"standard", standard}, {"standard_eager", standard_eager}};
    trace want;
    run_oracle(&want);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        for (int threads = 1; threads <= 2; threads++) {
            trace exact, fast;
            print_message("pass %s, %d threads\n", passes[i].name, threads);
            run_plan(&exact, passes[i].pass, ANN_F64, ANN_KERNEL_REFERENCE, threads);
            compare(&exact, &want, 1e-12);
            run_plan(&fast, passes[i].pass, ANN_F32, ANN_KERNEL_FAST, threads);
            compare(&fast, &want, 2e-4);
            free(exact.params);
            free(fast.params);
        }
    free(want.params);
}

/* ---- structure ---- */

static int count_op(const ann_graph *g, ann_op op) {
    uint8_t *live;
    int n = 0;
    check_ok(anni_live(g, &live));
    for (int32_t id = 0; id < ann_graph_count(g); id++) n += live[id] && ann_node_op(g, (ann_node){id}) == op;
    free(live);
    return n;
}

/* The last product into quarters of what the others may have, but not below 16 rows. */
static void large_products_are_cut(void **state) {
    (void)state;
    ann_graph *g, *cut;
    check_ok(ann_graph_new(&g, NULL));
    const ann_node x = ann_input(g, "x", ANN_F32, ANN_SHAPE(4, 100)),
                   y = ann_input(g, "y", ANN_F32, ANN_SHAPE(4, 8));
    const ann_node z = ann_input(g, "z", ANN_F32, ANN_SHAPE(4, 32));
    const ann_node large = ann_matmul(g, x, y, true, false), last = ann_matmul(g, z, y, true, false);
    const int64_t offsets[] = {0, 800};
    ann_output(g, "sum", ann_allreduce(g, ann_pack(g, (ann_node[]){large, last}, 2, offsets, 800 + 256), 0));
    check_ok(ann_pass_slice(&cut, g, 1024));
    assert_int_equal(count_op(g, ANN_OP_MATMUL), 2);
    assert_int_equal(count_op(cut, ANN_OP_MATMUL), 4 + 2); /* 32, 32, 32 and 4 rows; 16 and 16 */
    ann_graph_free(cut);
    ann_graph_free(g);
}

static void the_pipeline_lowers(void **state) {
    (void)state;
    model m;
    ann_graph *g;
    model_new(&m, ANN_F32);
    check_ok(standard(&g, m.graph));
    assert_int_equal(count_op(m.graph, ANN_OP_ALLREDUCE), 1);
    assert_true(count_op(g, ANN_OP_ALLREDUCE) > 2);                            /* buckets */
    assert_int_equal(count_op(g, ANN_OP_PACK), count_op(g, ANN_OP_ALLREDUCE)); /* one each */
    assert_int_equal(count_op(g, ANN_OP_ASSIGN), 0);                           /* all in loops */
    assert_int_equal(count_op(g, ANN_OP_BIAS_ACT), 3);
    assert_int_equal(count_op(g, ANN_OP_ADD), 0);
    assert_int_equal(ann_graph_effect_count(g),
                     count_op(g, ANN_OP_PACK) + 1); /* a loop per bucket, the running mean */
    ann_graph_free(g);
    model_free(&m);
}

/* ---- failure ---- */

static void an_injected_failure_changes_nothing(void **state) {
    (void)state;
    model m;
    ann_graph *g;
    ann_plan *plan;
    trace before, after;
    model_new(&m, ANN_F32);
    check_ok(standard(&g, m.graph));
    check_ok(ann_plan_new(&plan, g, &(ann_plan_options){.threads = 1}));
    inputs in;
    inputs_at(&in, 0);
    assert_int_equal(ann_plan_run(plan, ANN_OK), ANN_ERR_ARG); /* nothing is bound */
    bind_all(plan, &in, ANN_F32);
    keep_params(&before, &m, ANN_F32);
    assert_int_equal(ann_plan_run(plan, ANN_ERR_IO), ANN_ERR_IO);
    keep_params(&after, &m, ANN_F32);
    assert_memory_equal(before.params, after.params, (size_t)before.n * sizeof(double));
    assert_false(ann_plan_torn(plan));
    check_ok(ann_plan_run(plan, ANN_OK));
    assert_int_equal(ann_plan_bind(plan, "z", in.y), ANN_ERR_NOT_FOUND);
    free(before.params);
    free(after.params);
    ann_plan_free(plan);
    ann_graph_free(g);
    model_free(&m);
}

/* A second rank that adds nothing, and fails at one of the reductions: so it says with all that follow, and
   with the vote, which is the last that is started. */
typedef struct peer {
    int started, waited, fails_at; /* fails_at: index of a reduction; -1 never */
    bool told;                     /* this rank has told of a failure of its own */
    const ann_store *store;        /* whose parameters are looked at in each wait; NULL: none */
    uint64_t before;
    int waited_changed; /* so many waits found them changed */
} peer;

static uint64_t params_hash(const ann_store *store) {
    uint64_t hash = 0;
    for (int i = 0; i < ann_store_block_count(store); i++)
        if (strcmp(ann_store_block_name(store, (ann_block){i}), "params") == 0)
            hash = ann_hash(ann_store_block_data(store, (ann_block){i}),
                            (size_t)ann_store_block_elems(store, (ann_block){i}) * sizeof(float), 0);
    return hash;
}

static ann_status peer_start(void *self, const ann_message *message, ann_outcome mine, int *request) {
    (void)message;
    peer *p = self;
    p->told = p->told || mine.failed;
    *request = p->started++;
    return ANN_OK;
}
static ann_status peer_progress(void *self) {
    (void)self;
    return ANN_OK;
}
static ann_status peer_wait(void *self, int request, ann_outcome *all) {
    peer *p = self;
    p->waited++;
    p->waited_changed += p->store && params_hash(p->store) != p->before;
    *all = (ann_outcome){.failed = (p->fails_at >= 0 && request >= p->fails_at) || p->told};
    return ANN_OK;
}

static void a_failing_peer_changes_nothing(void **state) {
    (void)state;
    int buckets = 1;
    for (int k = -1; k < buckets; k++) {
        model m;
        ann_graph *g;
        ann_plan *plan;
        trace before, after;
        peer p = {.fails_at = k};
        const ann_channel_ops ops = {
            .self = &p, .size = 2, .start = peer_start, .progress = peer_progress, .wait = peer_wait};
        model_new(&m, ANN_F32);
        check_ok(standard(&g, m.graph));
        check_ok(ann_plan_new(&plan, g, &(ann_plan_options){.threads = 1, .channels = &ops}));
        inputs in;
        inputs_at(&in, 0);
        bind_all(plan, &in, ANN_F32);
        keep_params(&before, &m, ANN_F32);
        assert_int_equal(ann_plan_run(plan, ANN_OK), k < 0 ? ANN_OK : ANN_ERR_PEER);
        keep_params(&after, &m, ANN_F32);
        assert_int_equal(memcmp(before.params, after.params, (size_t)before.n * sizeof(double)) == 0, k >= 0);
        assert_false(ann_plan_torn(plan));
        assert_int_equal(p.waited, p.started); /* all of the schedule was drained */
        buckets = p.started;
        free(before.params);
        free(after.params);
        ann_plan_free(plan);
        ann_graph_free(g);
        model_free(&m);
    }
    assert_true(buckets > 2);
}

/* Two layers, so two buckets and the vote: when the second sum is waited for, the first has been used. */
static void an_update_does_not_wait_for_later_sums(void **state) {
    (void)state;
    static _Alignas(64) const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static _Alignas(64) const double lr = 0.1, step = 1;
    ann_store *store;
    ann_graph *g, *lowered;
    ann_plan *plan;
    check_ok(ann_store_new(&store, 1));
    check_ok(ann_graph_new(&g, store));
    ann_nn nn = {.graph = g, .training = true, .dtype = ANN_F32, .init = ANN_NN_XAVIER};
    const ann_node h = ann_nn_dense(&nn, "a", ann_input(g, "x", ANN_F32, ANN_SHAPE(1, 8)), 16);
    ann_optim_build(g, &(ann_optim){.kind = ANN_OPTIM_SGD}, ann_sum_all(g, ann_nn_dense(&nn, "b", h, 16)),
                    "*");
    check_ok(ann_store_commit(store));
    check_ok(ann_pass_standard(&lowered, g, &(ann_pass_options){.bucket = {1024, 1024}, .fuse = true}));
    peer p = {.fails_at = -1, .store = store, .before = params_hash(store)};
    const ann_channel_ops ops = {
        .self = &p, .size = 2, .start = peer_start, .progress = peer_progress, .wait = peer_wait};
    check_ok(ann_plan_new(&plan, lowered, &(ann_plan_options){.threads = 1, .channels = &ops}));
    check_ok(ann_plan_bind(plan, "x", x));
    check_ok(ann_plan_bind(plan, "lr", &lr));
    if (ann_plan_has_input(plan, "step")) check_ok(ann_plan_bind(plan, "step", &step));
    check_ok(ann_plan_run(plan, ANN_OK));
    assert_true(p.started >= 3);
    assert_int_equal(p.waited, p.started);
    assert_true(p.waited_changed > 0);
    ann_plan_free(plan);
    ann_graph_free(lowered);
    ann_graph_free(g);
    ann_store_free(store);
}

/* A trace tells of every start and wait, in order, with the times at which the sums were there; what does not
   fit is counted. */
static int64_t peer_done_ns(void *self, int request) {
    (void)self;
    return 1000 + request;
}

static void a_trace_tells_of_every_message(void **state) {
    (void)state;
    enum { ROOM = 512, LITTLE = 5 };
    static ann_event events[ROOM];
    model m;
    ann_graph *g;
    ann_plan *plan;
    inputs in;
    int seen[ANN_EVENT_VOTE + 1] = {0};
    peer p = {.fails_at = -1};
    const ann_channel_ops ops = {.self = &p,
                                 .size = 2,
                                 .start = peer_start,
                                 .progress = peer_progress,
                                 .wait = peer_wait,
                                 .done_ns = peer_done_ns};
    ann_trace notes = {.events = events, .room = ROOM};
    model_new(&m, ANN_F32);
    check_ok(standard(&g, m.graph));
    check_ok(ann_plan_new(&plan, g, &(ann_plan_options){.threads = 1, .channels = &ops, .trace = &notes}));
    inputs_at(&in, 0);
    bind_all(plan, &in, ANN_F32);
    check_ok(ann_plan_run(plan, ANN_OK));
    assert_int_equal(notes.dropped, 0);
    for (int i = 0; i < notes.count; i++) {
        const ann_event *e = &events[i];
        assert_true(e->begin_ns > 0 && e->begin_ns <= e->end_ns && e->label[0]);
        assert_true(i == 0 || events[i - 1].end_ns <= e->begin_ns);
        if (e->kind == ANN_EVENT_START) assert_int_equal(e->message, seen[ANN_EVENT_START]);
        else if (e->kind == ANN_EVENT_WAIT)
            assert_true(e->message >= 0 && e->message < seen[ANN_EVENT_START]);
        else assert_int_equal(e->message, -1);
        assert_true((e->done_ns > 0) == (e->kind == ANN_EVENT_WAIT));
        seen[e->kind]++;
    }
    assert_int_equal(seen[ANN_EVENT_START], ann_plan_message_count(plan));
    assert_int_equal(seen[ANN_EVENT_WAIT], ann_plan_message_count(plan));
    assert_int_equal(seen[ANN_EVENT_VOTE], 1);
    assert_true(seen[ANN_EVENT_COMPUTE] > 0 && seen[ANN_EVENT_PROGRESS] > 0);

    const int all = notes.count;
    notes = (ann_trace){.events = events, .room = LITTLE};
    check_ok(ann_plan_run(plan, ANN_OK));
    assert_int_equal(notes.count, LITTLE);
    assert_int_equal(notes.count + notes.dropped, all);
    ann_plan_free(plan);
    ann_graph_free(g);
    model_free(&m);
}

int main(void) {
    ann_kernel_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pass_keeps_the_step),
        cmocka_unit_test(large_products_are_cut),
        cmocka_unit_test(the_pipeline_lowers),
        cmocka_unit_test(an_injected_failure_changes_nothing),
        cmocka_unit_test(a_failing_peer_changes_nothing),
        cmocka_unit_test(an_update_does_not_wait_for_later_sums),
        cmocka_unit_test(a_trace_tells_of_every_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
