#include "datasets/vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include "data/h5.h"

/* A dataset of rank 1 with integers, whole. */
static ann_status read_numbers(void **out, int64_t *count, hid_t file, const char *name, hid_t type,
                               const char *path) {
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = dataset < 0 ? H5I_INVALID_HID : H5Dget_space(dataset);
    hsize_t size = 0;
    ann_status status = ANN_OK;
    if (space < 0 || H5Sget_simple_extent_ndims(space) != 1 ||
        H5Sget_simple_extent_dims(space, &size, NULL) < 0)
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: %s is no dataset of rank 1", path, name);
    if (status == ANN_OK &&
        (size > (1 << 28) || (*out = malloc(((size_t)size + 1) * H5Tget_size(type))) == NULL))
        status = ann_error(ANN_ERR_FORMAT, "%s: %s is too large (%" PRIu64 ")", path, name, (uint64_t)size);
    if (status == ANN_OK && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *out) < 0)
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: %s cannot be read", path, name);
    *count = (int64_t)size;
    if (space >= 0) H5Sclose(space);
    if (dataset >= 0) H5Dclose(dataset);
    return status;
}

static ann_status check_offsets(const anni_vocabulary *v, int64_t bytes, const char *path) {
    int64_t before = 0;
    for (int64_t i = 0; i <= v->count; i++) {
        const bool ends = i > 0 || v->offsets[0] == 0;
        if (!ends || v->offsets[i] < before || v->offsets[i] > bytes)
            return ann_error(ANN_ERR_FORMAT,
                             "%s: /vocabulary/offsets: element %" PRId64 " is %" PRId64
                             ", accepted: ascending from 0 to %" PRId64,
                             path, i, v->offsets[i], bytes);
        before = v->offsets[i];
    }
    return ANN_OK;
}

static ann_status read_vocabulary(anni_vocabulary *v, hid_t file, const char *path) {
    int64_t offsets = 0, bytes = 0;
    void *read = NULL;
    if (H5Lexists(file, "vocabulary", H5P_DEFAULT) <= 0) return ANN_OK;
    ann_status status = read_numbers(&read, &offsets, file, "/vocabulary/offsets", H5T_NATIVE_INT64, path);
    v->offsets = read;
    ANN_TRY(status);
    read = NULL;
    status = read_numbers(&read, &bytes, file, "/vocabulary/bytes", H5T_NATIVE_UINT8, path);
    v->bytes = read;
    ANN_TRY(status);
    if (offsets < 2) return ann_error(ANN_ERR_FORMAT, "%s: /vocabulary/offsets: no token", path);
    v->count = offsets - 1;
    return check_offsets(v, bytes, path);
}

ann_status anni_vocabulary_read(anni_vocabulary *out, const char *path) {
    *out = (anni_vocabulary){0};
    anni_h5_printing before;
    anni_h5_begin(&before);
    hid_t file;
    ann_status status = anni_h5_open(&file, path);
    if (status == ANN_OK) {
        status = read_vocabulary(out, file, path);
        H5Fclose(file);
    }
    anni_h5_end(&before);
    if (status != ANN_OK) anni_vocabulary_fini(out);
    return status;
}

void anni_vocabulary_fini(anni_vocabulary *vocabulary) {
    free(vocabulary->offsets);
    free(vocabulary->bytes);
    *vocabulary = (anni_vocabulary){0};
}

anni_bytes anni_vocabulary_token(const anni_vocabulary *vocabulary, int64_t token) {
    if (token < 0 || token >= vocabulary->count) return (anni_bytes){(const uint8_t *)"", 0};
    const int64_t first = vocabulary->offsets[token];
    return (anni_bytes){vocabulary->bytes + first, (size_t)(vocabulary->offsets[token + 1] - first)};
}
