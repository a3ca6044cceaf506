/* Learning-rate schedules against their formulas. */
#include "support/check.h"

#include <math.h>

#include "optim/optim.h"

/* A few roundings in each formula. */
static void check_lr(const ann_schedule *schedule, int64_t step, double want) {
    const double got = ann_schedule_lr(schedule, step);
    if (!(fabs(got - want) <= 8 * 0x1p-53 * schedule->lr))
        fail_msg("step %d: %.17g instead of %.17g", (int)step, got, want);
}

static void test_constant(void **state) {
    (void)state;
    const ann_schedule s = {.kind = ANN_SCHEDULE_CONSTANT, .lr = 0.3};
    check_lr(&s, 0, 0.3);
    check_lr(&s, 1000000, 0.3);
}

static void test_warmup(void **state) {
    (void)state;
    const ann_schedule s = {.kind = ANN_SCHEDULE_CONSTANT, .lr = 0.4, .warmup_steps = 4};
    for (int i = 0; i < 4; i++) check_lr(&s, i, 0.1 * (i + 1));
    check_lr(&s, 4, 0.4);
}

static void test_step(void **state) {
    (void)state;
    const ann_schedule s = {
        .kind = ANN_SCHEDULE_STEP, .lr = 0.8, .period_steps = 10, .factor = 0.5, .warmup_steps = 2};
    check_lr(&s, 1, 0.8);
    check_lr(&s, 11, 0.8);
    check_lr(&s, 12, 0.4);
    check_lr(&s, 21, 0.4);
    check_lr(&s, 22, 0.2);
}

static void test_exponential(void **state) {
    (void)state;
    const ann_schedule s = {.kind = ANN_SCHEDULE_EXPONENTIAL, .lr = 0.8, .period_steps = 10, .factor = 0.25};
    check_lr(&s, 0, 0.8);
    check_lr(&s, 5, 0.4);
    check_lr(&s, 20, 0.05);
}

static void test_cosine(void **state) {
    (void)state;
    const ann_schedule s = {
        .kind = ANN_SCHEDULE_COSINE, .lr = 1, .final_lr = 0.2, .warmup_steps = 10, .total_steps = 110};
    check_lr(&s, 10, 1);
    check_lr(&s, 60, 0.6);
    check_lr(&s, 10 + 25, 0.2 + 0.4 * (1 + sqrt(0.5)));
    check_lr(&s, 110, 0.2);
    check_lr(&s, 5000, 0.2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),    cmocka_unit_test(test_warmup), cmocka_unit_test(test_step),
        cmocka_unit_test(test_exponential), cmocka_unit_test(test_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
