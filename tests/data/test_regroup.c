/* split and merge: every sample where it belongs, once; classes in proportion; what does not fit is refused.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/data.h"
#include "datasets/import.h"
#include "datasets/layout.h"
#include "fixture.h"

enum { SAMPLES = 1003, CLASSES = 5, WIDTH = 3 };

/* Class sizes that are far from equal. */
static int label_of(int sample) {
    return sample % 2 == 0 ? 0 : sample % 3 == 0 ? 1 : sample % 7 == 0 ? 2 : 3 + sample % 2;
}

/* x is the number of the sample plus `base`, in three bytes. */
static void make(const char *name, const char *split, int samples, int base, bool labelled) {
    uint8_t *x = malloc((size_t)samples * WIDTH), *y = malloc((size_t)samples);
    char object[64];
    const hsize_t dims[] = {(hsize_t)samples, WIDTH};
    assert_true(x != NULL && y != NULL);
    for (int s = 0; s < samples; s++) {
        for (int i = 0; i < WIDTH; i++) x[s * WIDTH + i] = (uint8_t)((s + base) >> (8 * i));
        y[s] = (uint8_t)label_of(s);
    }
    const char *path = fixture_path(name);
    snprintf(object, sizeof object, "/%s/x", split);
    fixture_put(path, object, H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, x, 2, dims);
    snprintf(object, sizeof object, "/%s/y", split);
    if (labelled) fixture_put(path, object, H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, y, 1, dims);
    free(x);
    free(y);
}

static ann_dataset *open_split(const char *name, const char *split) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path(name)};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    check_ok(ann_dataset_open(&dataset, &options));
    uint64_t checksum;
    check_ok(ann_dataset_compute_checksum(&checksum, dataset));
    assert_true(checksum == ann_dataset_checksum(dataset));
    return dataset;
}

static int id_of(const ann_dataset *dataset, int64_t sample) {
    uint8_t x[WIDTH];
    check_ok(ann_dataset_read(dataset, ann_dataset_find(dataset, "x"), &sample, 1, x));
    return x[0] | x[1] << 8 | x[2] << 16;
}

/* Marks the samples of a split; each must be new, in ascending order, and have its label. */
static void mark(const char *name, const char *split, int *seen, int expected, int *by_class) {
    ann_dataset *dataset = open_split(name, split);
    int before = -1;
    assert_int_equal(ann_dataset_samples(dataset), expected);
    for (int64_t i = 0; i < expected; i++) {
        const int id = id_of(dataset, i);
        assert_true(id > before && id < SAMPLES);
        assert_int_equal(seen[id]++, 0);
        assert_int_equal(ann_dataset_label(dataset, i), label_of(id));
        by_class[label_of(id)]++;
        before = id;
    }
    ann_dataset_close(dataset);
}

static void count_classes(int counts[CLASSES]) {
    memset(counts, 0, CLASSES * sizeof *counts);
    for (int s = 0; s < SAMPLES; s++) counts[label_of(s)]++;
}

/* A part's share of each class is its share of all, to within one sample. */
static void check_proportion(const int *part, int size) {
    int all[CLASSES];
    count_classes(all);
    for (int c = 0; c < CLASSES; c++) {
        const double share = (double)all[c] * size / SAMPLES;
        assert_true(part[c] > share - 1 && part[c] < share + 1);
    }
}

static ann_status split_by(const char *out, const ann_split_options *how) {
    const ann_import_options options = {.out = fixture_path(out)};
    return ann_dataset_split(&options, how);
}

static ann_split_options of(const char *name) {
    return (ann_split_options){.path = fixture_path(name), .split = "train"};
}

static void test_test_fraction(void **state) {
    (void)state;
    int seen[SAMPLES] = {0}, train[CLASSES] = {0}, test[CLASSES] = {0};
    make("all.h5", "train", SAMPLES, 0, true);
    ann_split_options how = of("all.h5");
    how.test_fraction = 0.2;
    check_ok(split_by("part.h5", &how));
    mark("part.h5", "train", seen, 802, train);
    mark("part.h5", "test", seen, 201, test);
    check_proportion(train, 802);
    check_proportion(test, 201);
    char **source;
    int count;
    ann_arena *arena;
    check_ok(ann_arena_new(&arena));
    check_ok(anni_layout_strings(&source, &count, fixture_path("part.h5"), "source", arena));
    assert_int_equal(count, 1);
    assert_non_null(strstr(source[0], "all.h5 xxh3:"));
    ann_arena_free(arena);
    check_ok(split_by("again.h5", &how));
    how.seed = 1;
    check_ok(split_by("other.h5", &how));
    ann_dataset *same = open_split("again.h5", "test"), *first = open_split("part.h5", "test"),
                *other = open_split("other.h5", "test");
    assert_true(ann_dataset_checksum(same) == ann_dataset_checksum(first));
    assert_true(ann_dataset_checksum(other) != ann_dataset_checksum(first));
    ann_dataset_close(same);
    ann_dataset_close(first);
    ann_dataset_close(other);
}

