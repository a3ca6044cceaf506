/* Import of somebody's HDF5 files of images: the rule for values, resizing, every bad record, and a real
 * file. */
#include "data/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data/import_check.h"
#include "datasets/image.h"
#include "datasets/import.h"

enum { N = 12, SIDE = 4, ROW = SIDE * SIDE, BIG = 6 };

static const ann_field_source train[] = {{"y", "a/label"}, {"x", "a/image"}};
static const ann_field_source test[] = {{"x", "b/image"}, {"y", "b/label"}};
static const hsize_t flat[] = {N, ROW}, all[] = {N};

/* Multiples of 1/510: every other one lies between two bytes, and is rounded up. */
static float value_of(int record, int i) { return (float)((record * 41 + i * 17) % 511) / 510; }
static uint8_t byte_of(int record, int i) { return (uint8_t)lround(255 * (double)value_of(record, i)); }

static void put_floats(const char *name, const float *x, const int64_t *y, fixture_storage storage) {
    const char *path = fixture_path(name);
    unlink(path);
    for (int s = 0; s < 2; s++) {
        fixture_put(path, s ? "/b/image" : "/a/image", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, storage, x, 2, flat);
        fixture_put(path, s ? "/b/label" : "/a/label", H5T_STD_I64LE, H5T_NATIVE_INT64, storage, y, 1, all);
    }
}

static void fill(float x[N][ROW], int64_t y[N]) {
    for (int r = 0; r < N; r++) {
        for (int i = 0; i < ROW; i++) x[r][i] = value_of(r, i);
        y[r] = r % 3;
    }
}

static ann_import_hdf5_options named(const char *name) {
    return (ann_import_hdf5_options){.path = fixture_path(name),
                                     .train = train,
                                     .train_count = 2,
                                     .test = test,
                                     .test_count = 2,
                                     .shape = ANN_SHAPE(SIDE, SIDE, 1)};
}

static ann_status import(const char *out, const ann_import_hdf5_options *hdf5) {
    const ann_import_options options = {.out = fixture_path(out)};
    return ann_import_hdf5(&options, hdf5);
}

/* ---- values ---- */

static void check_rounded(const char *name, const char *split) {
    ann_dataset *d = import_open(name, split);
    assert_int_equal(ann_dataset_samples(d), N);
    assert_true(ann_shape_equal(&ann_dataset_field(d, 0)->shape, &ANN_SHAPE(SIDE, SIDE, 1)));
    for (int r = 0; r < N; r++) {
        uint8_t row[ROW];
        import_row(row, d, "x", r);
        for (int i = 0; i < ROW; i++) assert_int_equal(row[i], byte_of(r, i));
        assert_int_equal(ann_dataset_label(d, r), r % 3);
    }
    ann_dataset_close(d);
}

static void floats_are_rounded(void **state) {
    (void)state;
    float x[N][ROW];
    int64_t y[N];
    fill(x, y);
    for (int storage = 0; storage < FIXTURE_STORAGE_COUNT; storage++) {
        put_floats("f.h5", x[0], y, (fixture_storage)storage);
        const ann_import_hdf5_options hdf5 = named("f.h5");
        check_ok(import("bytes.h5", &hdf5));
        check_rounded("bytes.h5", "train");
        check_rounded("bytes.h5", "test");
    }
}

static void images_are_resized(void **state) {
    (void)state;
    float x[N][ROW];
    int64_t y[N];
    fill(x, y);
    put_floats("small.h5", x[0], y, FIXTURE_GZIP);
    ann_import_hdf5_options hdf5 = named("small.h5");
    hdf5.height = BIG;
    hdf5.width = BIG - 3;
    check_ok(import("big.h5", &hdf5));
    ann_dataset *d = import_open("big.h5", "train");
    for (int r = 0; r < N; r++) {
        uint8_t bytes[ROW], want[BIG * BIG], have[BIG * BIG];
        for (int i = 0; i < ROW; i++) bytes[i] = byte_of(r, i);
        const anni_image image = {.height = SIDE, .width = SIDE, .channels = 1, .pixels = bytes};
        check_ok(anni_image_resize(want, BIG, BIG - 3, &image));
        import_row(have, d, "x", r);
        assert_memory_equal(have, want, BIG * (BIG - 3));
    }
    ann_dataset_close(d);
}

