/* Sources: fields of anyone's files, reshaping, several files in one dataset, a real file. */
#include "data/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "data/data.h"

static ann_status open_sources(ann_dataset **out, const ann_data_source *sources, int count) {
    const ann_dataset_options options = {.sources = sources, .source_count = count, .split = "train"};
    return ann_dataset_open(out, &options);
}

static ann_status try_open(const ann_data_source *sources, int count) {
    ann_dataset *dataset;
    const ann_status status = open_sources(&dataset, sources, count);
    ann_dataset_close(dataset);
    return status;
}

/* ---- someone else's file ---- */

static const ann_field_source swapped[] = {{"y", "deep/down/target"}, {"x", "/data"}};

static void put_foreign(const char *path) {
    float x[5 * 12];
    const int64_t y[] = {2, 0, 1, 1, 2};
    const hsize_t dims[] = {5, 12}, five[] = {5};
    for (int i = 0; i < 60; i++) x[i] = (float)i / 4;
    fixture_put(path, "/data", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, x, 2, dims);
    fixture_put(path, "/deep/down/target", H5T_STD_I64LE, H5T_NATIVE_INT64, FIXTURE_GZIP, y, 1, five);
}

static void test_named_fields(void **state) {
    (void)state;
    const char *path = fixture_path("foreign.h5");
    put_foreign(path);
    const ann_data_source source = {
        .path = path, .fields = swapped, .field_count = 2, .shape = ANN_SHAPE(2, 2, 3)};
    ann_dataset *dataset;
    check_ok(open_sources(&dataset, &source, 1));
    assert_int_equal(ann_dataset_samples(dataset), 5);
    assert_int_equal(ann_dataset_field_count(dataset), 2);
    assert_int_equal(ann_dataset_find(dataset, "x"), 0); /* first, however they are named */
    assert_true(ann_shape_equal(&ann_dataset_field(dataset, 0)->shape, &ANN_SHAPE(2, 2, 3)));
    assert_int_equal(ann_dataset_classes(dataset), 3);
    float row[12];
    check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){3}, 1, row));
    for (int i = 0; i < 12; i++) assert_true(row[i] >= (float)(36 + i) / 4 && row[i] <= (float)(36 + i) / 4);
    assert_int_equal(ann_dataset_label(dataset, 4), 2);
    uint64_t computed;
    check_ok(ann_dataset_compute_checksum(&computed, dataset));
    assert_true(computed == ann_dataset_checksum(dataset));
    ann_dataset_close(dataset);
}

static void test_bad_names(void **state) {
    (void)state;
    const char *path = fixture_path("names.h5");
    const hsize_t four[] = {4};
    const float zeros[4] = {0};
    put_foreign(path);
    fixture_put(path, "/few", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, zeros, 1, four);
    fixture_put(path, "/text", H5T_C_S1, H5T_C_S1, FIXTURE_CONTIGUOUS, zeros, 1, four);
    const struct {
        ann_field_source fields[2];
        ann_shape shape;
        const char *words;
    } cases[] = {
        {{{"x", "data"}, {"y", "no/such"}}, {0}, "names.h5: /no/such: does not exist"},
        {{{"x", "data"}, {"y", "deep"}}, {0}, "names.h5: /deep: is no dataset"},
        {{{"x", "data"}, {"weight", "text"}}, {0}, "names.h5: /text: is strings"},
        {{{"x", "data"}, {"weight", "few"}}, {0}, "names.h5: /few: 4 values for 5 samples of x"},
        {{{"z", "data"}, {"y", "deep/down/target"}}, {0}, "names.h5: /train: no field is called x"},
        {{{"x", "few"}, {"y", "few"}}, {0}, "names.h5: /few: wrong rank 1"},
        {{{"x", "data"}, {"y", "deep/down/target"}},
         {.rank = 2, .dim = {3, 5}},
         "names.h5: /data: a sample is [12], which cannot be taken as [3,5]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ann_data_source source = {
            .path = path, .fields = cases[i].fields, .field_count = 2, .shape = cases[i].shape};
        check_fails(try_open(&source, 1), ANN_ERR_FORMAT, cases[i].words);
    }
}

/* A link to a dataset of another file is mapped there. */
static void test_external_link(void **state) {
    (void)state;
    const char *path = fixture_path("links.h5"), *there = fixture_path("there.h5");
    fixture_images(there, "train", 7, 0);
    fixture_group(path, "/train");
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Lcreate_external("there.h5", "/train/x", file, "/train/x", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Fclose(file) >= 0);
    const ann_data_source source = {.path = path};
    ann_dataset *dataset;
    check_ok(open_sources(&dataset, &source, 1));
    uint8_t row[FIXTURE_ROW];
    check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){6}, 1, row));
    for (int i = 0; i < FIXTURE_ROW; i++) assert_int_equal(row[i], fixture_pixel(6, i));
    ann_dataset_close(dataset);
}

