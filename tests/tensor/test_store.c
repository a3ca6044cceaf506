/* The store: declaration, blocks, initial values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "tensor/store.h"

static const ann_init zero = {.kind = ANN_INIT_ZERO};

static ann_tensor declare(ann_store *store, const char *name, ann_shape shape, ann_init init) {
    ann_tensor t;
    assert_int_equal(ann_store_declare(&t, store, name, ANN_F32, &shape, ANN_ROLE_PARAM, init), ANN_OK);
    return t;
}

static void test_declare(void **state) {
    (void)state;
    ann_store *store;
    assert_int_equal(ann_store_new(&store, 1), ANN_OK);
    assert_int_equal(ann_store_find(store, "fc/weight").id, -1);
    const ann_tensor w = declare(store, "fc/weight", ANN_SHAPE(3, 5), zero);
    assert_int_equal(declare(store, "fc/weight", ANN_SHAPE(3, 5), zero).id, w.id);
    assert_int_equal(ann_store_count(store), 1);
    ann_tensor t;
    ann_shape other = ANN_SHAPE(5, 3), empty = ANN_SHAPE(0);
    assert_int_equal(ann_store_declare(&t, store, "fc/weight", ANN_F32, &other, ANN_ROLE_PARAM, zero),
                     ANN_ERR_SHAPE);
    assert_string_equal(ann_error_text(), "tensor fc/weight is [3,5], and is declared again as [5,3]");
    assert_int_equal(t.id, -1);
    other = ANN_SHAPE(3, 5);
    assert_int_equal(ann_store_declare(&t, store, "fc/weight", ANN_F64, &other, ANN_ROLE_PARAM, zero),
                     ANN_ERR_DTYPE);
    assert_int_equal(ann_store_declare(&t, store, "e", ANN_F32, &empty, ANN_ROLE_PARAM, zero), ANN_ERR_SHAPE);
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "layer%d", i);
        assert_int_equal(declare(store, name, ANN_SCALAR, zero).id, i + 1);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "layer%d", i);
        assert_int_equal(ann_store_find(store, name).id, i + 1);
    }
    assert_null(ann_store_data(store, w));
    assert_int_equal(ann_store_commit(store), ANN_OK);
    assert_non_null(ann_store_data(store, w));
    assert_int_equal(ann_store_info(store, w)->block.id, 0);
    assert_int_equal(ann_store_block_count(store), 501);
    assert_string_equal(ann_store_block_name(store, ann_store_info(store, w)->block), "fc/weight");
    assert_int_equal(ann_store_declare(&t, store, "late", ANN_F32, &other, ANN_ROLE_PARAM, zero),
                     ANN_ERR_ARG);
    assert_int_equal(ann_store_commit(store), ANN_ERR_ARG);
    ann_store_free(store);
    ann_store_free(NULL);
}

static void test_groups(void **state) {
    (void)state;
    ann_store *store;
    assert_int_equal(ann_store_new(&store, 1), ANN_OK);
    const ann_tensor a = declare(store, "a", ANN_SHAPE(3, 5), (ann_init){ANN_INIT_CONST, 2.0});
    const ann_tensor b = declare(store, "b", ANN_SHAPE(16), (ann_init){ANN_INIT_CONST, 3.0});
    const ann_tensor c = declare(store, "c", ANN_SCALAR, (ann_init){ANN_INIT_CONST, 4.0});
    const ann_tensor loose = declare(store, "loose", ANN_SHAPE(2), zero);
    ann_block group, moment, bad;
    assert_int_equal(ann_store_group(&group, store, "params", (ann_tensor[]){c, a, b}, 3), ANN_OK);
    assert_int_equal(ann_store_info(store, c)->offset_elems, 0);
    assert_int_equal(ann_store_info(store, a)->offset_elems, 16);
    assert_int_equal(ann_store_info(store, b)->offset_elems, 32);
    assert_int_equal(ann_store_block_elems(store, group), 48);
    assert_int_equal(ann_store_group(&bad, store, "again", &a, 1), ANN_ERR_ARG);
    assert_string_equal(ann_error_text(), "block again: tensor a is in a block already");
    assert_int_equal(ann_store_group(&bad, store, "twice", (ann_tensor[]){loose, loose}, 2), ANN_ERR_ARG);
    assert_int_equal(ann_store_group(&bad, store, "none", &a, 0), ANN_ERR_ARG);
    assert_int_equal(ann_store_group_like(&moment, store, "adam_m", group), ANN_OK);
    const ann_tensor m = ann_store_find(store, "adam_m/a");
    assert_int_equal(ann_store_info(store, m)->offset_elems, 16);
    assert_int_equal(ann_store_info(store, m)->role, ANN_ROLE_MOMENT);
    assert_string_equal(ann_store_block_name(store, moment), "adam_m/params");
    assert_int_equal(ann_store_block_elems(store, moment), 48);
    assert_int_equal(ann_store_commit(store), ANN_OK);
    const float *data = ann_store_block_data(store, group), *zeros = ann_store_block_data(store, moment);
    assert_int_equal((uintptr_t)data % 64, 0);
    for (int i = 0; i < 48; i++) {
        const float want = i == 0 ? 4.0f : i < 16 ? 0.0f : i < 31 ? 2.0f : i < 32 ? 0.0f : 3.0f;
        assert_true(data[i] == want);
        assert_true(zeros[i] == 0.0f);
    }
    assert_ptr_equal(ann_store_data(store, a), data + 16);
    assert_int_equal(ann_store_block_dtype(store, group), ANN_F32);
    ann_store_free(store);
}

static void test_layout_of_every_dtype(void **state) {
    (void)state;
    for (int d = 0; d < ANN_DTYPE_COUNT; d++) {
        ann_store *store;
        assert_int_equal(ann_store_new(&store, 1), ANN_OK);
        ann_tensor t[3];
        const char *const names[3] = {"x", "y", "z"};
        for (int i = 0; i < 3; i++)
            assert_int_equal(ann_store_declare(&t[i], store, names[i], (ann_dtype)d, &ANN_SHAPE(i * 7 + 1),
                                               ANN_ROLE_STATE, (ann_init){ANN_INIT_CONST, 5.0}),
                             ANN_OK);
        ann_block block;
        assert_int_equal(ann_store_group(&block, store, "g", t, 3), ANN_OK);
        assert_int_equal(ann_store_commit(store), ANN_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal((uintptr_t)ann_store_data(store, t[i]) % 64, 0);
            assert_true(ann_elem_get(ann_store_data(store, t[i]), (ann_dtype)d, i * 7) == 5.0);
        }
        assert_int_equal(ann_store_block_elems(store, block) % 16, 0);
        ann_store_free(store);
    }
}

/* Initial values depend on the seed, the name and the element alone: other tensors and their order change
 * nothing. */
