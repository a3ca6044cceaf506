/* Parts of sources: so many samples of each, labels that nobody can tell, and sources that are left out. */
#include "data/fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "data/data.h"

enum { A = 10, B = 40, SEED = 9 };

static ann_status open_with(ann_dataset **out, const ann_data_source *sources, int count, int64_t limit,
                            bool balanced) {
    const ann_dataset_options options = {.sources = sources,
                                         .source_count = count,
                                         .split = "train",
                                         .limit = limit,
                                         .balanced = balanced,
                                         .subset_seed = SEED};
    return ann_dataset_open(out, &options);
}

static ann_status try_open(const ann_data_source *sources, int count, int64_t limit, bool balanced) {
    ann_dataset *dataset;
    const ann_status status = open_with(&dataset, sources, count, limit, balanced);
    ann_dataset_close(dataset);
    return status;
}

/* Which sample of its file this is. */
static int number_of(const ann_dataset *dataset, int64_t sample) {
    uint8_t row[FIXTURE_ROW];
    check_ok(ann_dataset_read(dataset, 0, &sample, 1, row));
    return row[0] * 183 % 256; /* fixture_pixel multiplies by 7 */
}

static int32_t value_of(const ann_dataset *dataset, const char *field, int64_t sample) {
    int32_t value;
    check_ok(ann_dataset_read(dataset, ann_dataset_find(dataset, field), &sample, 1, &value));
    return value;
}

static const char *path_a(void) { return fixture_path("a.h5"); }
static const char *path_b(void) { return fixture_path("b.h5"); }

static int make_files(void **state) {
    fixture_setup(state);
    fixture_images(path_a(), "train", A, 3);
    fixture_images(path_b(), "train", B, 3);
    return 0;
}

/* ---- limits ---- */

/* The numbers of the samples of source 1, of which there are `limit`, behind all of source 0. */
static void numbers_of_second(int *out, int limit) {
    const ann_data_source sources[] = {{.path = path_a()}, {.path = path_b(), .limit = limit}};
    ann_dataset *dataset;
    check_ok(open_with(&dataset, sources, 2, 0, false));
    assert_int_equal(ann_dataset_samples(dataset), A + limit);
    int64_t first, count;
    ann_dataset_source_range(dataset, 1, &first, &count);
    assert_true(first == A && count == limit);
    for (int64_t i = 0; i < A + limit; i++) {
        const int number = number_of(dataset, i);
        assert_int_equal(value_of(dataset, "domain", i), i >= A);
        assert_int_equal(value_of(dataset, "y", i), number % 3);
        assert_int_equal(ann_dataset_label(dataset, i), number % 3);
        if (i < A) assert_int_equal(number, i);
        else out[i - A] = number;
    }
    ann_dataset_close(dataset);
}

static void larger_limits_contain_smaller_ones(void **state) {
    (void)state;
    int few[12], many[25], seen[B] = {0};
    numbers_of_second(few, 12);
    numbers_of_second(many, 25);
    assert_memory_equal(few, many, sizeof few);
    bool in_order = true;
    for (int i = 0; i < 25; i++) {
        assert_true(many[i] >= 0 && many[i] < B);
        assert_int_equal(seen[many[i]]++, 0);
        in_order = in_order && (i == 0 || many[i] > many[i - 1]);
    }
    assert_false(in_order);
}

/* Beside other sources or alone; and a limit of the only source is a limit of all. */
static void other_sources_make_no_difference(void **state) {
    (void)state;
    int few[12];
    numbers_of_second(few, 12);
    const ann_data_source limited = {.path = path_b(), .limit = 12}, whole = {.path = path_b()};
    for (int k = 0; k < 2; k++) {
        ann_dataset *dataset;
        check_ok(open_with(&dataset, k ? &whole : &limited, 1, k ? 12 : 0, false));
        assert_int_equal(ann_dataset_samples(dataset), 12);
        for (int i = 0; i < 12; i++) assert_int_equal(number_of(dataset, i), few[i]);
        ann_dataset_close(dataset);
    }
}

static void checksums_are_of_whole_files(void **state) {
    (void)state;
    const ann_data_source whole[] = {{.path = path_a()}, {.path = path_b()}};
    const ann_data_source part[] = {{.path = path_a()}, {.path = path_b(), .limit = 5, .hides_labels = true}};
    ann_dataset *all, *some;
    uint64_t computed;
    check_ok(open_with(&all, whole, 2, 0, false));
    check_ok(open_with(&some, part, 2, 0, false));
    assert_true(ann_dataset_checksum(all) == ann_dataset_checksum(some));
    check_ok(ann_dataset_compute_checksum(&computed, all));
    assert_true(computed == ann_dataset_checksum(all));
    check_fails(ann_dataset_compute_checksum(&computed, some), ANN_ERR_ARG,
                "b.h5: /train: its labels are hidden");
    check_fails(ann_dataset_compute_field_checksum(&computed, some, ann_dataset_find(some, "y")), ANN_ERR_ARG,
                "b.h5: /train: its labels are hidden");
    ann_dataset_close(all);
    ann_dataset_close(some);
}