/* ---- several files ---- */

static void test_several(void **state) {
    (void)state;
    const char *a = fixture_path("a.h5"), *b = fixture_path("b.h5");
    const char *const names[] = {"one", "two", "three"};
    fixture_images(a, "train", 10, 3);
    fixture_images(b, "train", 4, 2);
    fixture_attr_strings(b, "/", "classes", names, 3);
    fixture_attr_double(a, "/", "mean", 0.2);
    fixture_attr_double(a, "/", "std", 0.3);
    fixture_attr_double(b, "/", "mean", 0.9);
    fixture_attr_double(b, "/", "std", 0.1);
    const ann_data_source sources[] = {{.path = a}, {.path = b}};
    ann_dataset *dataset;
    check_ok(open_sources(&dataset, sources, 2));
    assert_int_equal(ann_dataset_samples(dataset), 14);
    assert_int_equal(ann_dataset_source_count(dataset), 2);
    int64_t first, count;
    ann_dataset_source_range(dataset, 1, &first, &count);
    assert_true(first == 10 && count == 4);
    assert_int_equal(ann_dataset_classes(dataset), 3);
    assert_string_equal(ann_dataset_class_name(dataset, 1), "two");
    const int domain = ann_dataset_find(dataset, "domain");
    assert_int_equal(domain, 2);
    for (int64_t s = 13; s >= 0; s--) {
        const int64_t own = s < 10 ? s : s - 10;
        uint8_t row[FIXTURE_ROW];
        int32_t from, label;
        check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
        check_ok(ann_dataset_read(dataset, 1, &s, 1, &label));
        check_ok(ann_dataset_read(dataset, domain, &s, 1, &from));
        assert_int_equal(row[3], fixture_pixel(own, 3));
        assert_int_equal(label, own % (s < 10 ? 3 : 2));
        assert_int_equal(from, s >= 10);
    }
    /* mean and deviation of all 14 from those of 10 and 4 */
    const ann_field_info *x = ann_dataset_field(dataset, 0);
    const double mean = (10 * 0.2 + 4 * 0.9) / 14;
    const double square = (10 * (0.09 + 0.04) + 4 * (0.01 + 0.81)) / 14;
    assert_int_equal(x->channels, 1);
    assert_true(fabs(x->mean[0] - mean) < 1e-15 && fabs(x->std[0] - sqrt(square - mean * mean)) < 1e-15);
    ann_dataset_close(dataset);

    const ann_data_source backwards[] = {{.path = b}, {.path = a}};
    uint64_t checksums[2];
    for (int i = 0; i < 2; i++) {
        check_ok(open_sources(&dataset, i ? backwards : sources, 2));
        checksums[i] = ann_dataset_checksum(dataset);
        uint64_t computed;
        check_ok(ann_dataset_compute_checksum(&computed, dataset));
        assert_true(computed == checksums[i]);
        ann_dataset_close(dataset);
    }
    assert_true(checksums[0] != checksums[1]);
}

static void test_sources_differ(void **state) {
    (void)state;
    const char *a = fixture_path("base.h5"), *b = fixture_path("other.h5");
    const uint8_t zeros[64] = {0};
    const hsize_t dims[] = {2, 2, 3, 1}, wide[] = {2, 2, 4, 1}, two[] = {2};
    const char *const names[] = {"p", "q"}, *const others[] = {"p", "r"};
    const ann_data_source sources[] = {{.path = a}, {.path = b}};
    fixture_images(a, "train", 4, 2);
    fixture_attr_strings(a, "/", "classes", names, 2);
    fixture_images(b, "train", 4, 0);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "other.h5: /train has no y, and ");
    unlink(b);
    fixture_images(b, "train", 2, 2);
    fixture_put(b, "/train/mask", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 1, two);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "base.h5: /train has no mask, and ");
    unlink(b);
    fixture_put(b, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 4, wide);
    fixture_put(b, "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 1, two);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "other.h5: /train/x is u8 [2,4,1] a sample, that of ");
    unlink(b);
    fixture_put(b, "/train/x", H5T_STD_I16LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 4, dims);
    fixture_put(b, "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 1, two);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "other.h5: /train/x is i32 [2,3,1] a sample, that of ");
    unlink(b);
    fixture_images(b, "train", 2, 2);
    fixture_attr_strings(b, "/", "classes", others, 2);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "other.h5: /train: class 1 is \"r\", in ");
    fixture_attr_strings(b, "/", "classes", others, 1);
    check_fails(try_open(sources, 2), ANN_ERR_FORMAT, "other.h5: /train has 1 classes, ");
    unlink(b);
    check_fails(try_open(sources, 2), ANN_ERR_NOT_FOUND, "other.h5: No such file");
}

