/* The stop rule as a function of a series of metrics. */
#include <math.h>
#include <string.h>
#include "support/check.h"
#include "train/stoprule.h"

enum { LONGEST = 8 };

typedef struct series {
    const char *name;
    ann_stop_config rule;
    double loss[LONGEST], accuracy[LONGEST];
    int count;       /* evaluations that are offered, at steps 10, 20, ... */
    int stops_after; /* so many of them; 0: never */
    anni_stop_reason why;
    int64_t best_step;
    bool restores;
} series;

#define EARLY(m, p, d)                                                                                       \
    .early = {.on = true, .metric = (m), .patience = (p), .min_delta = (d), .restore_best = true}
#define TARGET(m, r) .target = {.on = true, .metric = (m), .reach = (r)}
#define LOSS ANN_STOP_TEST_LOSS
#define ACCURACY ANN_STOP_TEST_ACCURACY

static const series all[] = {
    {"falls for ever", {EARLY(LOSS, 1, 0)}, {5, 4, 3, 2, 1}, {0}, 5, 0, ANNI_STOP_NOT_YET, 50, true},
    {"rises at once", {EARLY(LOSS, 1, 0)}, {1, 2}, {0}, 2, 2, ANNI_STOP_EARLY, 10, true},
    {"equal is not better", {EARLY(LOSS, 2, 0)}, {1, 1, 1, 1}, {0}, 4, 3, ANNI_STOP_EARLY, 10, true},
    {"patience begins again", {EARLY(LOSS, 2, 0)}, {3, 4, 2, 4, 4, 1}, {0}, 6, 5, ANNI_STOP_EARLY, 30, true},
    {"by too little", {EARLY(LOSS, 2, 0.5)}, {3, 2.75, 2.5, 1}, {0}, 4, 3, ANNI_STOP_EARLY, 10, true},
    {"by little, but in sum",
     {EARLY(LOSS, 3, 0.5)},
     {3, 2.75, 2.25, 2.25},
     {0},
     4,
     0,
     ANNI_STOP_NOT_YET,
     30,
     true},
    {"accuracy rises", {EARLY(ACCURACY, 1, 0)}, {0}, {0.1, 0.2, 0.3}, 3, 0, ANNI_STOP_NOT_YET, 30, true},
    {"accuracy falls", {EARLY(ACCURACY, 2, 0)}, {0}, {0.1, 0.5, 0.4, 0.3}, 4, 4, ANNI_STOP_EARLY, 20, true},
    {"a number after none", {EARLY(LOSS, 3, 0)}, {NAN, NAN, 9, 10}, {0}, 4, 0, ANNI_STOP_NOT_YET, 30, true},
    {"never a number", {EARLY(LOSS, 2, 0)}, {NAN, NAN}, {0}, 2, 2, ANNI_STOP_EARLY, -1, false},
    {"target", {TARGET(ACCURACY, 0.5)}, {0}, {0.4, 0.5}, 2, 2, ANNI_STOP_TARGET, -1, false},
    {"loss target", {TARGET(LOSS, 0.5)}, {0.6, 0.51, 0.5}, {0}, 3, 3, ANNI_STOP_TARGET, -1, false},
    {"NAN reaches nothing", {TARGET(LOSS, 0.5)}, {NAN, NAN}, {0}, 2, 0, ANNI_STOP_NOT_YET, -1, false},
    {"target before patience",
     {EARLY(LOSS, 1, 0), TARGET(ACCURACY, 0.5)},
     {1, 2},
     {0.4, 0.6},
     2,
     2,
     ANNI_STOP_TARGET,
     10,
     false},
    {"patience before target",
     {EARLY(LOSS, 1, 0), TARGET(ACCURACY, 0.5)},
     {1, 2, 1},
     {0.4, 0.4, 0.9},
     3,
     2,
     ANNI_STOP_EARLY,
     10,
     true},
    {"no rule", {.wall_time_s = 1}, {1, 2, 3}, {0.5, 0.5, 0.5}, 3, 0, ANNI_STOP_NOT_YET, -1, false},
};

