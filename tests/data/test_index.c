/* Indexes: a virtual dataset over several files is read from the files themselves; one that is missing or
   short is an error. */
#include "data/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/data.h"

enum { SHARDS = 3, ROW = 3 };
static const int shard_rows[SHARDS] = {5, 70, 2};
enum { ALL = 77 };

static ann_status open_index(ann_dataset **out, const char *path, int64_t cache_bytes) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {
        .sources = &source, .source_count = 1, .split = "train", .cache_bytes = cache_bytes};
    return ann_dataset_open(out, &options);
}

static ann_status try_open(const char *path) {
    ann_dataset *dataset;
    const ann_status status = open_index(&dataset, path, 0);
    ann_dataset_close(dataset);
    return status;
}

/* Shard k of the folder: floats that count on from shard to shard, and labels. */
static void put_shard(const char *folder, int k, fixture_storage storage, int rows) {
    char path[4096];
    float x[80 * ROW];
    uint8_t y[80];
    int first = 0;
    for (int i = 0; i < k; i++) first += shard_rows[i];
    for (int i = 0; i < rows * ROW; i++) x[i] = (float)(first * ROW + i);
    for (int i = 0; i < rows; i++) y[i] = (uint8_t)((first + i) % 4);
    const hsize_t dims[] = {(hsize_t)rows, ROW};
    snprintf(path, sizeof path, "%s/part-%d.h5", folder, k);
    unlink(path);
    fixture_put(path, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, storage, x, 2, dims);
    fixture_put(path, "/train/y", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, y, 1, dims);
}

typedef struct mapping {
    int first, count, stored_first, stored_rows, column; /* column: from which the columns are mapped */
    const char *file;
} mapping;

