/* Datasets: every accepted storage gives the same values, every fault is one clear line, subsets are what
 * they say. */
#include "data/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/data.h"

static ann_status open_split(ann_dataset **out, const char *path, const char *split) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    return ann_dataset_open(out, &options);
}

static ann_dataset *must_open(const char *path, const char *split) {
    ann_dataset *dataset;
    check_ok(open_split(&dataset, path, split));
    return dataset;
}

/* Opens and expects a failure; there must be nothing to close then. */
static ann_status try_open(const char *path) {
    ann_dataset *dataset = (ann_dataset *)1;
    const ann_status status = open_split(&dataset, path, "train");
    if (status == ANN_OK) ann_dataset_close(dataset);
    else assert_null(dataset);
    return status;
}

/* ---- what is accepted ---- */

static void test_reads_images(void **state) {
    (void)state;
    const char *path = fixture_path("images.h5");
    fixture_images(path, "train", 10, 3);
    fixture_attr_double(path, "/", "mean", 0.25);
    fixture_attr_double(path, "/", "std", 0.5);
    ann_dataset *dataset = must_open(path, "train");
    assert_int_equal(ann_dataset_samples(dataset), 10);
    assert_int_equal(ann_dataset_field_count(dataset), 2);
    assert_int_equal(ann_dataset_find(dataset, "x"), 0);
    assert_int_equal(ann_dataset_find(dataset, "y"), 1);
    assert_int_equal(ann_dataset_find(dataset, "z"), -1);
    assert_int_equal(ann_dataset_classes(dataset), 3);
    const ann_field_info *x = ann_dataset_field(dataset, 0), *y = ann_dataset_field(dataset, 1);
    assert_int_equal(x->dtype, ANN_U8);
    assert_true(ann_shape_equal(&x->shape, &ANN_SHAPE(2, 3, 1)));
    assert_int_equal(y->dtype, ANN_I32);
    assert_int_equal(y->shape.rank, 0);
    assert_int_equal(x->channels, 1);
    assert_true(x->mean[0] == 0.25 && x->std[0] == 0.5);
    assert_int_equal(y->channels, 0);

    const int64_t ids[] = {9, 0, 4, 4};
    uint8_t rows[4 * FIXTURE_ROW];
    int32_t labels[4];
    check_ok(ann_dataset_read(dataset, 0, ids, 4, rows));
    check_ok(ann_dataset_read(dataset, 1, ids, 4, labels));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(labels[i], ids[i] % 3);
        for (int k = 0; k < FIXTURE_ROW; k++)
            assert_int_equal(rows[i * FIXTURE_ROW + k], fixture_pixel(ids[i], k));
    }
    const int64_t beyond[] = {0, 10}, negative[] = {-1};
    check_fails(ann_dataset_read(dataset, 0, beyond, 2, rows), ANN_ERR_ARG, "sample 10 of 10");
    check_fails(ann_dataset_read(dataset, 1, negative, 1, labels), ANN_ERR_ARG, "sample -1 of 10");
    check_fails(ann_dataset_read(dataset, 2, ids, 1, rows), ANN_ERR_ARG, "no field 2");
    ann_dataset_close(dataset);
}

static void test_unlabelled(void **state) {
    (void)state;
    const char *path = fixture_path("unlabelled.h5");
    fixture_images(path, "test", 5, 0);
    ann_dataset *dataset = must_open(path, "test");
    assert_int_equal(ann_dataset_field_count(dataset), 1);
    assert_int_equal(ann_dataset_classes(dataset), 0);
    assert_int_equal(ann_dataset_find(dataset, "y"), -1);
    assert_int_equal(ann_dataset_field(dataset, 0)->channels, 0);
    ann_dataset_close(dataset);
    ann_dataset_close(NULL);
}