static void decides(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const series *s = &all[i];
        anni_stop_state stop = anni_stop_first();
        int n = 0;
        while (n < s->count && stop.reason == ANNI_STOP_NOT_YET) {
            const int64_t step = 10 * (n + 1);
            const bool best = anni_stop_observe(&stop, &s->rule, step, s->loss[n], s->accuracy[n]);
            if (best != (stop.best_step == step))
                fail_msg("%s: says the best at step %d", s->name, (int)step);
            assert_int_equal(stop.evaluated, step);
            n++;
        }
        if (stop.reason != s->why) fail_msg("%s: reason %d", s->name, (int)stop.reason);
        if (n != (s->stops_after ? s->stops_after : s->count)) fail_msg("%s: stops after %d", s->name, n);
        if (stop.best_step != s->best_step) fail_msg("%s: best %lld", s->name, (long long)stop.best_step);
        if (anni_stop_restores(&stop, &s->rule) != s->restores) fail_msg("%s: restores", s->name);
    }
}

/* A phase whose wall time is over keeps that reason, unless its last evaluation reaches the target. */
static void after_the_end(void **state) {
    (void)state;
    const ann_stop_config rule = {EARLY(LOSS, 1, 0), TARGET(ACCURACY, 0.5), .wall_time_s = 1};
    anni_stop_state stop = anni_stop_first();
    anni_stop_observe(&stop, &rule, 10, 1, 0.1);
    stop.reason = ANNI_STOP_WALL_TIME;
    anni_stop_observe(&stop, &rule, 20, 2, 0.1);
    assert_int_equal(stop.reason, ANNI_STOP_WALL_TIME);
    assert_true(anni_stop_restores(&stop, &rule));
    anni_stop_observe(&stop, &rule, 30, 2, 0.9);
    assert_int_equal(stop.reason, ANNI_STOP_TARGET);
    assert_false(anni_stop_restores(&stop, &rule));
}

static void keeps_what_it_is_told(void **state) {
    (void)state;
    ann_stop_config rule = {EARLY(LOSS, 1, 0)};
    anni_stop_state stop = anni_stop_first();
    anni_stop_observe(&stop, &rule, 10, 1, NAN);
    rule.early.restore_best = false;
    assert_false(anni_stop_restores(&stop, &rule));
}

/* Epochs of 100 samples, batches of 30: the evaluation comes with the step that completes the epoch. */
static void when_evaluations_are_due(void **state) {
    (void)state;
    const ann_stop_config steps = {.every_steps = 4}, epochs = {.every_epochs = 1},
                          pairs = {.every_epochs = 2}, none = {.wall_time_s = 1};
    static const char by_steps[] = "0001000100", by_epochs[] = "0001001001", by_pairs[] = "0000001000";
    for (int64_t step = 1; step <= 10; step++) {
        const int64_t before = 30 * (step - 1), after = 30 * step;
        assert_int_equal(anni_stop_due(&steps, step, before, after, 100), by_steps[step - 1] == '1');
        assert_int_equal(anni_stop_due(&epochs, step, before, after, 100), by_epochs[step - 1] == '1');
        assert_int_equal(anni_stop_due(&pairs, step, before, after, 100), by_pairs[step - 1] == '1');
        assert_false(anni_stop_due(&none, step, before, after, 100));
    }
}

static void explains(void **state) {
    (void)state;
    char buf[256];
    const ann_stop_config rule = {EARLY(LOSS, 1, 0), TARGET(ACCURACY, 0.95), .wall_time_s = 90};
    anni_stop_state stop = {.best = 0.25, .best_step = 40, .waited = 3, .reason = ANNI_STOP_EARLY};
    assert_string_equal(anni_stop_explain(buf, sizeof buf, &stop, &rule),
                        "test loss has not improved on 0.25 (step 40) for 3 evaluations");
    stop.reason = ANNI_STOP_TARGET;
    assert_string_equal(anni_stop_explain(buf, sizeof buf, &stop, &rule), "test accuracy has reached 0.95");
    stop.reason = ANNI_STOP_WALL_TIME;
    assert_string_equal(anni_stop_explain(buf, sizeof buf, &stop, &rule), "wall_time 90 s is over");
    assert_string_equal(anni_stop_reason_name(ANNI_STOP_EARLY), "early");
    assert_string_equal(anni_stop_reason_name(ANNI_STOP_NOT_YET), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides),
        cmocka_unit_test(after_the_end),
        cmocka_unit_test(keeps_what_it_is_told),
        cmocka_unit_test(when_evaluations_are_due),
        cmocka_unit_test(explains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
