/* Shapes, element types and name patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tensor/store.h"

static void test_shapes(void **state) {
    (void)state;
    const ann_shape a = ANN_SHAPE(64, 28, 28, 1), b = ANN_SHAPE(64, 28, 28), scalar = ANN_SCALAR;
    char buf[128];
    assert_int_equal(ann_shape_elems(&a), 64 * 28 * 28);
    assert_int_equal(ann_shape_elems(&scalar), 1);
    assert_true(ann_shape_equal(&a, &a));
    assert_false(ann_shape_equal(&a, &b));
    assert_string_equal(ann_shape_str(buf, sizeof buf, &a), "[64,28,28,1]");
    assert_string_equal(ann_shape_str(buf, sizeof buf, &scalar), "[]");
    assert_string_equal(ann_shape_str(buf, 6, &a), "[64,2");
    int64_t strides[ANN_MAX_RANK];
    ann_shape_strides(strides, &a);
    assert_int_equal(strides[0], 784);
    assert_int_equal(strides[1], 28);
    assert_int_equal(strides[3], 1);
}

static void test_elements(void **state) {
    (void)state;
    static const size_t bytes[ANN_DTYPE_COUNT] = {4, 8, 4, 8, 1};
    for (int d = 0; d < ANN_DTYPE_COUNT; d++) {
        double memory[4] = {0};
        assert_int_equal(ann_dtype_bytes((ann_dtype)d), bytes[d]);
        ann_elem_set(memory, (ann_dtype)d, 1, 42.0);
        assert_true(ann_elem_get(memory, (ann_dtype)d, 1) == 42.0);
        assert_true(ann_elem_get(memory, (ann_dtype)d, 0) == 0.0);
    }
    assert_string_equal(ann_dtype_name(ANN_U8), "u8");
}

static void test_patterns(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool want;
    } table[] = {
        {"", "a", false},
        {"*", "", true},
        {"*", "encoder/fc1/weight", true},
        {"encoder/*", "encoder/fc1/weight", true},
        {"encoder/*", "decoder/fc1/weight", false},
        {"*/weight", "encoder/fc1/weight", true},
        {"*/bias", "encoder/fc1/weight", false},
        {"*a*b", "xaxbxab", true},
        {"fc?", "fc1", true},
        {"fc?", "fc", false},
        {"fc1", "fc12", false},
        {"head/*, encoder/fc2/*", "encoder/fc2/bias", true},
        {"*,!encoder/*", "encoder/fc2/bias", false},
        {"!encoder/*,*", "encoder/fc2/bias", false},
        {"*,!encoder/*", "head/fc/bias", true},
        {"!encoder/*", "head/fc/bias", false},
        {",", "", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (ann_name_matches(table[i].pattern, table[i].name) != table[i].want)
            fail_msg("'%s' on '%s' should be %d", table[i].pattern, table[i].name, table[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