/* Values and checksum do not depend on how the file stores them. */
static void test_storages_agree(void **state) {
    (void)state;
    enum { N = 7, ROW = 5 };
    float x[N * ROW];
    int32_t y[N];
    for (int i = 0; i < N * ROW; i++) x[i] = (float)(i - 17) * 0.375f;
    for (int i = 0; i < N; i++) y[i] = (i * 5) % 4;
    const hid_t x_types[] = {H5T_IEEE_F32LE, H5T_IEEE_F32BE};
    const hid_t y_types[] = {H5T_STD_U8LE,  H5T_STD_I8LE,  H5T_STD_U16BE, H5T_STD_I16LE,
                             H5T_STD_I32LE, H5T_STD_I32BE, H5T_STD_I64LE, H5T_STD_U64BE};
    const hsize_t dims[] = {N, ROW};
    uint64_t first_checksum = 0;
    for (int i = 0; i < 8; i++) {
        const fixture_storage storage = (fixture_storage)(i % 4);
        const char *path = fixture_path("storage.h5");
        unlink(path);
        fixture_put(path, "/train/x", x_types[i / 4], H5T_NATIVE_FLOAT, storage, x, 2, dims);
        fixture_put(path, "/train/y", y_types[i], H5T_NATIVE_INT32, storage, y, 1, dims);
        ann_dataset *dataset = must_open(path, "train");
        float row[ROW];
        int32_t label;
        for (int64_t s = 0; s < N; s++) {
            check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
            check_ok(ann_dataset_read(dataset, 1, &s, 1, &label));
            assert_memory_equal(row, x + s * ROW, sizeof row);
            assert_int_equal(label, y[s]);
        }
        if (i == 0) first_checksum = ann_dataset_checksum(dataset);
        assert_true(ann_dataset_checksum(dataset) == first_checksum);
        uint64_t computed;
        check_ok(ann_dataset_compute_checksum(&computed, dataset));
        assert_true(computed == first_checksum);
        ann_dataset_close(dataset);
    }
}

/* Never written: HDF5 has given it no place in the file, and it reads as zeros. */
static void test_unwritten_data(void **state) {
    (void)state;
    const char *path = fixture_path("unwritten.h5");
    const hsize_t dims[] = {3, 4};
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, NULL, 2, dims);
    ann_dataset *dataset = must_open(path, "train");
    const int64_t id = 2;
    uint8_t row[4] = {1, 2, 3, 4};
    check_ok(ann_dataset_read(dataset, 0, &id, 1, row));
    assert_memory_equal(row, "\0\0\0\0", 4);
    ann_dataset_close(dataset);
}

static void test_replaced_while_open(void **state) {
    (void)state;
    const char *path = fixture_path("replaced.h5"), *other = fixture_path("other.h5");
    fixture_images(path, "train", 10, 2);
    fixture_images(other, "train", 3, 0);
    ann_dataset *dataset = must_open(path, "train");
    assert_int_equal(rename(other, path), 0);
    const int64_t id = 9;
    uint8_t row[FIXTURE_ROW];
    check_ok(ann_dataset_read(dataset, 0, &id, 1, row));
    for (int k = 0; k < FIXTURE_ROW; k++) assert_int_equal(row[k], fixture_pixel(9, k));
    ann_dataset_close(dataset);
}

/* The application's choice of HDF5's error printing is as it was. */
static void test_printing_is_restored(void **state) {
    (void)state;
    H5E_auto2_t before, after;
    void *before_to, *after_to;
    H5Eget_auto2(H5E_DEFAULT, &before, &before_to);
    assert_int_equal(try_open(fixture_path("no-such.h5")), ANN_ERR_NOT_FOUND);
    H5Eget_auto2(H5E_DEFAULT, &after, &after_to);
    assert_true(before == after && before_to == after_to);
}

/* ---- what is refused ---- */

static void test_bad_files(void **state) {
    (void)state;
    check_fails(try_open(fixture_path("missing.h5")), ANN_ERR_NOT_FOUND, "missing.h5: No such file");
    const char *path = fixture_path("folder.h5");
    assert_int_equal(mkdir(path, 0777), 0);
    check_fails(try_open(path), ANN_ERR_IO, "folder.h5: is a directory");
    path = fixture_path("empty.h5");
    fixture_write(path, "", 0);
    check_fails(try_open(path), ANN_ERR_FORMAT, "empty.h5: is empty");
    path = fixture_path("text.h5");
    fixture_write(path, "no dataset at all\n", 18);
    check_fails(try_open(path), ANN_ERR_FORMAT, "text.h5: is not an HDF5 file");
    path = fixture_path("fifo.h5");
    assert_int_equal(mkfifo(path, 0666), 0);
    check_fails(try_open(path), ANN_ERR_IO, "fifo.h5: is not a regular file");
    ann_dataset *dataset;
    check_fails(open_split(&dataset, NULL, "train"), ANN_ERR_ARG, "needs a path");
}

