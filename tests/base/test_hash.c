/* Hashes keep their values: checkpoints and datasets store them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"

static void test_hash(void **state) {
    (void)state;
    assert_true(ann_hash("", 0, 0) ==
                0x2D06800538D394C2u); /* XXH3_64bits of nothing, from its specification */
    assert_true(ann_hash_str("fc1/weight") == ann_hash("fc1/weight", strlen("fc1/weight"), 0));
    assert_true(ann_hash_str("fc1/weight") != ann_hash_str("fc1/weighu"));
    assert_true(ann_hash("ab", 2, 0) != ann_hash("ab", 2, 1));
}

/* However the bytes are divided, the parts have the hash of the whole. */
static void test_hasher(void **state) {
    (void)state;
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i >> 3);
    static const size_t sizes[] = {0, 1, 17, 240, 241, 256, 1024, sizeof data};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t step = 1; step <= sizes[s] + 1; step = 3 * step + 1) {
            ann_hasher hasher;
            ann_hasher_begin(&hasher);
            for (size_t at = 0; at < sizes[s]; at += step)
                ann_hasher_update(&hasher, data + at, step < sizes[s] - at ? step : sizes[s] - at);
            assert_true(ann_hasher_end(&hasher) == ann_hash(data, sizes[s], 0));
            assert_true(ann_hasher_end(&hasher) == ann_hash(data, sizes[s], 0));
        }
}

static void test_clock(void **state) {
    (void)state;
    const int64_t before = ann_clock_ns();
    ann_sleep_ns(2000000);
    assert_true(ann_clock_ns() - before >= 2000000);
    ann_sleep_ns(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash), cmocka_unit_test(test_hasher),
                                       cmocka_unit_test(test_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