static void test_initial_values(void **state) {
    (void)state;
    enum { N = 40000 };
    const ann_init normal = {ANN_INIT_NORMAL, 0.5}, uniform = {ANN_INIT_UNIFORM, 0.25};
    ann_store *one, *two;
    assert_int_equal(ann_store_new(&one, 7), ANN_OK);
    assert_int_equal(ann_store_new(&two, 7), ANN_OK);
    const ann_tensor n1 = declare(one, "n", ANN_SHAPE(N), normal),
                     u1 = declare(one, "u", ANN_SHAPE(N), uniform);
    (void)declare(two, "first", ANN_SHAPE(9), normal);
    const ann_tensor u2 = declare(two, "u", ANN_SHAPE(N), uniform),
                     n2 = declare(two, "n", ANN_SHAPE(N), normal);
    assert_int_equal(ann_store_commit(one), ANN_OK);
    assert_int_equal(ann_store_commit(two), ANN_OK);
    assert_memory_equal(ann_store_data(one, n1), ann_store_data(two, n2), N * sizeof(float));
    assert_memory_equal(ann_store_data(one, u1), ann_store_data(two, u2), N * sizeof(float));
    const float *z = ann_store_data(one, n1), *u = ann_store_data(one, u1);
    double square = 0, mean = 0;
    for (int i = 0; i < N; i++) {
        square += (double)z[i] * (double)z[i];
        mean += (double)u[i];
        assert_true(u[i] >= -0.25f && u[i] < 0.25f);
    }
    assert_true(fabs(square / N / 0.25 - 1) < 5 * sqrt(2.0 / N)); /* five standard errors */
    assert_true(fabs(mean / N) < 5 * 0.25 / sqrt(3.0 * N));
    assert_int_equal(ann_store_seed(one), 7);
    ann_store_free(one);
    ann_store_free(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declare),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_layout_of_every_dtype),
        cmocka_unit_test(test_initial_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
