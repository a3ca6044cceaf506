/* The outer step against its formulas, for two ranks of which the other one's parameters and statistics are
   0: the mean is half of what is here. */
#include "support/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exec/exec.h"
#include "optim/optim.h"
#include "pass/pass.h"

enum { N = 5, STEPS = 3 };

typedef struct outer_case {
    ann_store *store;
    ann_plan *plan;
    double *param, *other, *running, *frozen;
} outer_case;

/* "p" and "q", or both in one. */
static const ann_optim_group groups[] = {{"p", "p", 1}, {"q", "q", 0.1}};

/* Parameters "p" and "q"; running tensors, of which the inner step moves one. */
static ann_node inner_loss(ann_graph *g) {
    ann_tensor p, q, running, frozen;
    ann_store *store = ann_graph_store(g);
    const ann_init one = {ANN_INIT_CONST, 1};
    check_ok(ann_store_declare(&p, store, "p", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_PARAM, one));
    check_ok(ann_store_declare(&q, store, "q", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_PARAM, one));
    check_ok(ann_store_declare(&running, store, "running", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_STATE, one));
    check_ok(ann_store_declare(&frozen, store, "frozen", ANN_F64, &ANN_SHAPE(N), ANN_ROLE_STATE, one));
    const ann_node loads[] = {ann_load(g, p), ann_load(g, q), ann_load(g, running), ann_load(g, frozen)};
    ann_effect(g, ann_assign(g, loads[2], ann_add(g, loads[2], loads[3])));
    return ann_sum_all(g, ann_mul(g, loads[0], loads[1]));
}

static void begin(outer_case *c, double lr, double momentum, int group_count) {
    const ann_optim sgd = {.kind = ANN_OPTIM_SGD};
    const ann_optim_outer outer = {lr, momentum};
    const ann_pass_options passes = {.bucket = {64, 64}, .fuse = true};
    ann_graph *inner, *g, *lowered;
    check_ok(ann_store_new(&c->store, 1));
    check_ok(ann_graph_new(&inner, c->store));
    const ann_optim_part part = {.keep = -1, .local = true, .groups = groups, .group_count = group_count};
    ann_optim_build_part(inner, &sgd, inner_loss(inner), "*", &part);
    check_ok(ann_graph_status(inner));
    check_ok(ann_graph_new(&g, c->store));
    ann_optim_build_outer(g, &outer, inner, 2);
    check_ok(ann_graph_status(g));
    check_ok(ann_store_commit(c->store));
    check_ok(ann_pass_standard(&lowered, g, &passes));
    check_ok(ann_plan_new(&c->plan, lowered, &(ann_plan_options){.threads = 1}));
    ann_graph_free(lowered);
    ann_graph_free(g);
    ann_graph_free(inner);
    c->param = ann_store_data(c->store, ann_store_find(c->store, "p"));
    c->other = ann_store_data(c->store, ann_store_find(c->store, "q"));
    c->running = ann_store_data(c->store, ann_store_find(c->store, "running"));
    c->frozen = ann_store_data(c->store, ann_store_find(c->store, "frozen"));
}

static void end(outer_case *c) {
    ann_plan_free(c->plan);
    ann_store_free(c->store);
}

static void check_local_sgd(int group_count) {
    outer_case c;
    begin(&c, 1, 0, group_count);
    assert_true(ann_store_find(c.store, "anchor/p").id < 0);
    for (int i = 0; i < N; i++) {
        c.param[i] = i - 1.7;
        c.other[i] = 5 * i;
        c.running[i] = 3 * i;
        c.frozen[i] = i + 0.1;
    }
    check_ok(ann_plan_run(c.plan, ANN_OK));
    for (int i = 0; i < N; i++) {
        assert_true(c.param[i] == 0.5 * (i - 1.7));
        assert_true(c.other[i] == 2.5 * i);
        assert_true(c.running[i] == 1.5 * i);
        assert_true(c.frozen[i] == i + 0.1);
    }
    end(&c);
}

static void local_sgd_is_the_mean(void **state) {
    (void)state;
    assert_false(ann_optim_outer_has_anchor(&(ann_optim_outer){1, 0}));
    check_local_sgd(0);
    check_local_sgd(2);
}

static void check_diloco(int group_count, const char *looked_at) {
    char name[16];
    const double lr = 0.7, momentum = 0.9;
    double anchor[N], velocity[N] = {0};
    outer_case c;
    assert_true(ann_optim_outer_has_anchor(&(ann_optim_outer){lr, momentum}));
    begin(&c, lr, momentum, group_count);
    snprintf(name, sizeof name, "anchor/%s", looked_at);
    double *param = ann_store_data(c.store, ann_store_find(c.store, looked_at));
    double *kept = ann_store_data(c.store, ann_store_find(c.store, name));
    for (int i = 0; i < N; i++) kept[i] = anchor[i] = 0.3 * i - 0.5;
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < N; i++) {
            param[i] = sin(i + 7.0 * s);
            const double delta = anchor[i] - 0.5 * param[i];
            velocity[i] = momentum * velocity[i] + delta;
            anchor[i] -= lr * (delta + momentum * velocity[i]);
        }
        check_ok(ann_plan_run(c.plan, ANN_OK));
        for (int i = 0; i < N; i++) {
            assert_true(fabs(param[i] - anchor[i]) < 1e-14);
            assert_true(kept[i] == param[i]);
        }
    }
    end(&c);
}

static void diloco_is_nesterov_on_the_change(void **state) {
    (void)state;
    check_diloco(0, "p");
    check_diloco(2, "p");
    check_diloco(2, "q");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(local_sgd_is_the_mean),
                                       cmocka_unit_test(diloco_is_nesterov_on_the_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