/* Each file has a layout of its own, and a subset is drawn from all of them. */
static void test_mixed_sources(void **state) {
    (void)state;
    const char *a = fixture_path("own.h5"), *b = fixture_path("not-own.h5");
    float x[60];
    const int64_t y[] = {2, 0, 1, 1, 2, 0, 1, 0, 0, 1};
    const hsize_t dims[] = {5, 2, 6}, flat[] = {5, 12}, five[] = {5};
    for (int i = 0; i < 60; i++) x[i] = (float)(100 + i);
    put_foreign(b);
    fixture_put(a, "/train/x", H5T_IEEE_F64BE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, x, 3, dims);
    fixture_put(a, "/train/y", H5T_STD_U8LE, H5T_NATIVE_INT64, FIXTURE_COMPACT, y, 1, five);
    fixture_put(a, "/train/flat", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, x, 2, flat);
    const ann_field_source two[] = {{"x", "train/x"}, {"y", "train/y"}};
    const ann_data_source sources[] = {
        {.path = a, .fields = two, .field_count = 2},
        {.path = b, .fields = swapped, .field_count = 2, .shape = ANN_SHAPE(2, 6)}};
    const ann_dataset_options options = {.sources = sources,
                                         .source_count = 2,
                                         .split = "train",
                                         .limit = 6,
                                         .balanced = true,
                                         .subset_seed = 9};
    ann_dataset *dataset;
    check_ok(ann_dataset_open(&dataset, &options));
    int seen[2] = {0}, classes[3] = {0};
    for (int64_t s = 0; s < 6; s++) {
        float row[12];
        int32_t label, domain;
        check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
        check_ok(ann_dataset_read(dataset, 1, &s, 1, &label));
        check_ok(ann_dataset_read(dataset, 2, &s, 1, &domain));
        const int sample = domain == 0 ? ((int)row[0] - 100) / 12 : (int)(row[0] * 4) / 12;
        assert_int_equal(label, y[sample]);
        assert_int_equal(ann_dataset_label(dataset, s), label);
        seen[domain]++;
        classes[label]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0);
    for (int c = 0; c < 3; c++) assert_int_equal(classes[c], 2);
    ann_dataset_close(dataset);
}

/* ---- a real file ---- */

static void test_usps(void **state) {
    (void)state;
    char path[4096];
    const char *folder = getenv("ANNULUS_TEST_DATA");
    snprintf(path, sizeof path, "%s/usps.h5", folder ? folder : ".");
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there (ANNULUS_TEST_DATA)\n", path);
        skip();
    }
    static const ann_field_source train[] = {{"x", "train/data"}, {"y", "train/target"}};
    static const ann_field_source test[] = {{"x", "test/data"}, {"y", "test/target"}};
    const ann_data_source sources[] = {
        {.path = path, .fields = train, .field_count = 2, .shape = ANN_SHAPE(16, 16, 1)},
        {.path = path, .fields = test, .field_count = 2, .shape = ANN_SHAPE(16, 16, 1)}};
    ann_dataset *datasets[2];
    for (int i = 0; i < 2; i++) check_ok(open_sources(&datasets[i], &sources[i], 1));
    assert_int_equal(ann_dataset_samples(datasets[0]), 7291);
    assert_int_equal(ann_dataset_samples(datasets[1]), 2007);
    check_ok(ann_data_check_match(datasets[0], datasets[1]));
    assert_int_equal(ann_dataset_classes(datasets[0]), 10);
    assert_int_equal(ann_dataset_field(datasets[0], 0)->dtype, ANN_F32);
    int counts[10] = {0};
    for (int64_t s = 0; s < 7291; s++) {
        static float row[256];
        check_ok(ann_dataset_read(datasets[0], 0, &s, 1, row));
        for (int i = 0; i < 256; i++) assert_true(row[i] >= 0 && row[i] <= 1);
        counts[ann_dataset_label(datasets[0], s)]++;
    }
    /* Hastie, Tibshirani, Friedman, "The elements of statistical learning", data sets: zip.train */
    const int want[10] = {1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644};
    for (int c = 0; c < 10; c++) assert_int_equal(counts[c], want[c]);
    for (int i = 0; i < 2; i++) ann_dataset_close(datasets[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_fields),   cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_external_link),  cmocka_unit_test(test_several),
        cmocka_unit_test(test_sources_differ), cmocka_unit_test(test_mixed_sources),
        cmocka_unit_test(test_usps),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
