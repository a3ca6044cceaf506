/* Who is late: by how much a rank's own work exceeds the others', with the numbers that people are told. */
#include "support/check.h"
#include "train/pace.h"

enum { RANKS = 4 };

/* Ten steps of 40 ms; the waits are what is left. */
static void ranks_of(anni_pace pace[RANKS], double one, double two, double three, double four) {
    const double compute[RANKS] = {one, two, three, four};
    for (int r = 0; r < RANKS; r++)
        pace[r] = (anni_pace){.compute_s = compute[r] / 100, .wait_s = (40 - compute[r]) / 100};
}

static void a_late_rank_is_named(void **state) {
    (void)state;
    anni_pace pace[RANKS];
    double scratch[RANKS];
    char text[256];
    ranks_of(pace, 24, 25, 24.6, 34);
    assert_int_equal(anni_pace_slowest(pace, RANKS), 3);
    assert_true(anni_pace_late(text, sizeof text, pace, RANKS, 10, scratch));
    assert_string_equal(text, "is late: computes 34.0 ms of a step of 40.0 ms, the others 24.6 ms");
    pace[3].data_s = 0.1;
    pace[3].compute_s -= 0.1;
    assert_true(anni_pace_late(text, sizeof text, pace, RANKS, 10, scratch));
    assert_string_equal(
        text,
        "is late: computes 24.0 ms and waits for data 10.0 ms of a step of 40.0 ms, the others 24.6 ms");
}

static void a_fifth_of_the_step_is_needed(void **state) {
    (void)state;
    anni_pace pace[RANKS];
    double scratch[RANKS];
    char text[256];
    ranks_of(pace, 24, 24, 31.9, 24);
    assert_false(anni_pace_late(text, sizeof text, pace, RANKS, 10, scratch));
    ranks_of(pace, 24, 24, 32.1, 24);
    assert_true(anni_pace_late(text, sizeof text, pace, RANKS, 10, scratch));
    assert_false(anni_pace_late(text, sizeof text, pace, 1, 10, scratch)); /* alone */
    for (int r = 0; r < RANKS; r++) {                                      /* too short a time says nothing */
        pace[r].compute_s /= 100;
        pace[r].wait_s /= 100;
    }
    assert_false(anni_pace_late(text, sizeof text, pace, RANKS, 10, scratch));
}

static void the_median_is_that_of_the_others(void **state) {
    (void)state;
    double even[] = {4, 1, 3, 2}, odd[] = {5, 1, 2};
    const anni_spread a = anni_spread_of(even, 4), b = anni_spread_of(odd, 3);
    assert_true(a.min == 1 && a.median == 2.5 && a.max == 4);
    assert_true(b.min == 1 && b.median == 2 && b.max == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_rank_is_named),
        cmocka_unit_test(a_fifth_of_the_step_is_needed),
        cmocka_unit_test(the_median_is_that_of_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
