#include "data/split.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/h5.h"

/* An open HDF5 dataset of the split, and its name for errors: "PATH: /train/x". */
typedef struct field {
    hid_t id, type;
    ann_shape shape; /* with the samples first */
    char where[400];
} field;

size_t anni_split_row_bytes(const anni_split *split) {
    return (size_t)ann_shape_elems(&split->shape) * ann_dtype_bytes(split->dtype);
}

static void close_field(field *f) {
    if (f->type >= 0) H5Tclose(f->type);
    if (f->id >= 0) H5Dclose(f->id);
}

static ann_status read_shape(field *f) {
    const hid_t space = H5Dget_space(f->id);
    if (space < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s", f->where);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t dims[H5S_MAX_RANK] = {0};
    if (rank >= 0 && rank <= ANN_MAX_RANK) H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    if (rank < 1 || rank > ANN_MAX_RANK) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong rank %d, accepted: 1 to %d, samples first", f->where,
                         rank, ANN_MAX_RANK);
    }
    f->shape.rank = rank;
    int64_t bytes = (int64_t)H5Tget_size(f->type);
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0) return ann_error(ANN_ERR_FORMAT, "%s: is empty (extent %d is 0)", f->where, i);
        if (dims[i] > INT64_MAX || __builtin_mul_overflow(bytes, (int64_t)dims[i], &bytes)) {
            return ann_error(ANN_ERR_FORMAT, "%s: has too many elements", f->where);
        }
        f->shape.dim[i] = (int64_t)dims[i];
    }
    return ANN_OK;
}

/* Opens `name` in the group. f->id stays invalid if there is nothing of that name. */
static ann_status open_field(field *f, hid_t group, const char *name, const char *where) {
    *f = (field){.id = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    snprintf(f->where, sizeof f->where, "%s/%s", where, name);
    const htri_t exists = H5Lexists(group, name, H5P_DEFAULT);
    if (exists == 0) return ANN_OK;
    if (exists > 0) f->id = H5Dopen2(group, name, H5P_DEFAULT);
    if (f->id >= 0) f->type = H5Dget_type(f->id);
    if (f->type < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as a dataset", f->where);
    return read_shape(f);
}

/* ---- x ---- */

static ann_status check_x(anni_split *split, const field *x) {
    const H5T_class_t class = H5Tget_class(x->type);
    const size_t bytes = H5Tget_size(x->type);
    if (class == H5T_INTEGER && bytes == 1 && H5Tget_sign(x->type) == H5T_SGN_NONE) {
        split->dtype = ANN_U8;
    } else if (class == H5T_FLOAT && bytes == sizeof(float)) {
        split->dtype = ANN_F32;
    } else {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong dtype (%s of %zu bytes), accepted: u8, f32", x->where,
                         class == H5T_INTEGER ? "integer"
                         : class == H5T_FLOAT ? "float"
                                              : "neither integer nor float",
                         bytes);
    }
    if (x->shape.rank < 2) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong rank 1, accepted: 2 to %d, samples first", x->where,
                         ANN_MAX_RANK);
    }
    split->samples = x->shape.dim[0];
    split->shape = (ann_shape){.rank = x->shape.rank - 1};
    memcpy(split->shape.dim, x->shape.dim + 1, (size_t)split->shape.rank * sizeof(int64_t));
    return ANN_OK;
}

static bool is_contiguous(const field *x) {
    const hid_t plist = H5Dget_create_plist(x->id);
    if (plist < 0) return false;
    const bool contiguous = H5Pget_layout(plist) == H5D_CONTIGUOUS && H5Pget_external_count(plist) == 0;
    H5Pclose(plist);
    return contiguous && H5Dget_offset(x->id) != HADDR_UNDEF;
}