static void test_no_permission(void **state) {
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: root may read every file\n");
        skip();
    }
    const char *path = fixture_path("secret.h5");
    fixture_images(path, "train", 2, 0);
    assert_int_equal(chmod(path, 0), 0);
    check_fails(try_open(path), ANN_ERR_IO, "secret.h5: Permission denied");
}

static void test_bad_structure(void **state) {
    (void)state;
    const char *path = fixture_path("structure.h5");
    fixture_images(path, "test", 2, 0);
    check_fails(try_open(path), ANN_ERR_FORMAT, "structure.h5: /train: does not exist");
    fixture_group(path, "/train");
    check_fails(try_open(path), ANN_ERR_FORMAT, "structure.h5: /train/x: does not exist");
    fixture_group(path, "/train/x");
    check_fails(try_open(path), ANN_ERR_FORMAT, "structure.h5: /train/x: cannot be opened as a dataset");
    path = fixture_path("flat.h5");
    const hsize_t dims[] = {2, 2};
    const uint8_t data[4] = {0};
    fixture_put(path, "/train", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, data, 2, dims);
    check_fails(try_open(path), ANN_ERR_FORMAT, "flat.h5: /train: cannot be opened as a group");
}

static void test_bad_x(void **state) {
    (void)state;
    const uint8_t zeros[512] = {0};
    const struct {
        const char *words;
        hid_t type;
        int rank;
        hsize_t dims[9];
    } cases[] = {
        {"/train/x: is of rank 0, without samples, accepted: u8, f32", H5T_STD_U8LE, 0, {0}},
        {"/train/x: wrong rank 1", H5T_STD_U8LE, 1, {4}},
        {"/train/x: is of a rank above 8, accepted: u8, f32", H5T_STD_U8LE, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {"/train/x: is strings, accepted: u8, f32", H5T_C_S1, 2, {4, 2}},
        {"/train/x: is neither integers nor floats, accepted: ", H5T_STD_B8LE, 2, {4, 2}},
        {"/train/x: is empty, accepted: ", H5T_STD_U8LE, 2, {0, 2}},
        {"/train/x: is empty, accepted: ", H5T_STD_U8LE, 3, {4, 2, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = fixture_path("bad-x.h5");
        unlink(path);
        fixture_put(path, "/train/x", cases[i].type, cases[i].type, FIXTURE_CONTIGUOUS, zeros, cases[i].rank,
                    cases[i].dims);
        check_fails(try_open(path), ANN_ERR_FORMAT, cases[i].words);
    }
}

/* More than any machine holds: an error, not an attempt. */
static void test_vast(void **state) {
    (void)state;
    const char *path = fixture_path("vast.h5");
    const hsize_t dims[] = {(hsize_t)1 << 40, 1 << 12};
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, NULL, 2, dims);
    check_fails(try_open(path), ANN_ERR_MEMORY, "vast.h5: /train: no memory for ");
    path = fixture_path("overflow.h5");
    const hsize_t more[] = {(hsize_t)1 << 31, (hsize_t)1 << 31, 1};
    fixture_put(path, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, FIXTURE_CHUNKED, NULL, 3, more);
    check_fails(try_open(path), ANN_ERR_FORMAT, "/train/x: is of too many elements");
}

static void put_labelled(const char *path, hid_t type, int rank, const hsize_t *dims, const int64_t *labels) {
    const uint8_t zeros[64] = {0};
    const hsize_t x_dims[] = {4, 2};
    unlink(path);
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, zeros, 2, x_dims);
    fixture_put(path, "/train/y", type, H5T_NATIVE_INT64, FIXTURE_CONTIGUOUS, labels, rank, dims);
}

static void test_bad_y(void **state) {
    (void)state;
    const char *path = fixture_path("bad-y.h5");
    const hsize_t four[] = {4}, three[] = {3};
    const int64_t good[] = {0, 1, 2, 1}, negative[] = {0, 1, -3, 1}, vast[] = {0, 1, 1, (int64_t)1 << 40};
    put_labelled(path, H5T_STD_I64LE, 1, three, good);
    check_fails(try_open(path), ANN_ERR_FORMAT, "/train/y: 3 labels for 4 samples of x");
    put_labelled(path, H5T_STD_I64LE, 1, four, negative);
    check_fails(try_open(path), ANN_ERR_CORRUPT, "/train/y: sample 2 has label -3");
    put_labelled(path, H5T_STD_I64LE, 1, four, vast);
    check_fails(try_open(path), ANN_ERR_CORRUPT,
                "/train/y: sample 3 has label 2147483647, accepted: 0 to 1048575");

    const char *const two_names[] = {"cat", "a name of 16 byt"};
    put_labelled(path, H5T_STD_I64LE, 1, four, good);
    fixture_attr_strings(path, "/", "classes", two_names, 2);
    check_fails(try_open(path), ANN_ERR_CORRUPT, "/train/y: sample 2 has label 2, accepted: 0 to 1");
    const char *const four_names[] = {"a", "b", "c", "d"};
    fixture_attr_strings(path, "/", "classes", four_names, 4);
    ann_dataset *dataset = must_open(path, "train");
    assert_int_equal(ann_dataset_classes(dataset), 4);
    ann_dataset_close(dataset);
}

static void test_bad_attributes(void **state) {
    (void)state;
    const char *path = fixture_path("attributes.h5");
    const char *const words[] = {"many", "words"};
    fixture_images(path, "train", 4, 2);
    fixture_attr_double(path, "/", "std", 0.0);
    check_fails(try_open(path), ANN_ERR_FORMAT, "attributes.h5: attributes \"mean\" 0 and \"std\" 0");
    fixture_attr_double(path, "/", "std", (double)NAN);
    check_fails(try_open(path), ANN_ERR_FORMAT, "accepted: finite, std > 0");
    fixture_attr_strings(path, "/", "std", words, 1);
    check_fails(try_open(path), ANN_ERR_FORMAT, "attribute \"std\" is not one number");
    fixture_attr_u64(path, "/", "std", 2);
    fixture_attr_double(path, "/train", "checksum", 1.5);
    check_fails(try_open(path), ANN_ERR_FORMAT, "/train: attribute \"checksum\" is not one integer");
    fixture_attr_strings(path, "/train", "checksum", words, 2);
    check_fails(try_open(path), ANN_ERR_FORMAT, "/train: attribute \"checksum\" is not one integer");
    fixture_attr_u64(path, "/train", "checksum", UINT64_MAX);
    fixture_attr_u64(path, "/", "classes", 2);
    check_fails(try_open(path), ANN_ERR_FORMAT, "attribute \"classes\" does not hold strings");
    fixture_attr_strings(path, "/", "classes", words, 2);
    ann_dataset *dataset = must_open(path, "train");
    assert_true(ann_dataset_checksum(dataset) == UINT64_MAX);
    assert_true(ann_dataset_field(dataset, 0)->std[0] == 2.0);
    ann_dataset_close(dataset);
}

static void test_not_finite(void **state) {
    (void)state;
    enum { N = 9, ROW = 11 };
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    const hsize_t dims[] = {N, ROW};
    for (int i = 0; i < 8; i++) {
        float x[N * ROW] = {0};
        x[N * ROW - 1] = 3.4e38f; /* the largest exponent that is finite */
        const int sample = i + 1, element = (i * 5) % ROW;
        x[sample * ROW + element] = bad[i % 4];
        const char *path = fixture_path("nan.h5");
        char words[64];
        snprintf(words, sizeof words, "/train/x: sample %d holds %s at element %d", sample,
                 i % 4 < 2 ? "NaN" : "Inf", element);
        unlink(path);
        fixture_put(path, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                    i < 4 ? FIXTURE_CONTIGUOUS : FIXTURE_GZIP, x, 2, dims);
        check_fails(try_open(path), ANN_ERR_NUMERIC, words);
    }
}

/* However short the file is cut: a format error, no crash, nothing printed. */
static void test_truncated(void **state) {
    (void)state;
    const char *path = fixture_path("whole.h5"), *cut = fixture_path("cut.h5");
    fixture_images(path, "train", 300, 10);
    size_t size;
    uint8_t *bytes = fixture_bytes(path, &size);
    for (size_t length = 1; length < size; length += length < 1024 ? 13 : 97) {
        fixture_write(cut, bytes, length);
        check_fails(try_open(cut), ANN_ERR_FORMAT, "cut.h5: ");
    }
    fixture_write(cut, bytes, size - 1);
    check_fails(try_open(cut), ANN_ERR_FORMAT, "truncated");
    fixture_write(cut, bytes, size);
    assert_int_equal(try_open(cut), ANN_OK);
    free(bytes);
}

static void test_damaged_chunk(void **state) {
    (void)state;
    enum { N = 64, ROW = 64 };
    static uint8_t x[N * ROW];
    const char *path = fixture_path("damaged.h5");
    const hsize_t dims[] = {N, ROW};
    for (int i = 0; i < N * ROW; i++) x[i] = (uint8_t)(i * i >> 3);
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_GZIP, x, 2, dims);
    size_t size;
    uint8_t *bytes = fixture_bytes(path, &size);
    memset(bytes + size - 200, 0x5A, 200); /* the last chunk's compressed bytes */
    fixture_write(path, bytes, size);
    free(bytes);
    check_fails(try_open(path), ANN_ERR_FORMAT, "/train/x: samples 0..63 cannot be read: ");
}

