/* The block cache: values under eviction and many threads, errors in their place; and samples that are held
   in memory. */
#include "data/fixture.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data/cache.h"
#include "data/data.h"

/* ---- the cache itself ---- */

enum { BLOCKS = 40, BLOCK_BYTES = 512, THREADS = 8, ROUNDS = 2000 };
static atomic_int fills;

static ann_status fill(void *to, const void *what) {
    const int64_t block = *(const int64_t *)what;
    atomic_fetch_add(&fills, 1);
    memset(to, (int)block, BLOCK_BYTES);
    return block == 13 ? ann_error(ANN_ERR_IO, "block 13") : ANN_OK;
}

static void test_least_recently_used(void **state) {
    (void)state;
    anni_cache *cache;
    const uint8_t *data;
    check_ok(anni_cache_new(&cache, BLOCKS, 2 * BLOCK_BYTES));
    const int64_t wanted[] = {1, 2, 1, 3, 1, 2};
    const int decoded[] = {1, 2, 2, 3, 3, 4}; /* 3 takes the place of 2, which was not used for longer */
    fills = 0;
    for (int i = 0; i < 6; i++) {
        check_ok(anni_cache_acquire(&data, cache, wanted[i], BLOCK_BYTES, fill, &wanted[i]));
        assert_int_equal(data[BLOCK_BYTES - 1], wanted[i]);
        anni_cache_release(cache, wanted[i]);
        assert_int_equal(fills, decoded[i]);
    }
    anni_cache_drop(cache);
    check_ok(anni_cache_acquire(&data, cache, 1, BLOCK_BYTES, fill, &wanted[0]));
    assert_int_equal(fills, 5);
    anni_cache_release(cache, 1);
    anni_cache_free(cache);
    anni_cache_free(NULL);
}

static void *use_cache(void *to) {
    anni_cache *cache = to;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t block = rand_r(&seed) % BLOCKS;
        const uint8_t *data;
        const ann_status status = anni_cache_acquire(&data, cache, block, BLOCK_BYTES, fill, &block);
        if ((status == ANN_OK) != (block != 13)) return cache;
        if (status != ANN_OK) continue;
        if (data[0] != block || data[BLOCK_BYTES - 1] != block) return cache;
        anni_cache_release(cache, block);
    }
    return NULL;
}

static void test_threads_on_cache(void **state) {
    (void)state;
    anni_cache *cache;
    pthread_t threads[THREADS];
    int wrong = 0;
    check_ok(anni_cache_new(&cache, BLOCKS, 5 * BLOCK_BYTES));
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, use_cache, cache), 0);
    for (int t = 0; t < THREADS; t++) {
        void *failed;
        pthread_join(threads[t], &failed);
        wrong += failed != NULL;
    }
    assert_int_equal(wrong, 0);
    anni_cache_free(cache);
}

/* ---- datasets ---- */

enum { N = 3000, ROW = 150 };

static float value_at(int64_t sample, int i) { return (float)(sample * 3 + i); }

static const char *put_dataset(void) {
    const char *path = fixture_path("chunked.h5");
    if (access(path, F_OK) == 0) return path;
    float *x = malloc(sizeof(float[N][ROW]));
    uint8_t y[N];
    for (int s = 0; s < N; s++) {
        y[s] = (uint8_t)(s % 5);
        for (int i = 0; i < ROW; i++) x[s * ROW + i] = value_at(s, i);
    }
    const hsize_t dims[] = {N, ROW};
    fixture_put(path, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, x, 2, dims);
    fixture_put(path, "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_GZIP, y, 1, dims);
    free(x);
    return path;
}

static ann_dataset *open_cached(const char *path, int64_t cache_bytes, int64_t limit) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source,
                                         .source_count = 1,
                                         .split = "train",
                                         .cache_bytes = cache_bytes,
                                         .limit = limit,
                                         .subset_seed = 3};
    ann_dataset *dataset;
    check_ok(ann_dataset_open(&dataset, &options));
    return dataset;
}

static void *read_samples(void *to) {
    const ann_dataset *dataset = to;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int round = 0; round < 60; round++) {
        int64_t ids[32];
        float rows[32][ROW];
        for (int i = 0; i < 32; i++) ids[i] = i % 4 ? (ids[i - 1] + 1) % N : rand_r(&seed) % N;
        if (ann_dataset_read(dataset, 0, ids, 32, rows) != ANN_OK) return to;
        for (int i = 0; i < 32; i++) {
            const float first = value_at(ids[i], 0), last = value_at(ids[i], ROW - 1);
            if (memcmp(&rows[i][0], &first, sizeof first) != 0) return to;
            if (memcmp(&rows[i][ROW - 1], &last, sizeof last) != 0) return to;
        }
    }
    return NULL;
}

