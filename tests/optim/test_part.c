/* The tree over which micro-batches' gradients are summed: every one once, and for a power of two the
   balanced tree, bit by bit. */
#include "support/check.h"

#include <string.h>

#include "optim/optim.h"

enum { KINDS = 18, COUNTS = 130 };

/* What the plans of a step do, on numbers. */
static float step_sum(const float *grads, int count) {
    float kept[KINDS], sum = 0;
    for (int i = 0; i < count; i++) {
        const ann_optim_part part = ann_optim_part_of(i, count);
        sum = grads[i];
        for (int j = 0; j < KINDS; j++)
            if (part.fold >> j & 1) sum = kept[j] + sum;
        if (part.keep >= 0) kept[part.keep] = sum;
        assert_int_equal(part.keep < 0, i == count - 1);
    }
    return sum;
}

static float tree_sum(const float *grads, int count) {
    return count == 1 ? grads[0] : tree_sum(grads, count / 2) + tree_sum(grads + count / 2, count / 2);
}

static void every_gradient_counts_once(void **state) {
    (void)state;
    for (int count = 1; count <= COUNTS; count++)
        for (int i = 0; i < count; i++) {
            float grads[COUNTS] = {0};
            grads[i] = 1;
            assert_true(step_sum(grads, count) == 1);
        }
}

static void a_power_of_two_is_the_balanced_tree(void **state) {
    (void)state;
    float grads[128], in_a_row = 0;
    for (int i = 0; i < 128; i++) grads[i] = 1.0f / (float)(3 * i + 1);
    for (int count = 1; count <= 128; count *= 2)
        assert_true(step_sum(grads, count) == tree_sum(grads, count));
    for (int i = 0; i < 128; i++) in_a_row += grads[i];
    assert_true(in_a_row != tree_sum(grads, 128)); /* the order shows */
}

/* Micro-batches of one kind are run by one plan. */
static void equal_kinds_have_equal_parts(void **state) {
    (void)state;
    for (int count = 1; count <= COUNTS; count++) {
        int first[KINDS];
        const int kinds = ann_optim_part_kinds(count);
        assert_in_range(kinds, 1, KINDS);
        memset(first, -1, sizeof first);
        for (int i = 0; i < count; i++) {
            const int kind = ann_optim_part_kind(i, count);
            assert_in_range(kind, 0, kinds - 1);
            if (first[kind] < 0) first[kind] = i;
            const ann_optim_part a = ann_optim_part_of(i, count), b = ann_optim_part_of(first[kind], count);
            assert_true(a.fold == b.fold && a.keep == b.keep);
        }
        for (int k = 0; k < kinds; k++) assert_true(first[k] >= 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_gradient_counts_once),
                                       cmocka_unit_test(a_power_of_two_is_the_balanced_tree),
                                       cmocka_unit_test(equal_kinds_have_equal_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
