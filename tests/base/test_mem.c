/* Aligned memory and the arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void test_alloc_is_zeroed_and_aligned(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4097, (1 << 20) - 1, 1 << 20, (2 << 20) + 1, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p;
        assert_int_equal(ann_mem_alloc(&p, sizes[i]), ANN_OK);
        const size_t align = sizes[i] >= 1 << 20 ? 2 << 20 : ANN_ALIGN_BYTES;
        assert_int_equal((uintptr_t)p % align, 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(((unsigned char *)p)[k], 0);
        if (sizes[i]) memset(p, 0xff, sizes[i]);
        ann_mem_free(p, sizes[i]);
    }
    ann_mem_free(NULL, 0);
}

static void test_alloc_fails_in_words(void **state) {
    (void)state;
    void *p = &p;
    assert_int_equal(ann_mem_alloc(&p, SIZE_MAX), ANN_ERR_MEMORY);
    assert_null(p);
    assert_int_equal(ann_mem_alloc(&p, (size_t)1 << 60), ANN_ERR_MEMORY);
    assert_string_equal(ann_error_text(), "cannot allocate 1152921504606846976 bytes");
}

static void test_arena(void **state) {
    (void)state;
    ann_arena *arena;
    assert_int_equal(ann_arena_new(&arena), ANN_OK);
    unsigned char *blocks[400];
    for (size_t i = 0; i < 400; i++) { /* sizes from 0 to beyond a chunk */
        const size_t bytes = i * i / 4;
        blocks[i] = ann_arena_alloc(arena, bytes);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < bytes; k++) assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i % 251), bytes);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t k = 0; k < i * i / 4; k++) assert_int_equal(blocks[i][k], i % 251);
    assert_string_equal(ann_arena_strdup(arena, "fc1/weight"), "fc1/weight");
    assert_string_equal(ann_arena_printf(arena, "%s/%d", "m", 7), "m/7");
    assert_null(ann_arena_alloc(arena, SIZE_MAX));
    ann_arena_free(arena);
    ann_arena_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_is_zeroed_and_aligned),
        cmocka_unit_test(test_alloc_fails_in_words),
        cmocka_unit_test(test_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
