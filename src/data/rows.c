#include "data/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/h5.h"

enum { BLOCK_BYTES = 1 << 18 }; /* smaller chunks are decoded together */

/* ---- formats ---- */

static bool integer_format(anni_format *out, hid_t type) {
    const size_t bytes = H5Tget_size(type);
    const bool is_u8 = bytes == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    out->dtype = is_u8 ? ANN_U8 : ANN_I32;
    out->memory = is_u8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_INT32;
    out->narrowed = bytes > 4 || (bytes == 4 && H5Tget_sign(type) == H5T_SGN_NONE);
    return bytes <= sizeof(int64_t);
}

bool anni_format_of(anni_format *out, const char **why, hid_t type) {
    *out = (anni_format){.memory = H5I_INVALID_HID};
    const size_t bytes = H5Tget_size(type);
    bool good = false;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        *why = "integers of more than 8 bytes";
        good = integer_format(out, type);
        break;
    case H5T_FLOAT:
        *why = "floats of more than 8 bytes";
        good = bytes <= sizeof(double);
        out->dtype = ANN_F32;
        out->memory = H5T_NATIVE_FLOAT;
        break;
    case H5T_ENUM: /* h5py's truth values */
        *why = "an enumeration of more than 1 byte";
        good = bytes == 1;
        out->dtype = ANN_U8;
        break;
    case H5T_STRING: *why = "strings"; break;
    default: *why = "neither integers nor floats"; break;
    }
    if (good) out->mappable = out->memory < 0 || H5Tequal(type, out->memory) > 0;
    return good;
}

/* ---- checks ---- */

/* A float is finite if its exponent is not all ones; rows in a file may be unaligned. */
static bool all_finite(const uint8_t *row, size_t elems) {
    uint32_t bad = 0;
    for (size_t i = 0; i < elems; i++) {
        uint32_t bits;
        memcpy(&bits, row + i * sizeof bits, sizeof bits);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return bad == 0;
}

static ann_status not_finite(const anni_rows *rows, int64_t row, const uint8_t *values, size_t elems) {
    for (size_t i = 0; i < elems; i++) {
        float value;
        memcpy(&value, values + i * sizeof value, sizeof value);
        if (isfinite(value)) continue;
        return ann_error(ANN_ERR_NUMERIC, "%s: sample %" PRId64 " holds %s at element %zu", rows->where,
                         rows->stored_first + row, isnan(value) ? "NaN" : "Inf", i);
    }
    return ANN_OK;
}

/* HDF5's conversion to i32 saturates. */
static ann_status check_narrowed(const anni_rows *rows, int64_t row, const int32_t *values, size_t elems) {
    for (size_t i = 0; i < elems; i++) {
        if (values[i] != INT32_MAX && values[i] != INT32_MIN) continue;
        return ann_error(ANN_ERR_CORRUPT,
                         "%s: sample %" PRId64 " holds an integer at element %zu that does not fit 32 bits",
                         rows->where, rows->stored_first + row, i);
    }
    return ANN_OK;
}

ann_status anni_rows_check(const anni_rows *rows, int64_t row, int64_t n, const void *values) {
    const size_t elems = rows->row_bytes / ann_dtype_bytes(rows->format.dtype);
    const bool is_float = rows->format.dtype == ANN_F32;
    for (int64_t i = 0; i < n && (is_float || rows->format.narrowed); i++) {
        const uint8_t *at = (const uint8_t *)values + (size_t)i * rows->row_bytes;
        if (!is_float) ANN_TRY(check_narrowed(rows, row + i, (const int32_t *)(const void *)at, elems));
        else if (!all_finite(at, elems)) return not_finite(rows, row + i, at, elems);
    }
    return ANN_OK;
}

/* ---- opening ---- */

static hsize_t chunk_rows(hid_t plist) {
    hsize_t chunk[H5S_MAX_RANK] = {1};
    if (H5Pget_layout(plist) == H5D_CHUNKED) H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
    return chunk[0];
}

/* Whole chunks along the samples, so that each is decoded once. */
static void choose_blocks(anni_rows *rows, hid_t plist) {
    const hsize_t extent = (hsize_t)rows->stored.dim[0], given = chunk_rows(plist);
    const int64_t chunk = (int64_t)(given < extent ? given : extent);
    const int64_t bytes = chunk * (int64_t)rows->row_bytes;
    rows->block_rows = bytes >= BLOCK_BYTES ? chunk : chunk * (BLOCK_BYTES / bytes);
}

static bool is_mappable(const anni_rows *rows, hid_t dataset, hid_t plist) {
    return rows->format.mappable && H5Pget_layout(plist) == H5D_CONTIGUOUS &&
           H5Pget_external_count(plist) == 0 && H5Dget_offset(dataset) != HADDR_UNDEF;
}

/* Maps the rows where they lie, through HDF5's own descriptor of the file that holds the dataset, so that it
   is the same file. */
static ann_status map_rows(anni_rows *rows, hid_t dataset, hid_t file) {
    void *handle = NULL;
    struct stat info;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0)
        return anni_h5_error(ANN_ERR_IO, "%s", rows->where);
    const int fd = *(const int *)handle;
    if (fstat(fd, &info) != 0) return ann_error(ANN_ERR_IO, "%s: %s", rows->where, strerror(errno));
    const uint64_t start = H5Dget_offset(dataset);
    const uint64_t all = (uint64_t)rows->stored.dim[0] * rows->row_bytes;
    if (start > (uint64_t)info.st_size || all > (uint64_t)info.st_size - start) {
        return ann_error(ANN_ERR_FORMAT,
                         "%s: truncated: bytes %" PRIu64 "..%" PRIu64 " of a file of %" PRId64, rows->where,
                         start, start + all, (int64_t)info.st_size);
    }
    const uint64_t offset = start + (uint64_t)rows->stored_first * rows->row_bytes;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), before = offset % page, bytes = anni_rows_bytes(rows);
    void *map = mmap(NULL, before + bytes, PROT_READ, MAP_SHARED, fd, (off_t)(offset - before));
    if (map == MAP_FAILED) return ann_error(ANN_ERR_IO, "%s: mmap: %s", rows->where, strerror(errno));
    rows->map = map;
    rows->map_bytes = before + bytes;
    rows->data = (const uint8_t *)map + before;
    /* Rows are read in random order: read ahead the whole of what fits in memory well, and nothing of what
     * does not. */
    const size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * page;
    madvise(map, rows->map_bytes, all <= memory / 4 ? MADV_WILLNEED : MADV_RANDOM);
    return ANN_OK;
}

