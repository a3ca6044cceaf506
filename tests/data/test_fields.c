/* Fields: every stored type in every layout is delivered as it says; what is no field is named; moments,
   checksums and values that cannot be delivered. */
#include "data/fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "data/data.h"

static ann_status open_cached(ann_dataset **out, const char *path, int64_t cache_bytes) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {
        .sources = &source, .source_count = 1, .split = "train", .cache_bytes = cache_bytes};
    return ann_dataset_open(out, &options);
}

static ann_dataset *must_open(const char *path) {
    ann_dataset *dataset;
    check_ok(open_cached(&dataset, path, 0));
    return dataset;
}

static ann_status try_open(const char *path) {
    ann_dataset *dataset;
    const ann_status status = open_cached(&dataset, path, 0);
    ann_dataset_close(dataset);
    return status;
}

/* A new file with x, u8 [n, 2]. */
static void put_x(const char *path, int n) {
    static const uint8_t zeros[1024];
    const hsize_t dims[] = {(hsize_t)n, 2};
    unlink(path);
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 2, dims);
}

/* ---- every type, every storage ---- */

enum { N = 151, ROW = 6 };

static hid_t half_type(void) {
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    assert_true(H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0 &&
                H5Tset_ebias(type, 15) >= 0);
    return type;
}

static double value_at(int i) { return (i * 7) % 113; }

/* In this order: within a block, back and forth, one twice. */
static void check_values(const ann_dataset *dataset, int field, ann_dtype dtype) {
    int64_t ids[N + 1];
    static double values[(N + 1) * ROW];
    for (int i = 0; i < N; i++) ids[i] = i < 10 ? i : (i * 64) % N;
    ids[N] = ids[N - 1];
    check_ok(ann_dataset_read(dataset, field, ids, N + 1, values));
    for (int i = 0; i <= N; i++)
        for (int k = 0; k < ROW; k++)
            if (ann_elem_get(values, dtype, i * ROW + k) != value_at((int)ids[i] * ROW + k))
                fail_msg("sample %d, element %d is %g", (int)ids[i], k,
                         ann_elem_get(values, dtype, i * ROW + k));
}

static void check_stored(hid_t type, ann_dtype dtype, fixture_storage storage, bool mapped) {
    const char *path = fixture_path("types.h5");
    static double values[N * ROW];
    const hsize_t dims[] = {N, 2, 3};
    for (int i = 0; i < N * ROW; i++) values[i] = value_at(i);
    put_x(path, N);
    fixture_put(path, "/train/field", type, H5T_NATIVE_DOUBLE, storage, values, 3, dims);
    uint64_t checksums[2];
    for (int cached = 0; cached < 2; cached++) {
        ann_dataset *dataset;
        check_ok(open_cached(&dataset, path, cached)); /* 1 byte: nothing is decoded when it is opened */
        const int field = ann_dataset_find(dataset, "field");
        assert_int_equal(field, 1);
        const ann_field_info *info = ann_dataset_field(dataset, field);
        assert_int_equal(info->dtype, dtype);
        assert_true(ann_shape_equal(&info->shape, &ANN_SHAPE(2, 3)));
        assert_int_equal(info->channels, 0);
        assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_DATASET), cached && !mapped);
        check_values(dataset, field, dtype);
        check_ok(ann_dataset_compute_field_checksum(&checksums[cached], dataset, field));
        ann_dataset_close(dataset);
        assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_FILE | H5F_OBJ_DATASET), 0);
    }
    assert_true(checksums[0] == checksums[1]);
}

