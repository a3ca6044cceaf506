/* The walk through an HDF5 file before it is opened: good files pass, files that hold less than they say do
 * not. */
#include "data/fixture.h"

#include <stdlib.h>
#include <string.h>
#include "base/h5probe.h"
#include "data/h5.h"

static ann_status probe(const char *path) {
    anni_h5_printing before;
    anni_h5_begin(&before);
    const ann_status status = anni_h5_probe(path);
    anni_h5_end(&before);
    return status;
}

static void test_good_files(void **state) {
    (void)state;
    const uint8_t values[24] = {0};
    const hsize_t dims[] = {6, 4};
    const char *const names[] = {"one", "two"};
    const char *path = fixture_path("good.h5");
    fixture_put(path, "/contiguous", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, values, 2, dims);
    fixture_put(path, "/compact", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_COMPACT, values, 2, dims);
    fixture_put(path, "/chunked", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CHUNKED, values, 2, dims);
    fixture_put(path, "/gzip", H5T_STD_I64BE, H5T_NATIVE_UINT8, FIXTURE_GZIP, values, 2, dims);
    fixture_attr_strings(path, "/", "classes", names, 2);
    fixture_attr_double(path, "/gzip", "mean", 0.5);
    check_ok(probe(path));
    check_ok(probe(path)); /* remembered */
    check_ok(probe(fixture_path("missing.h5")));
    fixture_write(fixture_path("text.h5"), "no HDF5", 7);
    check_ok(probe(fixture_path("text.h5"))); /* the reader will say it */
}

/* Puts `to` for the only occurrence of `from` in the file. */
static void patch(const char *path, const void *from, const void *to, size_t n) {
    size_t bytes;
    uint8_t *file = fixture_bytes(path, &bytes);
    uint8_t *at = memmem(file, bytes, from, n);
    assert_non_null(at);
    assert_null(memmem(at + 1, bytes - (size_t)(at + 1 - file), from, n));
    memcpy(at, to, n);
    fixture_write(path, file, bytes);
    free(file);
}

/* The shape of a compact dataset says more rows than are there: HDF5 1.10 reads on behind its data. */
static void test_compact_too_short(void **state) {
    (void)state;
    const uint8_t values[3 * 5] = {0};
    const hsize_t dims[] = {3, 5};
    const uint64_t before[] = {3, 5, 3, 5}, after[] = {200, 5, 200, 5}; /* extents, largest extents */
    const char *path = fixture_path("compact.h5");
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_COMPACT, values, 2, dims);
    patch(path, before, after, sizeof before);
    check_fails(probe(path), ANN_ERR_FORMAT, "train/x: is truncated");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good_files),
                                       cmocka_unit_test(test_compact_too_short)};
    return cmocka_run_group_tests_name("data/probe", tests, fixture_setup, fixture_teardown);
}