/* Maps x where it lies in the file, through HDF5's own descriptor, so that it is the same file. */
static ann_status map_x(anni_split *split, hid_t file, const field *x) {
    void *handle = NULL;
    struct stat info;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0) return anni_h5_error(ANN_ERR_IO, "%s", x->where);
    const int fd = *(const int *)handle;
    if (fstat(fd, &info) != 0) return ann_error(ANN_ERR_IO, "%s: %s", x->where, strerror(errno));
    const uint64_t offset = H5Dget_offset(x->id);
    const size_t bytes = (size_t)split->samples * anni_split_row_bytes(split);
    if (offset > (uint64_t)info.st_size || bytes > (uint64_t)info.st_size - offset) {
        return ann_error(ANN_ERR_FORMAT,
                         "%s: truncated: bytes %" PRIu64 "..%" PRIu64 " of a file of %" PRId64, x->where,
                         offset, offset + bytes, (int64_t)info.st_size);
    }
    const long page = sysconf(_SC_PAGESIZE);
    const size_t before = offset % (uint64_t)page;
    void *map = mmap(NULL, before + bytes, PROT_READ, MAP_SHARED, fd, (off_t)(offset - before));
    if (map == MAP_FAILED) return ann_error(ANN_ERR_IO, "%s: mmap: %s", x->where, strerror(errno));
    split->map = map;
    split->map_bytes = before + bytes;
    split->x = (const uint8_t *)map + before;
    /* Rows are read in random order: read ahead the whole of what fits in memory well, and nothing of what
     * does not. */
    const size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)page;
    madvise(map, split->map_bytes, bytes <= memory / 4 ? MADV_WILLNEED : MADV_RANDOM);
    return ANN_OK;
}

static ann_status decode_x(anni_split *split, const field *x) {
    const size_t bytes = (size_t)split->samples * anni_split_row_bytes(split);
    const size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    if (bytes > memory) {
        return ann_error(
            ANN_ERR_MEMORY,
            "%s: is chunked, compressed or not little-endian and decodes to %zu bytes, more than the "
            "memory of this machine (%zu); store it contiguously",
            x->where, bytes, memory);
    }
    ANN_TRY(ann_mem_alloc(&split->decoded, bytes));
    const hid_t type = split->dtype == ANN_U8 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    if (H5Dread(x->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, split->decoded) < 0) {
        return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", x->where);
    }
    split->x = split->decoded;
    return ANN_OK;
}

/* A float is finite if its exponent is not all ones; rows in a file may be unaligned. */
static bool row_is_finite(const uint8_t *row, size_t elems) {
    uint32_t bad = 0;
    for (size_t i = 0; i < elems; i++) {
        uint32_t bits;
        memcpy(&bits, row + i * sizeof bits, sizeof bits);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return bad == 0;
}

static ann_status check_finite(const anni_split *split, const field *x) {
    const size_t elems = (size_t)ann_shape_elems(&split->shape);
    for (int64_t s = 0; s < split->samples; s++) {
        const uint8_t *row = split->x + (size_t)s * elems * sizeof(float);
        if (row_is_finite(row, elems)) continue;
        for (size_t i = 0; i < elems; i++) {
            float value;
            memcpy(&value, row + i * sizeof value, sizeof value);
            if (isfinite(value)) continue;
            return ann_error(ANN_ERR_NUMERIC, "%s: sample %" PRId64 " holds %s at element %zu", x->where, s,
                             isnan(value) ? "NaN" : "Inf", i);
        }
    }
    return ANN_OK;
}

static ann_status read_x(anni_split *split, hid_t file, hid_t group, const char *where) {
    field x;
    ann_status status = open_field(&x, group, "x", where);
    if (status == ANN_OK && x.id < 0) status = ann_error(ANN_ERR_FORMAT, "%s: does not exist", x.where);
    if (status == ANN_OK) status = check_x(split, &x);
    if (status == ANN_OK) {
        const bool native = split->dtype == ANN_U8 || H5Tequal(x.type, H5T_NATIVE_FLOAT) > 0;
        status = native && is_contiguous(&x) ? map_x(split, file, &x) : decode_x(split, &x);
    }
    if (status == ANN_OK && split->dtype == ANN_F32) status = check_finite(split, &x);
    close_field(&x);
    return status;
}

/* ---- y ---- */

static ann_status check_y(const anni_split *split, const field *y) {
    if (y->shape.rank != 1) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong rank %d, accepted: 1", y->where, y->shape.rank);
    }
    if (H5Tget_class(y->type) != H5T_INTEGER || H5Tget_size(y->type) > sizeof(int64_t)) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong dtype, accepted: integers (class labels)", y->where);
    }
    if (y->shape.dim[0] != split->samples) {
        return ann_error(ANN_ERR_FORMAT, "%s: %" PRId64 " labels for %" PRId64 " samples of x", y->where,
                         y->shape.dim[0], split->samples);
    }
    return ANN_OK;
}