static void put_virtual(const char *path, const char *object, hid_t type, int rank, int rows,
                        const mapping *maps, int n) {
    const hid_t file = access(path, F_OK) == 0 ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                                               : H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hsize_t dims[] = {(hsize_t)rows, ROW};
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    for (int i = 0; i < n; i++) {
        const hsize_t stored[] = {(hsize_t)maps[i].stored_rows, ROW};
        const hsize_t to[] = {(hsize_t)maps[i].first, (hsize_t)maps[i].column};
        const hsize_t from[] = {(hsize_t)maps[i].stored_first, (hsize_t)maps[i].column};
        const hsize_t count[] = {(hsize_t)maps[i].count, (hsize_t)(ROW - maps[i].column)};
        const hid_t source = H5Screate_simple(rank, stored, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, to, NULL, count, NULL);
        if (maps[i].count != maps[i].stored_rows || maps[i].column != 0)
            H5Sselect_hyperslab(source, H5S_SELECT_SET, from, NULL, count, NULL);
        assert_true(H5Pset_virtual(list, space, maps[i].file, object, source) >= 0);
        H5Sclose(source);
    }
    H5Sselect_all(space);
    const hid_t dataset = H5Dcreate2(file, object, type, space, links, list, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(list);
    H5Pclose(links);
    assert_true(H5Fclose(file) >= 0);
}

static const mapping whole[SHARDS] = {
    {0, 5, 0, 5, 0, "part-0.h5"}, {5, 70, 0, 70, 0, "part-1.h5"}, {75, 2, 0, 2, 0, "./part-2.h5"}};

/* A folder with shards and an index; the name of the index. */
static const char *put_dataset(const char *name, fixture_storage storage) {
    static char path[4096];
    const char *folder = fixture_path(name);
    assert_int_equal(mkdir(folder, 0777), 0);
    for (int k = 0; k < SHARDS; k++) put_shard(folder, k, storage, shard_rows[k]);
    snprintf(path, sizeof path, "%s/index.h5", folder);
    put_virtual(path, "/train/x", H5T_IEEE_F32LE, 2, ALL, whole, SHARDS);
    put_virtual(path, "/train/y", H5T_STD_U8LE, 1, ALL, whole, SHARDS);
    return path;
}

static void check_all(const ann_dataset *dataset) {
    assert_int_equal(ann_dataset_samples(dataset), ALL);
    for (int64_t i = 0; i < ALL; i++) {
        const int64_t s = i * 31 % ALL;
        float row[ROW];
        check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
        for (int k = 0; k < ROW; k++) assert_int_equal((int)row[k], s * ROW + k);
        assert_int_equal(ann_dataset_label(dataset, s), s % 4);
    }
}

static void test_reads_shards(void **state) {
    (void)state;
    uint64_t checksums[FIXTURE_STORAGE_COUNT];
    for (int storage = 0; storage < FIXTURE_STORAGE_COUNT; storage++) {
        char name[32];
        snprintf(name, sizeof name, "shards-%d", storage);
        const char *path = put_dataset(name, (fixture_storage)storage);
        for (int64_t cache_bytes = 0; cache_bytes < 2; cache_bytes++) {
            ann_dataset *dataset;
            check_ok(open_index(&dataset, path, cache_bytes));
            check_all(dataset);
            ann_dataset_prefetch(dataset, 3, 73);
            check_ok(ann_dataset_compute_checksum(&checksums[storage], dataset));
            assert_true(checksums[storage] == checksums[0]);
            ann_dataset_close(dataset);
        }
    }
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* Rows out of the middle of files, in any order, and from the index's own file. */
static void test_parts_of_files(void **state) {
    (void)state;
    const char *path = put_dataset("parts", FIXTURE_CHUNKED);
    const mapping maps[] = {{20, 2, 0, 2, 0, "part-2.h5"}, {0, 20, 45, 70, 0, "part-1.h5"}};
    put_virtual(path, "/half/x", H5T_IEEE_F32LE, 2, 22, maps, 0);
    unlink(path);
    put_virtual(path, "/train/x", H5T_IEEE_F32LE, 2, 22, maps, 2);
    for (int64_t cache_bytes = 0; cache_bytes < 2; cache_bytes++) {
        ann_dataset *dataset;
        check_ok(open_index(&dataset, path, cache_bytes));
        for (int64_t s = 21; s >= 0; s--) {
            float row[ROW];
            check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
            assert_int_equal((int)row[1], ((s < 20 ? 50 : 55) + s) * ROW + 1);
        }
        ann_dataset_close(dataset);
    }
}

static void test_missing_shard(void **state) {
    (void)state;
    char path[4096], shard[4096];
    snprintf(path, sizeof path, "%s", put_dataset("missing", FIXTURE_CONTIGUOUS));
    snprintf(shard, sizeof shard, "%s/part-1.h5", fixture_path("missing"));
    assert_int_equal(try_open(path), ANN_OK);
    assert_int_equal(unlink(shard), 0);
    check_fails(try_open(path), ANN_ERR_NOT_FOUND, "/missing/part-1.h5: No such file");
    check_fails(try_open(path), ANN_ERR_NOT_FOUND, " (of the index ");
    put_shard(fixture_path("missing"), 1, FIXTURE_GZIP, 69);
    check_fails(try_open(path), ANN_ERR_FORMAT, "part-1.h5: /train/x: has 69 samples, and ");
    unlink(shard);
    const double zeros[70 * 4] = {0};
    const hsize_t wide[] = {70, 4}, right[] = {70, ROW};
    fixture_put(shard, "/train/x", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, FIXTURE_CONTIGUOUS, zeros, 2, wide);
    check_fails(try_open(path), ANN_ERR_FORMAT, "part-1.h5: /train/x: is of another dtype or shape than ");
    unlink(shard);
    fixture_put(shard, "/train/x", H5T_STD_U8LE, H5T_NATIVE_DOUBLE, FIXTURE_CONTIGUOUS, zeros, 2, right);
    check_fails(try_open(path), ANN_ERR_FORMAT, "part-1.h5: /train/x: is of another dtype or shape than ");
    unlink(shard);
    fixture_group(shard, "/train");
    check_fails(try_open(path), ANN_ERR_FORMAT, "part-1.h5: /train/x: cannot be opened as a dataset");
    fixture_write(shard, "text", 4);
    check_fails(try_open(path), ANN_ERR_FORMAT, "part-1.h5: is not an HDF5 file");
}

static void test_bad_index(void **state) {
    (void)state;
    const struct {
        mapping maps[2];
        ann_status status;
        const char *words;
    } cases[] = {
        {{{0, 5, 0, 5, 0, "part-0.h5"}, {7, 70, 0, 70, 0, "part-1.h5"}},
         ANN_ERR_FORMAT,
         "/train/x: samples 5..6 belong to no file"},
        {{{2, 5, 0, 5, 0, "part-0.h5"}, {7, 70, 0, 70, 0, "part-1.h5"}},
         ANN_ERR_FORMAT,
         "/train/x: samples 0..1 belong to no file"},
        {{{0, 5, 0, 5, 0, "part-0.h5"}, {5, 70, 0, 70, 0, "part-1.h5"}},
         ANN_ERR_FORMAT,
         "/train/x: samples 75..76 belong to no file"},
        {{{0, 5, 0, 5, 0, "part-0.h5"}, {5, 70, 0, 70, 1, "part-1.h5"}},
         ANN_ERR_UNSUPPORTED,
         "/train/x: is a virtual dataset of other than whole samples"},
    };
    const char *folder = fixture_path("bad");
    assert_int_equal(mkdir(folder, 0777), 0);
    for (int k = 0; k < SHARDS; k++) put_shard(folder, k, FIXTURE_CONTIGUOUS, shard_rows[k]);
    char path[4096];
    snprintf(path, sizeof path, "%s/index.h5", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unlink(path);
        put_virtual(path, "/train/x", H5T_IEEE_F32LE, 2, ALL, cases[i].maps, 2);
        check_fails(try_open(path), cases[i].status, cases[i].words);
    }
    char outer[4096];
    snprintf(outer, sizeof outer, "%s/outer.h5", folder);
    unlink(path);
    put_virtual(path, "/train/x", H5T_IEEE_F32LE, 2, ALL, whole, SHARDS);
    const mapping of_index = {0, ALL, 0, ALL, 0, "index.h5"};
    put_virtual(outer, "/train/x", H5T_IEEE_F32LE, 2, ALL, &of_index, 1);
    check_fails(try_open(outer), ANN_ERR_UNSUPPORTED, "/train/x: is itself an index");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_shards),
        cmocka_unit_test(test_parts_of_files),
        cmocka_unit_test(test_missing_shard),
        cmocka_unit_test(test_bad_index),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