static void test_threads_on_dataset(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 1 << 20}; /* of 1.8 MB: one block at a time, and some of them */
    for (int i = 0; i < 2; i++) {
        ann_dataset *dataset = open_cached(put_dataset(), sizes[i], 0);
        pthread_t threads[THREADS];
        int wrong = 0;
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, read_samples, dataset), 0);
        for (int t = 0; t < THREADS; t++) {
            void *failed;
            pthread_join(threads[t], &failed);
            wrong += failed != NULL;
        }
        ann_dataset_close(dataset);
        assert_int_equal(wrong, 0);
    }
}

/* A bad block is an error when it is read, and the good ones are read. */
static void test_bad_block(void **state) {
    (void)state;
    const char *path = fixture_path("bad-block.h5");
    static float x[N][ROW];
    const hsize_t dims[] = {N, ROW};
    x[2000][7] = INFINITY;
    fixture_put(path, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, x, 2, dims);
    fixture_attr_u64(path, "/train", "checksum", 1); /* or it would be read for one */
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {
        .sources = &source, .source_count = 1, .split = "train", .cache_bytes = 1};
    ann_dataset *dataset;
    check_ok(ann_dataset_open(&dataset, &options));
    float row[ROW];
    for (int i = 0; i < 2; i++) {
        check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){10}, 1, row));
        assert_int_equal(ann_dataset_read(dataset, 0, (const int64_t[]){2001}, 1, row), ANN_ERR_NUMERIC);
        assert_non_null(
            strstr(ann_error_text(), "bad-block.h5: /train/x: sample 2000 holds Inf at element 7"));
    }
    assert_int_equal(ann_dataset_hold(dataset, 1500, 1000), ANN_ERR_NUMERIC);
    check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){10}, 1, row)); /* nothing is held */
    ann_dataset_close(dataset);
}

/* ---- in memory ---- */

static void test_hold(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        ann_dataset *dataset = open_cached(put_dataset(), k & 1, k & 2 ? 900 : 0), *same;
        same = open_cached(put_dataset(), 0, k & 2 ? 900 : 0);
        check_ok(ann_dataset_hold(dataset, 100, 600));
        for (int64_t s = 699; s >= 100; s--) {
            float have[ROW], want[ROW];
            int32_t label, want_label;
            check_ok(ann_dataset_read(dataset, 0, &s, 1, have));
            check_ok(ann_dataset_read(same, 0, &s, 1, want));
            check_ok(ann_dataset_read(dataset, 1, &s, 1, &label));
            check_ok(ann_dataset_read(same, 1, &s, 1, &want_label));
            assert_memory_equal(have, want, sizeof have);
            assert_true(label == want_label && label == ann_dataset_label(dataset, s));
        }
        float row[ROW];
        for (int i = 0; i < 2; i++) {
            const int64_t outside = i ? 99 : 700;
            assert_int_equal(ann_dataset_read(dataset, 0, &outside, 1, row), ANN_ERR_ARG);
            assert_non_null(strstr(ann_error_text(), "is not among 100..699, which are held in memory"));
        }
        ann_dataset_close(same);
        ann_dataset_close(dataset);
    }
}

static void test_hold_ranges(void **state) {
    (void)state;
    ann_dataset *dataset = open_cached(put_dataset(), 0, 0);
    const int64_t bad[][2] = {{-1, 5}, {0, 0}, {0, N + 1}, {N, 1}, {N - 1, 2}, {5, INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_fails(ann_dataset_hold(dataset, bad[i][0], bad[i][1]), ANN_ERR_ARG, "cannot be held");
    float row[ROW];
    check_ok(ann_dataset_hold(dataset, 0, 10));
    check_ok(ann_dataset_hold(dataset, N - 1, 1)); /* in its place */
    check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){N - 1}, 1, row));
    assert_int_equal((int)row[1], (int)value_at(N - 1, 1));
    check_fails(ann_dataset_read(dataset, 0, (const int64_t[]){0}, 1, row), ANN_ERR_ARG,
                "sample 0 is not among");
    ann_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_recently_used),
        cmocka_unit_test(test_threads_on_cache),
        cmocka_unit_test(test_threads_on_dataset),
        cmocka_unit_test(test_bad_block),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_hold_ranges),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