/* HDF5's conversion to i32 saturates, so that what is out of range stays out of range. */
#define LABEL_LIMIT (1 << 20)

static ann_status convert_y(anni_split *split, const field *y, int class_names) {
    void *labels = NULL;
    ANN_TRY(ann_mem_alloc(&labels, (size_t)split->samples * sizeof *split->y));
    split->y = labels;
    if (H5Dread(y->id, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) < 0) {
        return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", y->where);
    }
    const int32_t limit = class_names > 0 ? class_names : LABEL_LIMIT;
    int32_t largest = 0;
    for (int64_t s = 0; s < split->samples; s++) {
        const int32_t label = split->y[s];
        if (label < 0 || label >= limit) {
            return ann_error(ANN_ERR_CORRUPT,
                             "%s: sample %" PRId64 " has label %" PRId32 ", accepted: 0 to %" PRId32,
                             y->where, s, label, limit - 1);
        }
        if (label > largest) largest = label;
    }
    split->classes = class_names > 0 ? class_names : largest + 1;
    return ANN_OK;
}

static ann_status read_y(anni_split *split, hid_t group, const char *where, int class_names) {
    field y;
    ann_status status = open_field(&y, group, "y", where);
    if (y.id >= 0) {
        if (status == ANN_OK) status = check_y(split, &y);
        if (status == ANN_OK) status = convert_y(split, &y, class_names);
    }
    close_field(&y);
    return status;
}

/* ---- the file ---- */

static ann_status count_class_names(int *out, hid_t file, const char *path) {
    ann_arena *arena;
    char **names;
    ANN_TRY(ann_arena_new(&arena));
    const ann_status status = anni_h5_get_strings(&names, out, file, "classes", path, arena);
    ann_arena_free(arena);
    return status;
}

static ann_status read_group(anni_split *split, hid_t file, hid_t group, const char *path,
                             const char *where) {
    bool has_mean, has_std;
    int class_names;
    ANN_TRY(anni_h5_get_double(&split->mean, &has_mean, file, "mean", path));
    ANN_TRY(anni_h5_get_double(&split->std, &has_std, file, "std", path));
    split->has_moments = has_mean || has_std;
    if (!isfinite(split->mean) || !isfinite(split->std) || split->std <= 0) {
        return ann_error(ANN_ERR_FORMAT,
                         "%s: attributes \"mean\" %g and \"std\" %g: accepted: finite, std > 0", path,
                         split->mean, split->std);
    }
    ANN_TRY(anni_h5_get_u64(&split->checksum, &split->has_checksum, group, "checksum", where));
    ANN_TRY(count_class_names(&class_names, file, path));
    ANN_TRY(read_x(split, file, group, where));
    return read_y(split, group, where, class_names);
}

static ann_status read_file(anni_split *split, hid_t file, const char *path, const char *name) {
    char where[320];
    snprintf(where, sizeof where, "%s: /%s", path, name);
    const htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
    if (exists == 0) return ann_error(ANN_ERR_FORMAT, "%s: does not exist", where);
    const hid_t group = exists < 0 ? H5I_INVALID_HID : H5Gopen2(file, name, H5P_DEFAULT);
    if (group < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as a group", where);
    const ann_status status = read_group(split, file, group, path, where);
    H5Gclose(group);
    return status;
}

ann_status anni_split_init(anni_split *split, const char *path, const char *name) {
    *split = (anni_split){.std = 1.0};
    anni_h5_printing before;
    anni_h5_begin(&before);
    hid_t file;
    ann_status status = anni_h5_open(&file, path);
    if (status == ANN_OK) {
        status = read_file(split, file, path, name);
        H5Fclose(file);
    }
    anni_h5_end(&before);
    return status;
}

void anni_split_fini(anni_split *split) {
    if (split->map != NULL) munmap(split->map, split->map_bytes);
    ann_mem_free(split->decoded, (size_t)split->samples * anni_split_row_bytes(split));
    ann_mem_free(split->y, (size_t)split->samples * sizeof *split->y);
    *split = (anni_split){0};
}
