/* The criteria against PyTorch, and what they prefer. */
#include "fails.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include "kernel/kernel.h"
#include "method/select.h"
#include "select_values.h"
#include "table.h"

enum { SOURCE = 70, TARGET = 60, VALIDATION = 40, CLASSES = 5, WIDTH = 4 };
static float logits[TARGET * CLASSES], target[TARGET * WIDTH], source[SOURCE * WIDTH];
static float held_logits[VALIDATION * CLASSES], held[VALIDATION * WIDTH];
static int32_t held_label[VALIDATION];

static void fill(float *x, int n, int64_t first, float factor, float offset) {
    for (int i = 0; i < n; i++) x[i] = factor * table_at(first + i) + offset;
}

/* The samples of gen_select.py. */
static ann_select_evidence evidence(void) {
    fill(logits, TARGET * CLASSES, 0, 8, 0);
    fill(target, TARGET * WIDTH, 1000, 1, 0.25f);
    fill(source, SOURCE * WIDTH, 2000, 2, 0);
    fill(held_logits, VALIDATION * CLASSES, 3000, 8, 0);
    fill(held, VALIDATION * WIDTH, 4000, 2, 0);
    for (int i = 0; i < VALIDATION; i++) held_label[i] = i % CLASSES;
    return (ann_select_evidence){
        .target = {TARGET, CLASSES, WIDTH, .logits = logits, .features = target},
        .source = {SOURCE, CLASSES, WIDTH, .features = source},
        .validation = {VALIDATION, CLASSES, WIDTH, held_logits, held, held_label},
        .threads = 2,
    };
}

static void check_near(double value, double want, double tolerance, const char *what) {
    if (!(fabs(value - want) <= tolerance)) fail_msg("%s: %.17g, not %.17g", what, value, want);
}

/* All but DEV are sums of as many terms as below, each with some roundings of numbers up to 1 / 0.05. DEV's
   regression ends with a gradient of at most 1e-6 per component; the risk is linear in it, nearly. */
static void test_values(void **state) {
    (void)state;
    const double rounding = 8 * 20 * DBL_EPSILON * sqrt(TARGET * TARGET);
    const double want[] = {select_entropy, select_information, select_density, select_dev};
    const double tolerance[] = {rounding, rounding, rounding,
                                1.1 * select_dev_per_gradient * 1e-6 * sqrt(WIDTH + 1)};
    const char *const name[] = {"entropy", "im", "snd", "dev"};
    const ann_select_evidence e = evidence();
    for (int i = 0; i < ANN_SELECT_CRITERIA; i++) {
        const ann_select_criterion *c = &ann_select_criteria[i];
        double value, again;
        assert_string_equal(c->name, name[i]);
        check_ok(c->score(&value, &e));
        check_near(value, want[i], tolerance[i], c->name);
        check_ok(c->score(&again, &e));
        assert_memory_equal(&value, &again, sizeof value);
    }
}

/* Whatever does not need the source does without it. */
static void test_target_alone(void **state) {
    (void)state;
    const ann_select_evidence all = evidence(), e = {.target = {TARGET, CLASSES, .logits = logits}};
    for (int i = 0; i < ANN_SELECT_CRITERIA; i++) {
        double value = 0, whole = 0;
        if (ann_select_criteria[i].needs_source) {
            check_fails(ann_select_criteria[i].score(&value, &e), ANN_ERR_ARG, "validation samples");
            continue;
        }
        check_ok(ann_select_criteria[i].score(&value, &e));
        check_ok(ann_select_criteria[i].score(&whole, &all));
        assert_true(value == whole);
    }
}

static double score_of(const char *name, const float *z, int64_t n, int64_t classes) {
    const ann_select_evidence e = {.target = {n, classes, .logits = z}};
    double value = NAN;
    for (int i = 0; i < ANN_SELECT_CRITERIA; i++)
        if (strcmp(ann_select_criteria[i].name, name) == 0)
            check_ok(ann_select_criteria[i].score(&value, &e));
    return value;
}

/* Certain predictions in equal groups are better than scattered ones, by each criterion in its direction; if
   all are of one class, the information says so and the entropy does not. */
static void test_preferences(void **state) {
    (void)state;
    static float scattered[200 * 4], grouped[200 * 4], single[200 * 4];
    for (int i = 0; i < 800; i++) {
        const float noise = table_at(i);
        scattered[i] = 4 * noise;
        grouped[i] = 0.1f * noise + (i % 4 == i / 4 % 4 ? 9 : 0);
        single[i] = 0.1f * noise + (i % 4 == 0 ? 9 : 0);
    }
    for (int i = 0; i < ANN_SELECT_CRITERIA; i++) {
        const ann_select_criterion *c = &ann_select_criteria[i];
        if (c->needs_source) continue;
        const double bad = score_of(c->name, scattered, 200, 4), good = score_of(c->name, grouped, 200, 4);
        assert_true(c->higher_is_better ? good > bad : good < bad);
    }
    assert_true(score_of("im", single, 200, 4) < 0.01);
    assert_true(fabs(score_of("im", grouped, 200, 4) - log(4)) < 0.01);
    assert_true(score_of("entropy", single, 200, 4) < 0.01);
    /* 50 samples of the same prediction, of which 49 are neighbours */
    assert_true(fabs(score_of("snd", grouped, 200, 4) - log(49)) < 0.01);
}