static void wrong_limits(void **state) {
    (void)state;
    ann_data_source sources[] = {{.path = path_a()}, {.path = path_b(), .limit = B + 1}};
    check_fails(try_open(sources, 2, 0, false), ANN_ERR_ARG, "b.h5: /train: limit 41, accepted: 1 to 40");
    sources[1].limit = -1;
    check_fails(try_open(sources, 2, 0, false), ANN_ERR_ARG, "b.h5: /train: limit -1, accepted: 1 to 40");
    sources[1].limit = 4;
    check_fails(try_open(sources, 2, 6, true), ANN_ERR_ARG, "a limit of all sources, and limits of some");
}

/* ---- hidden labels ---- */

/* Labels that would be refused, and more classes than there are elsewhere. */
static void put_nonsense(const char *path, int samples) {
    const hsize_t dims[] = {(hsize_t)samples}, images[] = {(hsize_t)samples, 2, 3, 1};
    int32_t y[B] = {-7, 99, 1 << 30};
    uint8_t x[B * FIXTURE_ROW];
    for (int i = 0; i < samples * FIXTURE_ROW; i++) x[i] = fixture_pixel(i / FIXTURE_ROW, i % FIXTURE_ROW);
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, x, 4, images);
    fixture_put(path, "/train/y", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_GZIP, y, 1, dims);
}

static void check_hidden(const ann_dataset *dataset) {
    for (int64_t i = 0; i < A + 5; i++) {
        const int32_t want = i < A ? (int32_t)i % 3 : -1;
        assert_int_equal(ann_dataset_label(dataset, i), want);
        assert_int_equal(value_of(dataset, "y", i), want);
    }
}

static void nobody_sees_hidden_labels(void **state) {
    (void)state;
    put_nonsense(fixture_path("nonsense.h5"), 5);
    ann_data_source sources[] = {{.path = path_a()},
                                 {.path = fixture_path("nonsense.h5"), .hides_labels = true}};
    ann_dataset *dataset;
    check_ok(open_with(&dataset, sources, 2, 0, false));
    assert_true(ann_dataset_hides_labels(dataset));
    assert_int_equal(ann_dataset_classes(dataset), 3);
    check_hidden(dataset);
    check_ok(ann_dataset_hold(dataset, 0, A + 5));
    check_hidden(dataset);
    ann_dataset_close(dataset);
    check_fails(try_open(sources, 2, 4, true), ANN_ERR_ARG,
                "nonsense.h5: /train: a balanced limit needs labels, and they are hidden");
    sources[1].hides_labels = false;
    check_fails(try_open(sources, 2, 0, false), ANN_ERR_CORRUPT,
                "nonsense.h5: /train/y: sample 0 has label -7");
}

/* A model of such data may be tested on any labels. */
static void all_labels_hidden(void **state) {
    (void)state;
    const ann_data_source hidden = {.path = path_a(), .hides_labels = true}, seen = {.path = path_b()};
    ann_dataset *train, *test;
    check_ok(open_with(&train, &hidden, 1, 0, false));
    check_ok(open_with(&test, &seen, 1, 0, false));
    assert_int_equal(ann_dataset_classes(train), 0);
    assert_false(ann_dataset_hides_labels(test));
    check_ok(ann_data_check_match(train, test));
    ann_dataset_close(train);
    ann_dataset_close(test);
}

static void only_class_labels_are_hidden(void **state) {
    (void)state;
    const char *path = fixture_path("numbers.h5");
    const float y[4] = {0.5f, 1};
    fixture_images(path, "train", 4, 0);
    fixture_put(path, "/train/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, y, 1,
                (const hsize_t[]){4});
    check_fails(try_open(&(ann_data_source){.path = path, .hides_labels = true}, 1, 0, false), ANN_ERR_FORMAT,
                "numbers.h5: /train: y is no class label, and only those can be hidden");
    check_ok(try_open(&(ann_data_source){.path = path}, 1, 0, false));
}

/* ---- left out ---- */

static void others_keep_their_domain(void **state) {
    (void)state;
    ann_data_source sources[] = {{.path = path_a(), .left_out = true}, {.path = path_b()}};
    ann_dataset *dataset;
    check_ok(open_with(&dataset, sources, 2, 0, false));
    assert_int_equal(ann_dataset_samples(dataset), B);
    for (int64_t i = 0; i < B; i++) {
        assert_int_equal(number_of(dataset, i), i);
        assert_int_equal(value_of(dataset, "domain", i), 1);
    }
    ann_dataset_close(dataset);
    sources[1].left_out = true;
    check_fails(try_open(sources, 2, 0, false), ANN_ERR_ARG, "all sources are left out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_limits_contain_smaller_ones),
        cmocka_unit_test(other_sources_make_no_difference),
        cmocka_unit_test(checksums_are_of_whole_files),
        cmocka_unit_test(wrong_limits),
        cmocka_unit_test(nobody_sees_hidden_labels),
        cmocka_unit_test(all_labels_hidden),
        cmocka_unit_test(only_class_labels_are_hidden),
        cmocka_unit_test(others_keep_their_domain),
    };
    return cmocka_run_group_tests(tests, make_files, fixture_teardown);
}
