#include "datasets/storage.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(anni_storage *s, const char *fmt, ...) ANN_PRINTF(2, 3);
static void add(anni_storage *s, const char *fmt, ...) {
    const size_t used = strlen(s->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->text + used, sizeof s->text - used, fmt, args);
    va_end(args);
}

static void find_type(anni_storage *s, hid_t dataset) {
    const hid_t type = H5Dget_type(dataset);
    const H5T_class_t class = H5Tget_class(type);
    const size_t bits = 8 * H5Tget_size(type);
    s->is_float = class == H5T_FLOAT;
    s->is_number = (class == H5T_INTEGER || s->is_float) && bits <= 64;
    s->bytes = (int64_t)(bits / 8);
    if (s->is_number) {
        const char *kind = s->is_float ? "f" : H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "i";
        const bool big = bits > 8 && H5Tget_order(type) == H5T_ORDER_BE;
        snprintf(s->type, sizeof s->type, "%s%zu%s", kind, bits, big ? " big-endian" : "");
    } else {
        snprintf(s->type, sizeof s->type, "%s", class == H5T_STRING ? "strings" : "other values");
    }
    if (type >= 0) H5Tclose(type);
}

static void find_shape(anni_storage *s, hid_t dataset) {
    hsize_t dims[H5S_MAX_RANK] = {0};
    const hid_t space = H5Dget_space(dataset);
    const int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (rank > 0 && rank <= ANN_MAX_RANK && H5Sget_simple_extent_dims(space, dims, NULL) == rank) {
        s->shape.rank = rank;
        for (int i = 0; i < rank; i++) {
            s->shape.dim[i] = (int64_t)dims[i];
            if (__builtin_mul_overflow(s->bytes, (int64_t)dims[i], &s->bytes)) s->is_number = false;
        }
    } else {
        s->is_number = false;
    }
    if (space >= 0) H5Sclose(space);
}

static void name_chunks(anni_storage *s, hid_t plist) {
    hsize_t dims[H5S_MAX_RANK];
    ann_shape chunk = {.rank = H5Pget_chunk(plist, H5S_MAX_RANK, dims)};
    char shape[128];
    if (chunk.rank > ANN_MAX_RANK) chunk.rank = ANN_MAX_RANK;
    for (int i = 0; i < chunk.rank; i++) chunk.dim[i] = (int64_t)dims[i];
    add(s, "chunked %s", ann_shape_str(shape, sizeof shape, &chunk));
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        char filter[64] = "";
        unsigned flags, config;
        size_t values = 0;
        H5Pget_filter2(plist, (unsigned)i, &flags, &values, NULL, sizeof filter, filter, &config);
        add(s, " %s", filter[0] != '\0' ? filter : "filtered");
    }
}

static void name_storage(anni_storage *s, hid_t dataset, hid_t plist) {
    const H5D_layout_t layout = H5Pget_layout(plist);
    const haddr_t offset = H5Dget_offset(dataset);
    size_t files = 0;
    if (layout == H5D_CHUNKED) name_chunks(s, plist);
    else if (layout == H5D_VIRTUAL && H5Pget_virtual_count(plist, &files) >= 0)
        add(s, "virtual, %zu shard%s", files, files == 1 ? "" : "s");
    else if (layout == H5D_CONTIGUOUS && offset != HADDR_UNDEF)
        add(s, "contiguous at %" PRIu64, (uint64_t)offset);
    else
        add(s, "%s",
            layout == H5D_CONTIGUOUS ? "contiguous"
            : layout == H5D_COMPACT  ? "compact"
                                     : "unknown storage");
    add(s, ", %" PRId64 " bytes", s->bytes);
    if (layout == H5D_CHUNKED) add(s, " (%" PRIu64 " stored)", (uint64_t)H5Dget_storage_size(dataset));
}

void anni_storage_of(anni_storage *out, hid_t dataset) {
    *out = (anni_storage){.is_number = false};
    find_type(out, dataset);
    find_shape(out, dataset);
    const hid_t plist = H5Dget_create_plist(dataset);
    if (plist >= 0) name_storage(out, dataset, plist);
    if (plist >= 0) H5Pclose(plist);
    H5Eclear2(H5E_DEFAULT);
}

static bool stands_in(char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static ann_status read_files(char ***out, int *count, hid_t plist, const char *where, ann_arena *arena) {
    size_t files = 0;
    *count = 0;
    if (H5Pget_layout(plist) != H5D_VIRTUAL) return ANN_OK;
    if (H5Pget_virtual_count(plist, &files) < 0 || files > 1 << 20)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: its files cannot be read", where);
    *out = ann_arena_alloc(arena, (files + 1) * sizeof **out);
    if (*out == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", where);
    for (size_t i = 0; i < files; i++) {
        const ssize_t length = H5Pget_virtual_filename(plist, i, NULL, 0);
        char *name = length < 0 ? NULL : ann_arena_alloc(arena, (size_t)length + 1);
        if (name == NULL || H5Pget_virtual_filename(plist, i, name, (size_t)length + 1) < 0)
            return anni_h5_error(ANN_ERR_FORMAT, "%s: its files cannot be read", where);
        anni_h5_plain_name(name);
        if (!stands_in(*out, *count, name)) (*out)[(*count)++] = name;
    }
    return ANN_OK;
}

ann_status anni_storage_files(char ***out, int *count, hid_t dataset, const char *where, ann_arena *arena) {
    const hid_t plist = H5Dget_create_plist(dataset);
    if (plist < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", where);
    const ann_status status = read_files(out, count, plist, where, arena);
    H5Pclose(plist);
    return status;
}