/* Of more samples than it takes, those that are evenly spread: here one of each pair of equal samples. */
static void test_many(void **state) {
    (void)state;
    static float half[ANN_SELECT_DENSITY_SAMPLES * 2], whole[2 * ANN_SELECT_DENSITY_SAMPLES * 2];
    fill(half, ANN_SELECT_DENSITY_SAMPLES * 2, 0, 6, 0);
    for (int i = 0; i < 2 * ANN_SELECT_DENSITY_SAMPLES; i++)
        memcpy(whole + 2 * i, half + i / 2 * 2, 2 * sizeof *whole);
    assert_true(score_of("snd", half, ANN_SELECT_DENSITY_SAMPLES, 2) ==
                score_of("snd", whole, 2 * ANN_SELECT_DENSITY_SAMPLES, 2));
}

/* Logits at the ends of float overflow nowhere. */
static void test_extremes(void **state) {
    (void)state;
    const float huge[] = {FLT_MAX, -FLT_MAX, 0, -FLT_MAX, FLT_MAX, 0};
    const float equal[] = {FLT_MAX, FLT_MAX, -FLT_MAX, FLT_MAX, FLT_MAX, -FLT_MAX};
    assert_true(score_of("entropy", huge, 2, 3) == 0);
    check_near(score_of("im", huge, 2, 3), log(2), 1e-15, "im");
    check_near(score_of("entropy", equal, 2, 3), log(2), 1e-15, "entropy");
    assert_true(score_of("snd", equal, 2, 3) == 0); /* a single neighbour */
    assert_true(score_of("im", equal, 1, 3) == 0);
}

/* Features that tell nothing, and validation losses of a label that is all but impossible. */
static void test_dev_extremes(void **state) {
    (void)state;
    ann_select_evidence e = evidence();
    double value, loss = 0;
    for (int i = 0; i < SOURCE * WIDTH; i++) source[i] = 1000.1f;
    for (int i = 0; i < TARGET * WIDTH; i++) target[i] = 1000.1f;
    for (int i = 0; i < VALIDATION * WIDTH; i++) held[i] = 1000.1f;
    for (int i = 0; i < VALIDATION; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += exp((double)held_logits[i * CLASSES + c]);
        loss += (log(sum) - (double)held_logits[i * CLASSES + held_label[i]]) / VALIDATION;
    }
    check_ok(ann_select_dev(&value, &e));
    check_near(value, loss, 1e-5 * loss, "the mean loss"); /* all weights are 1, up to the regression's end */
    for (int i = 0; i < VALIDATION * CLASSES; i++) held_logits[i] = i % CLASSES == 0 ? FLT_MAX : 0;
    check_ok(ann_select_dev(&value, &e));
    assert_true(isfinite(value) && value > 1e38);
    e.validation.samples = 1;
    check_ok(ann_select_dev(&value, &e));
    assert_true(value == 0); /* its label is the predicted one */
}

static void test_errors(void **state) {
    (void)state;
    double value = 7;
    ann_select_evidence e = evidence();
    e.target.samples = 1;
    check_fails(ann_select_density(&value, &e), ANN_ERR_ARG, "of one sample");
    e.target.samples = 0;
    check_fails(ann_select_entropy(&value, &e), ANN_ERR_ARG, "logits of the target: none");
    e = evidence();
    logits[7] = NAN;
    check_fails(ann_select_information(&value, &e), ANN_ERR_NUMERIC, "number 2 of row 1 is not finite");
    check_fails(ann_select_density(&value, &e), ANN_ERR_NUMERIC, "is not finite");
    e = evidence();
    e.target.width = 3;
    check_fails(ann_select_dev(&value, &e), ANN_ERR_ARG, "4 features of the source, 3 of the target");
    e = evidence();
    held_label[3] = CLASSES;
    check_fails(ann_select_dev(&value, &e), ANN_ERR_ARG, "sample 3 has label 5");
    e = evidence();
    source[0] = INFINITY;
    check_fails(ann_select_dev(&value, &e), ANN_ERR_NUMERIC, "features of the source");
    assert_true(value == 7);
}

int main(void) {
    ann_kernel_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_target_alone),
        cmocka_unit_test(test_preferences), cmocka_unit_test(test_many),
        cmocka_unit_test(test_extremes),    cmocka_unit_test(test_dev_extremes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