/* ---- subsets and shards ---- */

enum { SUBSET_N = 103, SUBSET_CLASSES = 4 };

/* The real sample of each of the subset's, recognised by its pixels. */
static void subset_samples(int *real, const char *path, int64_t limit, bool balanced, uint64_t seed) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source,
                                         .source_count = 1,
                                         .split = "train",
                                         .limit = limit,
                                         .balanced = balanced,
                                         .subset_seed = seed};
    check_ok(ann_dataset_open(&dataset, &options));
    assert_int_equal(ann_dataset_samples(dataset), limit);
    for (int64_t i = 0; i < limit; i++) {
        uint8_t row[FIXTURE_ROW];
        int32_t label;
        check_ok(ann_dataset_read(dataset, 0, &i, 1, row));
        check_ok(ann_dataset_read(dataset, 1, &i, 1, &label));
        real[i] = -1;
        for (int s = 0; s < SUBSET_N; s++) {
            if (row[0] == fixture_pixel(s, 0) && row[5] == fixture_pixel(s, 5)) real[i] = s;
        }
        assert_int_not_equal(real[i], -1);
        assert_int_equal(label, real[i] % SUBSET_CLASSES);
    }
    ann_dataset_close(dataset);
}

static void check_subset(const int *real, int limit, bool balanced) {
    int used[SUBSET_N] = {0}, per_class[SUBSET_CLASSES] = {0};
    for (int i = 0; i < limit; i++) {
        assert_int_equal(used[real[i]]++, 0);
        per_class[real[i] % SUBSET_CLASSES]++;
    }
    for (int c = 0; balanced && c < SUBSET_CLASSES; c++) {
        assert_int_equal(per_class[c], limit / SUBSET_CLASSES + (c < limit % SUBSET_CLASSES));
    }
}