static void test_sizes(void **state) {
    (void)state;
    const int64_t sizes[] = {500, 1, 400};
    int seen[SAMPLES] = {0};
    make("sized.h5", "train", SAMPLES, 0, true);
    ann_split_options how = of("sized.h5");
    how.sizes = sizes;
    how.size_count = 3;
    check_ok(split_by("n.h5", &how));
    for (int p = 0; p < 3; p++) {
        char name[32];
        int by_class[CLASSES] = {0};
        snprintf(name, sizeof name, "n-%d.h5", p);
        mark(name, "train", seen, (int)sizes[p], by_class);
        if (p == 0) check_proportion(by_class, 500);
    }
}

static void test_by_class(void **state) {
    (void)state;
    int seen[SAMPLES] = {0}, all[CLASSES];
    count_classes(all);
    make("classed.h5", "train", SAMPLES, 0, true);
    ann_split_options how = of("classed.h5");
    how.by_class = true;
    check_ok(split_by("c.h5", &how));
    for (int c = 0; c < CLASSES; c++) {
        char name[32];
        int by_class[CLASSES] = {0};
        snprintf(name, sizeof name, "c-%d.h5", c);
        if (all[c] == 0) {
            assert_int_equal(fixture_count(name), 0);
            continue;
        }
        mark(name, "train", seen, all[c], by_class);
        assert_int_equal(by_class[c], all[c]);
    }
    for (int s = 0; s < SAMPLES; s++) assert_int_equal(seen[s], 1);
}

static void test_unlabelled(void **state) {
    (void)state;
    make("bare.h5", "train", 10, 0, false);
    ann_split_options how = of("bare.h5");
    how.test_fraction = 0.3;
    check_ok(split_by("bare2.h5", &how));
    ann_dataset *train = open_split("bare2.h5", "train"), *test = open_split("bare2.h5", "test");
    int sum = 0;
    for (int64_t i = 0; i < 7; i++) sum += id_of(train, i);
    for (int64_t i = 0; i < 3; i++) sum += id_of(test, i);
    assert_int_equal(sum, 45);
    assert_int_equal(ann_dataset_find(train, "y"), -1);
    ann_dataset_close(train);
    ann_dataset_close(test);
    how.by_class = true;
    how.test_fraction = 0;
    check_fails(split_by("no.h5", &how), ANN_ERR_ARG, "bare.h5: /train has no labels to split by");
}

static void test_bad_splits(void **state) {
    (void)state;
    const int64_t sizes[] = {8, 3};
    make("ten.h5", "train", 10, 0, true);
    ann_split_options how = of("ten.h5");
    check_fails(split_by("no.h5", &how), ANN_ERR_ARG,
                "split: one of a test fraction below 1, sizes, and by class");
    how.test_fraction = 0.01;
    check_fails(split_by("no.h5", &how), ANN_ERR_ARG, "ten.h5: a part of 0 of 10 samples of /train");
    how.test_fraction = 0;
    how.sizes = sizes;
    how.size_count = 2;
    check_fails(split_by("no.h5", &how), ANN_ERR_ARG,
                "ten.h5: parts of 11 samples together, and /train has 10");
    how.size_count = 1;
    how.split = "valid";
    check_fails(split_by("no.h5", &how), ANN_ERR_FORMAT, "ten.h5: /valid");
    assert_int_equal(fixture_count("no.h5"), 0);
    assert_int_equal(fixture_count("no-"), 0);
}

/* ---- merge ---- */

static ann_status merge(const char *out, const char *a, const char *b) {
    const ann_import_options options = {.out = fixture_path(out)};
    const char *const paths[] = {fixture_path(a), fixture_path(b)};
    return ann_dataset_merge(&options, paths, 2);
}