ann_status anni_rows_open(anni_rows *rows, hid_t dataset) {
    rows->id = H5I_INVALID_HID;
    const hid_t plist = H5Dget_create_plist(dataset), file = H5Iget_file_id(dataset);
    ann_status status = ANN_OK;
    if (plist < 0 || file < 0) {
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", rows->where);
    } else if (is_mappable(rows, dataset, plist)) {
        status = map_rows(rows, dataset, file);
    } else {
        choose_blocks(rows, plist);
        H5Iinc_ref(dataset);
        rows->id = dataset;
    }
    if (plist >= 0) H5Pclose(plist);
    if (file >= 0) H5Fclose(file);
    return status;
}

static void close_id(anni_rows *rows) {
    if (rows->id < 0) return;
    anni_h5_printing before;
    anni_h5_begin(&before);
    H5Dclose(rows->id);
    anni_h5_end(&before);
    rows->id = H5I_INVALID_HID;
}

void anni_rows_close(anni_rows *rows) {
    close_id(rows);
    if (rows->map != NULL) munmap(rows->map, rows->map_bytes);
    ann_mem_free(rows->decoded, anni_rows_bytes(rows));
    rows->map = rows->decoded = NULL;
    rows->data = NULL;
}

/* ---- decoding ---- */

static ann_status read_slab(const anni_rows *rows, int64_t row, int64_t n, void *to) {
    hsize_t start[ANN_MAX_RANK] = {(hsize_t)(rows->stored_first + row)}, count[ANN_MAX_RANK];
    const int rank = rows->stored.rank;
    for (int i = 0; i < rank; i++) count[i] = (hsize_t)(i == 0 ? n : rows->stored.dim[i]);
    const bool as_stored = rows->format.memory < 0;
    const hid_t type = as_stored ? H5Dget_type(rows->id) : rows->format.memory;
    const hid_t space = H5Dget_space(rows->id), memory = H5Screate_simple(rank, count, NULL);
    const bool good = space >= 0 && memory >= 0 && type >= 0 &&
                      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                      H5Dread(rows->id, type, memory, space, H5P_DEFAULT, to) >= 0;
    const ann_status status =
        good ? ANN_OK
             : anni_h5_error(ANN_ERR_FORMAT, "%s: samples %" PRId64 "..%" PRId64 " cannot be read",
                             rows->where, rows->stored_first + row, rows->stored_first + row + n - 1);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (as_stored && type >= 0) H5Tclose(type);
    return status;
}

ann_status anni_rows_decode(const anni_rows *rows, int64_t row, int64_t n, void *to) {
    anni_h5_printing before;
    anni_h5_begin(&before);
    const ann_status status = read_slab(rows, row, n, to);
    anni_h5_end(&before);
    ANN_TRY(status);
    return anni_rows_check(rows, row, n, to);
}

ann_status anni_rows_decode_all(anni_rows *rows) {
    ANN_TRY(ann_mem_alloc(&rows->decoded, anni_rows_bytes(rows)));
    ANN_TRY(anni_rows_decode(rows, 0, rows->count, rows->decoded));
    rows->data = rows->decoded;
    rows->checked = true;
    close_id(rows);
    return ANN_OK;
}

void anni_rows_block_range(const anni_rows *rows, int64_t block, int64_t *row, int64_t *n) {
    const int64_t start = (rows->stored_first / rows->block_rows + block) * rows->block_rows;
    const int64_t first = start - rows->stored_first, end = first + rows->block_rows;
    *row = first < 0 ? 0 : first;
    *n = (end > rows->count ? rows->count : end) - *row;
}