static void test_subsets(void **state) {
    (void)state;
    const char *path = fixture_path("subset.h5");
    fixture_images(path, "train", SUBSET_N, SUBSET_CLASSES);
    for (int balanced = 0; balanced < 2; balanced++) {
        int small[SUBSET_N], again[SUBSET_N], large[SUBSET_N], other[SUBSET_N];
        subset_samples(small, path, 30, balanced, 5);
        subset_samples(again, path, 30, balanced, 5);
        subset_samples(large, path, 61, balanced, 5);
        subset_samples(other, path, 30, balanced, 6);
        check_subset(small, 30, balanced);
        check_subset(large, 61, balanced);
        check_subset(other, 30, balanced);
        assert_memory_equal(small, again, 30 * sizeof(int));
        assert_memory_not_equal(small, other, 30 * sizeof(int));
        for (int i = 0; i < 30; i++) {
            bool kept = false;
            for (int k = 0; k < 61; k++) kept = kept || large[k] == small[i];
            assert_true(kept);
        }
    }
    int all[SUBSET_N];
    subset_samples(all, path, SUBSET_N, false, 5);
    check_subset(all, SUBSET_N, false);
}

static ann_status open_limited(const char *path, const char *split, int64_t limit, bool balanced) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {
        .sources = &source, .source_count = 1, .split = split, .limit = limit, .balanced = balanced};
    const ann_status status = ann_dataset_open(&dataset, &options);
    ann_dataset_close(dataset);
    return status;
}