static void test_merge(void **state) {
    (void)state;
    const char *const first[] = {"ant", "bee", "cat", "dog", "eel"}, *const second[] = {"eel", "fox", "ant",
                                                                                        "gnu", "bee"};
    const char *const united[] = {"ant", "bee", "cat", "dog", "eel", "fox", "gnu"};
    static const int now[] = {4, 5, 0, 6, 1};
    make("first.h5", "train", 30, 0, true);
    make("first.h5", "test", 8, 500, true);
    make("second.h5", "train", 20, 100, true);
    fixture_attr_strings(fixture_path("first.h5"), "/", "classes", first, CLASSES);
    fixture_attr_strings(fixture_path("second.h5"), "/", "classes", second, CLASSES);
    fixture_attr_strings(fixture_path("first.h5"), "/", "source", (const char *const[]){"old one", "both"},
                         2);
    fixture_attr_strings(fixture_path("second.h5"), "/", "source", (const char *const[]){"both", "old two"},
                         2);
    check_ok(merge("both.h5", "first.h5", "second.h5"));
    ann_dataset *train = open_split("both.h5", "train"), *test = open_split("both.h5", "test");
    assert_int_equal(ann_dataset_samples(train), 50);
    assert_int_equal(ann_dataset_samples(test), 8);
    assert_int_equal(ann_dataset_classes(train), 7);
    for (int c = 0; c < 7; c++) assert_string_equal(ann_dataset_class_name(train, c), united[c]);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(id_of(train, i), i < 30 ? i : 100 + i - 30);
        assert_int_equal(ann_dataset_label(train, i), i < 30 ? label_of(i) : now[label_of(i - 30)]);
    }
    for (int i = 0; i < 8; i++) assert_int_equal(id_of(test, i), 500 + i);
    ann_dataset_close(train);
    ann_dataset_close(test);
    char **source;
    int count;
    ann_arena *arena;
    check_ok(ann_arena_new(&arena));
    check_ok(anni_layout_strings(&source, &count, fixture_path("both.h5"), "source", arena));
    assert_int_equal(count, 5); /* "both" once */
    assert_string_equal(source[2], "old one");
    assert_string_equal(source[3], "both");
    assert_string_equal(source[4], "old two");
    ann_arena_free(arena);
}

/* Splitting and merging the parts gives all samples back. */
static void test_there_and_back(void **state) {
    (void)state;
    int seen[SAMPLES] = {0};
    make("whole.h5", "train", SAMPLES, 0, true);
    const int64_t sizes[] = {3, 1000};
    ann_split_options how = of("whole.h5");
    how.sizes = sizes;
    how.size_count = 2;
    check_ok(split_by("w.h5", &how));
    check_ok(merge("back.h5", "w-0.h5", "w-1.h5"));
    ann_dataset *back = open_split("back.h5", "train");
    assert_int_equal(ann_dataset_samples(back), SAMPLES);
    for (int64_t i = 0; i < SAMPLES; i++) {
        const int id = id_of(back, i);
        assert_int_equal(seen[id]++, 0);
        assert_int_equal(ann_dataset_label(back, i), label_of(id));
    }
    ann_dataset_close(back);
}

static void test_bad_merges(void **state) {
    (void)state;
    const char *const names[] = {"a", "b", "c", "d", "e"};
    const uint8_t wide[8] = {0}, labels[2] = {0};
    const hsize_t dims[] = {2, 4};
    make("labelled.h5", "train", 5, 0, true);
    make("named.h5", "train", 5, 0, true);
    make("plain.h5", "train", 5, 0, false);
    fixture_attr_strings(fixture_path("named.h5"), "/", "classes", names, CLASSES);
    fixture_put(fixture_path("wide.h5"), "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, wide,
                2, dims);
    fixture_put(fixture_path("wide.h5"), "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS,
                labels, 1, dims);
    fixture_group(fixture_path("hollow.h5"), "/train");
    check_fails(merge("no.h5", "labelled.h5", "plain.h5"), ANN_ERR_FORMAT,
                "plain.h5: /train is not labelled, and ");
    check_fails(merge("no.h5", "labelled.h5", "named.h5"), ANN_ERR_FORMAT,
                "named.h5: has its class names, and ");
    check_fails(merge("no.h5", "labelled.h5", "wide.h5"), ANN_ERR_FORMAT,
                "wide.h5: /train/x is u8 [4] a sample, that of ");
    check_fails(merge("no.h5", "hollow.h5", "wide.h5"), ANN_ERR_FORMAT, "hollow.h5: has no split");
    check_fails(merge("no.h5", "wide.h5", "none.h5"), ANN_ERR_NOT_FOUND, "none.h5: No such file");
    assert_int_equal(fixture_count("no.h5"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_test_fraction),  cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_by_class),       cmocka_unit_test(test_unlabelled),
        cmocka_unit_test(test_bad_splits),     cmocka_unit_test(test_merge),
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_bad_merges),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
