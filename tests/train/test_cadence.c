/* When checkpoints are due: words, positions, times, and the length that Young and Daly found best. */
#include <math.h>
#include "support/check.h"
#include "train/cadence.h"

static void words(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ann_cadence_kind kind;
        int64_t count;
        double seconds;
    } good[] = {{"500 steps", ANN_CADENCE_STEPS, 500, 0},   {"1 step", ANN_CADENCE_STEPS, 1, 0},
                {"2 epochs", ANN_CADENCE_EPOCHS, 2, 0},     {"1 epoch", ANN_CADENCE_EPOCHS, 1, 0},
                {"30 s", ANN_CADENCE_SECONDS, 0, 30},       {"10 min", ANN_CADENCE_SECONDS, 0, 600},
                {"1.5 h", ANN_CADENCE_SECONDS, 0, 5400},    {"0.25 s", ANN_CADENCE_SECONDS, 0, 0.25},
                {"2 minutes", ANN_CADENCE_SECONDS, 0, 120}, {"auto", ANN_CADENCE_AUTO, 0, 0},
                {"never", ANN_CADENCE_NEVER, 0, 0}};
    static const char *const bad[] = {"",         "500",   "500steps", "0 steps",  "1.5 steps",
                                      "-1 steps", "0 s",   "steps",    "5 parsec", "5 s x",
                                      "nan s",    "inf s", "1e10 s",   "never 5"};
    ann_cadence c;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!anni_cadence_parse(&c, good[i].text)) fail_msg("%s is refused", good[i].text);
        assert_int_equal(c.kind, good[i].kind);
        assert_int_equal(c.count, good[i].count);
        assert_true(c.seconds == good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (anni_cadence_parse(&c, bad[i])) fail_msg("\"%s\" is accepted", bad[i]);
}

static anni_cadence made(const char *every, double mtbf_s) {
    ann_cadence c;
    anni_cadence cadence;
    assert_true(anni_cadence_parse(&c, every));
    anni_cadence_begin(&cadence, &c, mtbf_s, 0, 100);
    return cadence;
}

static void positions(void **state) {
    (void)state;
    anni_cadence c = made("3 steps", 1);
    int due = 0;
    for (int64_t step = 1; step <= 30; step++) due += anni_cadence_due_at(&c, step, 0);
    assert_int_equal(due, 10);
    assert_false(anni_cadence_due_now(&c, 1e12));
    c = made("2 epochs", 1);
    due = 0;
    for (int64_t step = 1; step <= 70; step++) { /* epochs of 7 steps */
        if (!anni_cadence_due_at(&c, step, step / 7)) continue;
        assert_int_equal(step % 14, 0);
        due++;
        anni_cadence_restart(&c, step / 7, 0);
    }
    assert_int_equal(due, 5);
    c = made("never", 1);
    assert_false(anni_cadence_due_at(&c, 1, 1) || anni_cadence_due_now(&c, 1e12));
}

static void times(void **state) {
    (void)state;
    anni_cadence c = made("10 min", 1);
    assert_false(anni_cadence_due_at(&c, 1, 1));
    assert_false(anni_cadence_due_now(&c, 699));
    assert_true(anni_cadence_due_now(&c, 700));
    anni_cadence_restart(&c, 0, 700);
    assert_false(anni_cadence_due_now(&c, 1299));
}

/* Expected loss per second of work with checkpoints of `cost` after each `length`, for failures that come at
   random with mean time `mtbf`: Daly's equation for the run time, per second of work. */
static double waste(double length, double cost, double mtbf) {
    return mtbf * (exp((length + cost) / mtbf) - 1) / length - 1;
}

static void the_best_length(void **state) {
    (void)state;
    static const double costs[] = {0.001, 0.2, 1, 10, 60, 600};
    static const double mtbfs[] = {60, 3600, 86400, 30 * 86400.0};
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
        for (size_t j = 0; j < sizeof mtbfs / sizeof mtbfs[0]; j++) {
            const double cost = costs[i], mtbf = mtbfs[j], length = anni_cadence_daly_s(cost, mtbf);
            if (cost >= 2 * mtbf) {
                assert_true(length == mtbf);
                continue;
            }
            if (cost > mtbf / 2) continue; /* the approximation holds below */
            const double found = waste(length, cost, mtbf);
            for (double factor = 0.1; factor < 10; factor *= 1.1)
                assert_true(found <= waste(length * factor, cost, mtbf) * 1.01); /* Daly: within 0.2 % */
        }
    const double young = sqrt(2 * 0.2 * 86400);
    assert_true(fabs(anni_cadence_daly_s(0.2, 86400) / young - 1) < 0.01);
}

static void by_itself(void **state) {
    (void)state;
    anni_cadence c = made("auto", 3600);
    assert_false(anni_cadence_due_now(&c, 129));
    assert_true(anni_cadence_due_now(&c, 130)); /* the first one, so that there is a cost */
    anni_cadence_restart(&c, 0, 130);
    anni_cadence_measured(&c, 0.5, 2);
    assert_true(anni_cadence_interval_s(&c) == anni_cadence_daly_s(0.5, 3600));
    anni_cadence_measured(&c, 0.5, 200); /* a slow disk */
    assert_true(anni_cadence_interval_s(&c) == 200);
}

static void asking(void **state) {
    (void)state;
    assert_int_equal(anni_cadence_poll_steps(0), 8);
    assert_int_equal(anni_cadence_poll_steps(0.03125), 8);
    assert_int_equal(anni_cadence_poll_steps(0.1), 2);
    assert_int_equal(anni_cadence_poll_steps(0.2), 1);
    assert_int_equal(anni_cadence_poll_steps(50), 1);
    assert_int_equal(anni_cadence_poll_steps(NAN), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),           cmocka_unit_test(positions), cmocka_unit_test(times),
        cmocka_unit_test(the_best_length), cmocka_unit_test(by_itself), cmocka_unit_test(asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