static void test_bad_limits(void **state) {
    (void)state;
    const char *path = fixture_path("limits.h5");
    fixture_images(path, "train", 10, 4); /* classes of 3, 3, 2 and 2 */
    fixture_images(path, "test", 10, 0);
    check_fails(open_limited(path, "train", 11, false), ANN_ERR_ARG, "/train: limit 11, accepted: 1 to 10");
    check_fails(open_limited(path, "train", -1, false), ANN_ERR_ARG, "/train: limit -1, accepted: 1 to 10");
    check_fails(open_limited(path, "test", 4, true), ANN_ERR_ARG, "/test: a balanced limit needs labels");
    check_fails(open_limited(path, "train", 9 + 2, true), ANN_ERR_ARG, "limit 11");
    assert_int_equal(open_limited(path, "train", 10, true), ANN_OK);
    const char *lopsided = fixture_path("lopsided.h5");
    const hsize_t four[] = {4};
    put_labelled(lopsided, H5T_STD_I64LE, 1, four, (const int64_t[]){0, 0, 0, 1});
    check_fails(open_limited(lopsided, "train", 4, true), ANN_ERR_ARG,
                "/train: class 1 has 1 samples too few for a balanced limit of 4");
}

static void test_empty_shard(void **state) {
    (void)state;
    const char *path = fixture_path("shards.h5");
    fixture_images(path, "train", 3, 0);
    ann_dataset *dataset = must_open(path, "train");
    for (int size = 1; size <= 3; size++) check_ok(ann_data_check_shards(dataset, size));
    check_fails(ann_data_check_shards(dataset, 4), ANN_ERR_ARG,
                "/train: 3 samples cannot be shared among 4 ranks");
    ann_dataset_close(dataset);
}

/* A file made by hand whose test split is not like its training split. */
static void check_mismatch(int rank, const hsize_t *dims, hid_t type, const int32_t *labels,
                           const char *words) {
    const char *path = fixture_path("mismatch.h5");
    static const double zeros[64];
    unlink(path);
    fixture_images(path, "train", 6, 3);
    fixture_put(path, "/test/x", type, H5T_NATIVE_DOUBLE, FIXTURE_CONTIGUOUS, zeros, rank, dims);
    if (labels != NULL)
        fixture_put(path, "/test/y", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS, labels, 1, dims);
    ann_dataset *train = must_open(path, "train"), *test = must_open(path, "test");
    const ann_status status = ann_data_check_match(train, test);
    if (words == NULL) check_ok(status);
    else assert_true(status == ANN_ERR_FORMAT && strstr(ann_error_text(), words) != NULL);
    ann_dataset_close(train);
    ann_dataset_close(test);
}

static void test_splits_match(void **state) {
    (void)state;
    const hsize_t like[] = {4, 2, 3, 1}, wider[] = {4, 2, 4, 1}, flat[] = {4, 6};
    const int32_t fewer[] = {0, 1, 1, 0}, more[] = {0, 1, 3, 0};
    check_mismatch(4, like, H5T_STD_U8LE, fewer, NULL);
    check_mismatch(4, like, H5T_STD_U8LE, more, "/test/y has labels to 3, those of ");
    check_mismatch(4, like, H5T_STD_U8LE, NULL, "/test has no y, and ");
    check_mismatch(4, like, H5T_IEEE_F32LE, fewer, "/test/x is f32 [2,3,1] a sample, that of ");
    check_mismatch(4, wider, H5T_STD_U8LE, fewer, "/test/x is u8 [2,4,1] a sample, that of ");
    check_mismatch(2, flat, H5T_STD_U8LE, fewer, "/test/x is u8 [6] a sample, that of ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_images),
        cmocka_unit_test(test_unlabelled),
        cmocka_unit_test(test_storages_agree),
        cmocka_unit_test(test_unwritten_data),
        cmocka_unit_test(test_replaced_while_open),
        cmocka_unit_test(test_printing_is_restored),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_bad_structure),
        cmocka_unit_test(test_bad_x),
        cmocka_unit_test(test_vast),
        cmocka_unit_test(test_bad_y),
        cmocka_unit_test(test_bad_attributes),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged_chunk),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_bad_limits),
        cmocka_unit_test(test_empty_shard),
        cmocka_unit_test(test_splits_match),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