static void test_types(void **state) {
    (void)state;
    const hid_t half = half_type();
    const struct {
        hid_t type;
        ann_dtype dtype;
        bool as_delivered;
    } types[] = {
        {H5T_STD_U8LE, ANN_U8, true},     {H5T_STD_I8LE, ANN_I32, false},   {H5T_STD_U16LE, ANN_I32, false},
        {H5T_STD_I16BE, ANN_I32, false},  {H5T_STD_I32LE, ANN_I32, true},   {H5T_STD_I32BE, ANN_I32, false},
        {H5T_STD_U32LE, ANN_I32, false},  {H5T_STD_I64LE, ANN_I32, false},  {H5T_STD_U64BE, ANN_I32, false},
        {H5T_IEEE_F32LE, ANN_F32, true},  {H5T_IEEE_F32BE, ANN_F32, false}, {H5T_IEEE_F64LE, ANN_F32, false},
        {H5T_IEEE_F64BE, ANN_F32, false}, {half, ANN_F32, false},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (int s = 0; s < FIXTURE_STORAGE_COUNT; s++)
            check_stored(types[i].type, types[i].dtype, (fixture_storage)s,
                         types[i].as_delivered && s == FIXTURE_CONTIGUOUS);
    H5Tclose(half);
}

/* h5py's truth values. */
static void test_truth_values(void **state) {
    (void)state;
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    const uint8_t mask[] = {0, 1, 1, 0, 1, 0};
    int8_t value = 0;
    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    const hsize_t dims[] = {3, 2};
    for (int s = 0; s < FIXTURE_STORAGE_COUNT; s++) {
        const char *path = fixture_path("truth.h5");
        put_x(path, 3);
        fixture_put(path, "/train/mask", type, type, (fixture_storage)s, mask, 2, dims);
        ann_dataset *dataset = must_open(path);
        uint8_t rows[6];
        assert_int_equal(ann_dataset_field(dataset, 1)->dtype, ANN_U8);
        check_ok(ann_dataset_read(dataset, 1, (const int64_t[]){2, 1, 0}, 3, rows));
        assert_memory_equal(rows, ((const uint8_t[]){1, 0, 1, 0, 0, 1}), 6);
        ann_dataset_close(dataset);
    }
    H5Tclose(type);
}

/* ---- targets ---- */

static void test_regression_targets(void **state) {
    (void)state;
    const char *path = fixture_path("targets.h5");
    const hsize_t one[] = {4}, two[] = {4, 2};
    const float y[] = {0.5f, -1.5f, 2, 3, 4, 5, 6, 7};
    put_x(path, 4);
    fixture_put(path, "/train/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, y, 1, one);
    ann_dataset *dataset = must_open(path);
    assert_int_equal(ann_dataset_field(dataset, 1)->dtype, ANN_F32);
    assert_int_equal(ann_dataset_field(dataset, 1)->shape.rank, 0);
    assert_int_equal(ann_dataset_classes(dataset), 0);
    assert_int_equal(ann_dataset_label(dataset, 0), -1);
    float row;
    check_ok(ann_dataset_read(dataset, 1, (const int64_t[]){1}, 1, &row));
    assert_memory_equal(&row, &y[1], sizeof row);
    ann_dataset_close(dataset);

    put_x(path, 4);
    fixture_put(path, "/train/y", H5T_STD_I32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, y, 2, two);
    dataset = must_open(path);
    assert_int_equal(ann_dataset_field(dataset, 1)->dtype, ANN_I32);
    assert_int_equal(ann_dataset_field(dataset, 1)->shape.rank, 1);
    assert_int_equal(ann_dataset_classes(dataset), 0);
    ann_dataset_close(dataset);
}

static void test_class_names(void **state) {
    (void)state;
    const char *path = fixture_path("names.h5"), *const names[] = {"cat", "dog", "bird"};
    fixture_images(path, "train", 6, 3);
    ann_dataset *dataset = must_open(path);
    assert_null(ann_dataset_class_name(dataset, 0));
    for (int64_t s = 0; s < 6; s++) assert_int_equal(ann_dataset_label(dataset, s), s % 3);
    ann_dataset_close(dataset);
    fixture_attr_strings(path, "/", "classes", names, 3);
    dataset = must_open(path);
    assert_string_equal(ann_dataset_class_name(dataset, 2), "bird");
    assert_null(ann_dataset_class_name(dataset, 3));
    assert_null(ann_dataset_class_name(dataset, -1));
    ann_dataset_close(dataset);
}

/* ---- what is no field ---- */

static void test_skipped(void **state) {
    (void)state;
    const char *path = fixture_path("skipped.h5");
    const double zeros[64] = {0};
    const hsize_t four[] = {4}, ten[] = {10, 3};
    put_x(path, 4);
    fixture_put(path, "/train/a name", H5T_C_S1, H5T_C_S1, FIXTURE_CONTIGUOUS, zeros, 1, four);
    fixture_put(path, "/train/count", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS, zeros, 0, NULL);
    fixture_group(path, "/train/group");
    fixture_put(path, "/train/table", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, zeros, 2, ten);
    fixture_put(path, "/train/weight", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, zeros, 1, four);
    ann_dataset *dataset = must_open(path);
    assert_int_equal(ann_dataset_field_count(dataset), 2);
    assert_int_equal(ann_dataset_find(dataset, "weight"), 1);
    const char *const want[] = {"/train/a name: strings", "/train/count: of rank 0, without samples",
                                "/train/group: no dataset", "/train/table: another number of samples than x"};
    for (int i = 0; i < 4; i++) {
        const char *have = ann_dataset_skipped(dataset, i);
        if (!have || !strstr(have, want[i])) fail_msg("%s, wanted %s", have ? have : "nothing", want[i]);
    }
    assert_null(ann_dataset_skipped(dataset, 4));
    ann_dataset_close(dataset);
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* ---- attributes ---- */

static void test_moments(void **state) {
    (void)state;
    const char *path = fixture_path("moments.h5");
    const float zeros[24] = {0};
    const double mean[] = {0.1, 0.2, 0.3}, std[] = {1, 2, 3}, bad[] = {1, 0, 3};
    const hsize_t dims[] = {4, 2, 3};
    put_x(path, 4);
    fixture_put(path, "/train/f", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CONTIGUOUS, zeros, 3, dims);
    fixture_attr_doubles(path, "/train/f", "mean", mean, 3);
    fixture_attr_double(path, "/train/f", "std", 4);
    fixture_attr_double(path, "/", "mean", 0.5);
    fixture_attr_double(path, "/train/x", "std", 0.25);
    ann_dataset *dataset = must_open(path);
    const ann_field_info *x = ann_dataset_field(dataset, 0), *f = ann_dataset_field(dataset, 1);
    assert_int_equal(f->channels, 3);
    for (int c = 0; c < 3; c++) assert_true(f->mean[c] == mean[c] && f->std[c] == 4);
    assert_int_equal(x->channels, 1); /* its own come before those of the file */
    assert_true(x->mean[0] == 0 && x->std[0] == 0.25);
    ann_dataset_close(dataset);
    fixture_attr_doubles(path, "/train/f", "std", std, 2);
    check_fails(try_open(path), ANN_ERR_FORMAT,
                "/train/f: attribute \"std\" has 2 numbers, accepted: 1, or one for each last extent");
    fixture_attr_doubles(path, "/train/f", "std", bad, 3);
    check_fails(try_open(path), ANN_ERR_FORMAT,
                "/train/f: attributes \"mean\" 0.2 and \"std\" 0: accepted: finite, std > 0");
}

static void test_field_checksums(void **state) {
    (void)state;
    const char *path = fixture_path("checksums.h5");
    const hsize_t dims[] = {4, 3};
    int32_t values[12];
    for (int i = 0; i < 12; i++) values[i] = i * i;
    const uint64_t want = ann_hash(values, sizeof values, 0);
    put_x(path, 4);
    fixture_put(path, "/train/f", H5T_STD_U16BE, H5T_NATIVE_INT32, FIXTURE_GZIP, values, 2, dims);
    ann_dataset *dataset = must_open(path);
    uint64_t have;
    assert_false(ann_dataset_field_checksum(&have, dataset, 1));
    check_ok(ann_dataset_compute_field_checksum(&have, dataset, 1));
    assert_true(have == want);
    ann_dataset_close(dataset);
    fixture_attr_u64(path, "/train/f", "checksum", want);
    dataset = must_open(path);
    assert_true(ann_dataset_field_checksum(&have, dataset, 1) && have == want);
    ann_dataset_close(dataset);
}

/* ---- values that cannot be delivered ---- */

static void test_out_of_range(void **state) {
    (void)state;
    const char *path = fixture_path("range.h5");
    const hsize_t dims[] = {4, 2};
    const int64_t wide[] = {0, -5, 7, INT32_MAX - 1, 3, (int64_t)1 << 31, 0, 0};
    const double large[] = {0, 1e38, -1e38, 0, 0, 0, 1e39, 0};
    put_x(path, 4);
    fixture_put(path, "/train/f", H5T_STD_I64LE, H5T_NATIVE_INT64, FIXTURE_CONTIGUOUS, wide, 2, dims);
    check_fails(try_open(path), ANN_ERR_CORRUPT,
                "/train/f: sample 2 holds an integer at element 1 that does not fit 32 bits");
    put_x(path, 4);
    fixture_put(path, "/train/f", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, FIXTURE_CONTIGUOUS, large, 2, dims);
    check_fails(try_open(path), ANN_ERR_NUMERIC, "/train/f: sample 3 holds Inf at element 0");
}

/* More than is looked at when it is opened: a sparse file, whose only NaN is found by reading it. */
static void test_large_is_checked_when_read(void **state) {
    (void)state;
    const char *path = fixture_path("large.h5");
    enum { WIDE = 1 << 16 };
    const hsize_t dims[] = {(1 << 12) + 3, WIDE}, start[] = {1234, 77}, one[] = {1, 1};
    const float bad = (float)NAN;
    const hid_t file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, dims, NULL);
    H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
    const hid_t id = H5Dcreate2(group, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    const hid_t memory = H5Screate_simple(2, one, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, one, NULL);
    assert_true(H5Dwrite(id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, &bad) >= 0);
    H5Sclose(memory);
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(list);
    H5Gclose(group);
    assert_true(H5Fclose(file) >= 0);

    static float rows[2 * WIDE];
    ann_dataset *dataset = must_open(path);
    ann_dataset_prefetch(dataset, 1000, 500);
    check_ok(ann_dataset_read(dataset, 0, (const int64_t[]){1233, 1235}, 2, rows));
    check_fails(ann_dataset_read(dataset, 0, (const int64_t[]){1233, 1234}, 2, rows), ANN_ERR_NUMERIC,
                "large.h5: /train/x: sample 1234 holds NaN at element 77");
    ann_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_truth_values),
        cmocka_unit_test(test_regression_targets),
        cmocka_unit_test(test_class_names),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_field_checksums),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_large_is_checked_when_read),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
