/* Which evaluation each criterion chooses. */
#include "support/check.h"

#include <math.h>
#include "train/choice.h"

static bool observe(anni_choice *c, double entropy, double snd, double accuracy, int64_t step) {
    const double scores[ANN_CHOICE_COUNT] = {entropy, NAN, snd, NAN};
    return anni_choice_observe(c, scores, accuracy, step, ANN_CHOICE_SND);
}

static void each_criterion_has_its_own_choice(void **state) {
    (void)state;
    anni_choice c = anni_choice_first();
    assert_true(observe(&c, 0.5, 1.0, 0.6, 10));
    assert_true(observe(&c, 0.3, 2.0, 0.9, 20));
    assert_false(observe(&c, 0.2, 2.0, 0.7, 30)); /* of equal ones the first */
    assert_int_equal(c.picks[ANN_CHOICE_ENTROPY].step, 30);
    assert_true(c.picks[ANN_CHOICE_ENTROPY].accuracy == 0.7);
    assert_int_equal(c.picks[ANN_CHOICE_SND].step, 20);
    assert_int_equal(c.picks[ANN_CHOICE_IM].step, -1);
    assert_true(isnan(c.picks[ANN_CHOICE_DEV].score));
    assert_int_equal(c.last.step, 30);
    assert_int_equal(c.oracle.step, 20);
    assert_true(c.oracle.accuracy == 0.9);
}

static void without_labels_there_is_no_oracle(void **state) {
    (void)state;
    anni_choice c = anni_choice_first();
    assert_true(observe(&c, 0.5, 1.0, NAN, 10));
    assert_int_equal(c.oracle.step, -1);
    assert_int_equal(c.last.step, 10);
    assert_int_equal(c.picks[ANN_CHOICE_SND].step, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_criterion_has_its_own_choice),
                                       cmocka_unit_test(without_labels_there_is_no_oracle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