/* Groups of the usual names, integers that are bytes, a third field, names of classes. */
static void integers_stay(void **state) {
    (void)state;
    const char *path = fixture_path("own.h5");
    int32_t x[N][3][2];
    uint8_t y[N];
    float weight[N];
    const char *const classes[] = {"cat", "dog", "eel"};
    const hsize_t dims[] = {N, 3, 2};
    for (int r = 0; r < N; r++) {
        for (int i = 0; i < 6; i++) x[r][i / 2][i % 2] = (r * 23 + i * 50) % 256;
        y[r] = (uint8_t)(r % 3);
        weight[r] = (float)r / 8;
    }
    fixture_put(path, "/train/x", H5T_STD_I16BE, H5T_NATIVE_INT32, FIXTURE_CHUNKED, x, 3, dims);
    fixture_put(path, "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, y, 1, all);
    fixture_put(path, "/train/weight", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, weight, 1, all);
    fixture_attr_strings(path, "/", "classes", classes, 3);
    check_ok(import("own-bytes.h5", &(ann_import_hdf5_options){.path = fixture_path("own.h5")}));
    ann_dataset *d = import_open("own-bytes.h5", "train");
    assert_true(ann_shape_equal(&ann_dataset_field(d, 0)->shape, &ANN_SHAPE(3, 2, 1)));
    assert_int_equal(ann_dataset_field(d, 0)->dtype, ANN_U8);
    assert_string_equal(ann_dataset_class_name(d, 2), "eel");
    for (int r = 0; r < N; r++) {
        uint8_t row[6];
        float w;
        import_row(row, d, "x", r);
        import_row(&w, d, "weight", r);
        for (int i = 0; i < 6; i++) assert_int_equal(row[i], x[r][i / 2][i % 2]);
        assert_memory_equal(&w, &weight[r], sizeof w);
    }
    ann_dataset_close(d);
}

static void shards_and_fractions(void **state) {
    (void)state;
    float x[N][ROW];
    int64_t y[N];
    fill(x, y);
    put_floats("parts.h5", x[0], y, FIXTURE_CHUNKED);
    ann_import_hdf5_options hdf5 = named("parts.h5");
    check_ok(import("whole.h5", &hdf5));
    const ann_import_options shards = {.out = fixture_path("index.h5"), .shard = 5};
    check_ok(ann_import_hdf5(&shards, &hdf5));
    assert_true(import_checksum("index.h5", "train") == import_checksum("whole.h5", "train"));
    hdf5.test_count = 0;
    const ann_import_options fraction = {.out = fixture_path("fraction.h5"), .test_fraction = 0.25};
    check_ok(ann_import_hdf5(&fraction, &hdf5));
    ann_dataset *d = import_open("fraction.h5", "test");
    assert_int_equal(ann_dataset_samples(d), N / 4);
    ann_dataset_close(d);
}

/* ---- bad records ---- */

/* Ends the import, or is left out alone; whether its storage is mapped or decoded in blocks. */
static void check_bad(float x[N][ROW], int64_t y[N], int record, const char *words, ann_status status) {
    static const fixture_storage storages[] = {FIXTURE_CONTIGUOUS, FIXTURE_GZIP};
    for (int k = 0; k < 2; k++) {
        put_floats("bad.h5", x[0], y, storages[k]);
        ann_import_hdf5_options hdf5 = named("bad.h5");
        hdf5.test_count = 0;
        check_fails(import("no.h5", &hdf5), status, words);
        assert_int_equal(fixture_count("no.h5"), 0);
        const ann_import_options skipping = {.out = fixture_path("rest.h5"), .skip_bad = true};
        check_ok(ann_import_hdf5(&skipping, &hdf5));
        ann_dataset *d = import_open("rest.h5", "train");
        assert_int_equal(ann_dataset_samples(d), N - 1);
        for (int r = 0; r < N - 1; r++) {
            uint8_t row[ROW];
            import_row(row, d, "x", r);
            assert_int_equal(row[1], byte_of(r + (r >= record), 1));
        }
        ann_dataset_close(d);
    }
}

static void bad_records(void **state) {
    (void)state;
    const struct {
        float value;
        const char *words;
        ann_status status;
    } cases[] = {
        {1.5f, "bad.h5: record 7: element 5 of x is not a float from 0 to 1", ANN_ERR_CORRUPT},
        {-0.01f, "bad.h5: record 7: element 5 of x is not a float from 0 to 1", ANN_ERR_CORRUPT},
        {NAN, "bad.h5: record 7: /a/image: sample 7 holds NaN at element 5", ANN_ERR_NUMERIC},
        {INFINITY, "bad.h5: record 7: /a/image: sample 7 holds Inf at element 5", ANN_ERR_NUMERIC},
    };
    float x[N][ROW];
    int64_t y[N];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fill(x, y);
        x[7][5] = cases[i].value;
        check_bad(x, y, 7, cases[i].words, cases[i].status);
    }
    fill(x, y);
    y[2] = -1;
    check_bad(x, y, 2, "bad.h5: record 2: label -1 is negative", ANN_ERR_CORRUPT);
}

static void labels_beyond_the_names(void **state) {
    (void)state;
    float x[N][ROW];
    int64_t y[N];
    fill(x, y);
    put_floats("names.h5", x[0], y, FIXTURE_CONTIGUOUS);
    const ann_import_hdf5_options hdf5 = named("names.h5");
    const char *const classes[] = {"one", "two"};
    const ann_import_options options = {.out = fixture_path("no.h5"), .classes = classes, .class_count = 2};
    check_fails(ann_import_hdf5(&options, &hdf5), ANN_ERR_CORRUPT,
                "names.h5: record 2: label 2, but there are 2 class names");
}

