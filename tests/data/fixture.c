#include "data/fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "support/scratch.h"

static char folder[SCRATCH_PATH_BYTES];

int fixture_setup(void **state) {
    (void)state;
    scratch_make(folder);
    return 0;
}

int fixture_teardown(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

const char *fixture_path(const char *name) {
    static char paths[8][SCRATCH_PATH_BYTES + 256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

int fixture_count(const char *part) {
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strstr(entry->d_name, part) != NULL;
    }
    closedir(dir);
    return count;
}

void fixture_write(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size > 0) assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint8_t *fixture_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* ---- HDF5 ---- */

static hid_t open_or_create(const char *path) {
    const bool exists = access(path, F_OK) == 0;
    const hid_t file = exists ? H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)
                              : H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static hid_t creation(fixture_storage storage, int rank, const hsize_t *dims) {
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[H5S_MAX_RANK];
    for (int i = 0; i < rank; i++) chunk[i] = dims[i] > 128 ? 64 : dims[i] > 2 ? dims[i] / 2 : 1;
    switch (storage) {
    case FIXTURE_CONTIGUOUS: break;
    case FIXTURE_COMPACT: H5Pset_layout(plist, H5D_COMPACT); break;
    case FIXTURE_GZIP:
        H5Pset_chunk(plist, rank, chunk);
        H5Pset_shuffle(plist);
        H5Pset_deflate(plist, 6);
        break;
    case FIXTURE_FLETCHER32:
        H5Pset_chunk(plist, rank, chunk);
        H5Pset_fletcher32(plist);
        break;
    default: H5Pset_chunk(plist, rank, chunk); break;
    }
    return plist;
}

void fixture_put(const char *path, const char *object, hid_t stored, hid_t memory, fixture_storage storage,
                 const void *data, int rank, const hsize_t *dims) {
    const hid_t file = open_or_create(path);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t plist = creation(storage, rank, dims);
    const hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
    const hid_t dataset = H5Dcreate2(file, object, stored, space, links, plist, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (data != NULL) assert_true(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(plist);
    H5Pclose(links);
    assert_true(H5Fclose(file) >= 0);
}

void fixture_group(const char *path, const char *object) {
    const hid_t file = open_or_create(path);
    const hid_t group = H5Gcreate2(file, object, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(group >= 0);
    H5Gclose(group);
    assert_true(H5Fclose(file) >= 0);
}

static void put_attribute(const char *path, const char *object, const char *name, hid_t type, hid_t space,
                          const void *value) {
    const hid_t file = open_or_create(path);
    const hid_t at = H5Oopen(file, object, H5P_DEFAULT);
    assert_true(at >= 0);
    if (H5Aexists(at, name) > 0) H5Adelete(at, name);
    const hid_t attribute = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Oclose(at);
    H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

void fixture_attr_double(const char *path, const char *object, const char *name, double value) {
    put_attribute(path, object, name, H5T_NATIVE_DOUBLE, H5Screate(H5S_SCALAR), &value);
}

void fixture_attr_doubles(const char *path, const char *object, const char *name, const double *values,
                          int count) {
    const hsize_t dim = (hsize_t)count;
    put_attribute(path, object, name, H5T_NATIVE_DOUBLE, H5Screate_simple(1, &dim, NULL), values);
}

void fixture_attr_u64(const char *path, const char *object, const char *name, uint64_t value) {
    put_attribute(path, object, name, H5T_NATIVE_UINT64, H5Screate(H5S_SCALAR), &value);
}

void fixture_attr_strings(const char *path, const char *object, const char *name, const char *const *values,
                          int count) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hsize_t dim = (hsize_t)count;
    put_attribute(path, object, name, type, H5Screate_simple(1, &dim, NULL), values);
    H5Tclose(type);
}

uint8_t fixture_pixel(int64_t sample, int i) { return (uint8_t)(sample * 7 + i * 31 + (sample >> 8)); }

void fixture_images(const char *path, const char *split, int samples, int classes) {
    uint8_t *x = malloc((size_t)samples * FIXTURE_ROW), *y = malloc((size_t)samples);
    char object[64];
    assert_true(x != NULL && y != NULL);
    for (int s = 0; s < samples; s++) {
        for (int i = 0; i < FIXTURE_ROW; i++) x[s * FIXTURE_ROW + i] = fixture_pixel(s, i);
        y[s] = (uint8_t)(classes > 0 ? s % classes : 0);
    }
    const hsize_t dims[] = {(hsize_t)samples, 2, 3, 1};
    snprintf(object, sizeof object, "/%s/x", split);
    fixture_put(path, object, H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, x, 4, dims);
    snprintf(object, sizeof object, "/%s/y", split);
    if (classes > 0)
        fixture_put(path, object, H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, y, 1, dims);
    free(x);
    free(y);
}

/* ---- failures ---- */

static int kept_stderr = -1;
static FILE *captured;

void fixture_capture_begin(void) {
    fflush(stderr);
    captured = tmpfile();
    kept_stderr = dup(STDERR_FILENO);
    if (captured != NULL && kept_stderr >= 0) dup2(fileno(captured), STDERR_FILENO);
}

long fixture_capture_end(void) {
    fflush(stderr);
    const long bytes = captured == NULL ? -1 : (long)lseek(STDERR_FILENO, 0, SEEK_END);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    if (captured != NULL) fclose(captured);
    return bytes;
}

void fixture_check_failure(const char *expr, ann_status got, ann_status want, const char *words,
                           long printed_bytes, const char *file, int line) {
    const char *text = ann_error_text();
    const char *why = got != want                                       ? "status"
                      : strstr(text, words) == NULL                     ? "text"
                      : strpbrk(text, "\r\n") != NULL                   ? "more than one line"
                      : H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) != 0 ? "something left open in HDF5"
                      : printed_bytes != 0                              ? "something on stderr"
                                                                        : NULL;
    if (why == NULL) return;
    print_error("%s:%d: %s: %s: %s \"%s\", wanted %s \"...%s...\", %ld bytes on stderr\n", file, line, expr,
                why, ann_status_name(got), got == ANN_OK ? "" : text, ann_status_name(want), words,
                printed_bytes);
    _fail(file, line);
}