static void integers_beyond_a_byte(void **state) {
    (void)state;
    const int32_t x[2][2][2] = {{{0, 255}, {1, 2}}, {{3, 4}, {256, 5}}};
    const hsize_t dims[] = {2, 2, 2};
    fixture_put(fixture_path("wide.h5"), "/train/x", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS, x,
                3, dims);
    check_fails(import("no.h5", &(ann_import_hdf5_options){.path = fixture_path("wide.h5")}), ANN_ERR_CORRUPT,
                "wide.h5: record 1: element 2 of x is not an integer from 0 to 255");
}

/* ---- mistakes ---- */

static void mistakes(void **state) {
    (void)state;
    float x[N][ROW];
    int64_t y[N];
    fill(x, y);
    put_floats("good.h5", x[0], y, FIXTURE_CONTIGUOUS);
    const ann_field_source only_x[] = {{"x", "b/image"}}, other[] = {{"x", "b/image"}, {"z", "b/label"}};
    const ann_import_hdf5_options good = named("good.h5");
    ann_import_hdf5_options o = good;
    o.shape.rank = 0;
    check_fails(import("no.h5", &o), ANN_ERR_ARG,
                "/a/image: a sample is [16], which is no image; a shape H,W,C");
    o = good, o.shape = ANN_SHAPE(5, 5, 1);
    check_fails(import("no.h5", &o), ANN_ERR_FORMAT, "a sample is [16], which cannot be taken as [5,5,1]");
    o = good, o.shape = ANN_SHAPE(16);
    check_fails(import("no.h5", &o), ANN_ERR_ARG, "a shape of 1 extents, accepted: H,W,C or H,W");
    o = good, o.height = 3;
    check_fails(import("no.h5", &o), ANN_ERR_ARG, "a size of 3 x 0");
    o = good, o.test = only_x, o.test_count = 1;
    check_fails(import("no.h5", &o), ANN_ERR_FORMAT, "has 1 fields, ");
    o = good, o.test = other;
    check_fails(import("no.h5", &o), ANN_ERR_FORMAT, "has no y, and ");
    o = good, o.train_count = 0;
    check_fails(import("no.h5", &o), ANN_ERR_ARG, "fields of the test split without those of training");
    o = good, o.path = fixture_path("missing.h5");
    check_fails(import("no.h5", &o), ANN_ERR_NOT_FOUND, "missing.h5: No such file");
    fixture_write(fixture_path("text.h5"), "no HDF5", 7);
    o = good, o.path = fixture_path("text.h5");
    check_fails(import("no.h5", &o), ANN_ERR_FORMAT, "text.h5");
    check_fails(import("no.h5", &(ann_import_hdf5_options){.path = fixture_path("good.h5")}), ANN_ERR_FORMAT,
                "good.h5: /train: does not exist");
    assert_int_equal(fixture_count("no.h5"), 0);
}

/* ---- a real file ---- */

static void usps(void **state) {
    (void)state;
    char path[4096];
    const char *folder = getenv("ANNULUS_TEST_DATA");
    snprintf(path, sizeof path, "%s/usps.h5", folder ? folder : ".");
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there (ANNULUS_TEST_DATA)\n", path);
        skip();
    }
    static const ann_field_source fields[] = {{"x", "train/data"}, {"y", "train/target"}};
    const ann_data_source source = {.path = path, .fields = fields, .field_count = 2};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    ann_import_hdf5_options hdf5 = {
        .path = path, .train = fields, .train_count = 2, .shape = ANN_SHAPE(16, 16, 1)};
    ann_dataset *from;
    check_ok(ann_dataset_open(&from, &options));
    check_ok(import("usps16.h5", &hdf5));
    hdf5.height = hdf5.width = 28;
    check_ok(import("usps28.h5", &hdf5));
    ann_dataset *bytes = import_open("usps16.h5", "train"), *large = import_open("usps28.h5", "train");
    assert_int_equal(ann_dataset_samples(bytes), 7291);
    for (int64_t s = 0; s < 7291; s++) {
        float was[256];
        uint8_t now[256];
        check_ok(ann_dataset_read(from, 0, &s, 1, was));
        check_ok(ann_dataset_read(bytes, 0, &s, 1, now));
        for (int i = 0; i < 256; i++) assert_int_equal(now[i], lround(255 * (double)was[i]));
        assert_int_equal(ann_dataset_label(large, s), ann_dataset_label(from, s));
    }
    assert_true(ann_shape_equal(&ann_dataset_field(large, 0)->shape, &ANN_SHAPE(28, 28, 1)));
    ann_dataset_close(from);
    ann_dataset_close(bytes);
    ann_dataset_close(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_rounded),
        cmocka_unit_test(images_are_resized),
        cmocka_unit_test(integers_stay),
        cmocka_unit_test(shards_and_fractions),
        cmocka_unit_test(bad_records),
        cmocka_unit_test(labels_beyond_the_names),
        cmocka_unit_test(integers_beyond_a_byte),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(usps),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
