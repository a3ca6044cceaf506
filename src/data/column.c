#include "data/column.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/h5.h"
#include "data/index.h"

static ann_status no_memory(const char *where) {
    return ann_error(ANN_ERR_MEMORY, "%s: out of memory", where);
}

/* ---- extents ---- */

ann_status anni_index_extents(ann_shape *out, const char **why, hid_t id, const char *where) {
    const hid_t space = H5Dget_space(id);
    if (space < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s", where);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t dims[H5S_MAX_RANK] = {0};
    if (rank >= 0 && rank <= ANN_MAX_RANK) H5Sget_simple_extent_dims(space, dims, NULL);
    H5Sclose(space);
    *out = (ann_shape){.rank = rank};
    if (rank < 1) *why = "of rank 0, without samples";
    if (rank > ANN_MAX_RANK) *why = "of a rank above 8";
    int64_t bytes = (int64_t)sizeof(double);
    for (int i = 0; *why == NULL && i < rank; i++) {
        if (dims[i] == 0) *why = "empty";
        else if (dims[i] > INT64_MAX || __builtin_mul_overflow(bytes, (int64_t)dims[i], &bytes))
            *why = "of too many elements";
        out->dim[i] = (int64_t)dims[i];
    }
    return ANN_OK;
}

/* ---- rows ---- */

/* The whole of an HDF5 dataset. */
static ann_status open_whole(anni_column *c, hid_t id, const ann_shape *stored, ann_arena *arena) {
    c->rows = ann_arena_alloc(arena, sizeof *c->rows);
    if (c->rows == NULL) return no_memory(c->where);
    c->rows_count = 1;
    *c->rows = (anni_rows){.format = c->format,
                           .row_bytes = c->row_bytes,
                           .count = c->samples,
                           .where = c->where,
                           .stored = *stored};
    return anni_rows_open(c->rows, id);
}

static bool is_index(hid_t id) {
    const hid_t plist = H5Dget_create_plist(id);
    if (plist < 0) return false;
    const bool is = H5Pget_layout(plist) == H5D_VIRTUAL;
    H5Pclose(plist);
    return is;
}

static ann_status open_rows(anni_column *c, hid_t id, const ann_shape *stored, ann_arena *arena) {
    return is_index(id) ? anni_index_open(c, id, stored, arena) : open_whole(c, id, stored, arena);
}

/* ---- attributes ---- */

static ann_status get_moment(const double **out, int *count, const anni_column *c, hid_t object,
                             const char *name, double dflt, const char *where, ann_arena *arena) {
    const ann_shape *shape = &c->info.shape;
    const int last =
        shape->rank > 0 && shape->dim[shape->rank - 1] < 1 << 20 ? (int)shape->dim[shape->rank - 1] : 1;
    double *values;
    int n;
    ANN_TRY(anni_h5_get_doubles(&values, &n, object, name, where, arena));
    if (n != 0 && n != 1 && n != last)
        return ann_error(ANN_ERR_FORMAT, "%s: attribute \"%s\" has %d numbers, accepted: 1%s", where, name, n,
                         last > 1 ? ", or one for each last extent" : "");
    *count = n;
    double *all = ann_arena_alloc(arena, (size_t)last * sizeof *all);
    if (all == NULL) return no_memory(where);
    for (int i = 0; i < last; i++) all[i] = n == 0 ? dflt : values[n == 1 ? 0 : i];
    *out = all;
    return ANN_OK;
}

ann_status anni_column_moments(anni_column *c, hid_t object, const char *where, ann_arena *arena) {
    int means, stds;
    const double *mean, *std;
    ANN_TRY(get_moment(&mean, &means, c, object, "mean", 0, where, arena));
    ANN_TRY(get_moment(&std, &stds, c, object, "std", 1, where, arena));
    if (means == 0 && stds == 0) return ANN_OK;
    c->info.channels = means > stds ? means : stds;
    c->info.mean = mean;
    c->info.std = std;
    for (int i = 0; i < c->info.channels; i++) {
        if (isfinite(mean[i]) && isfinite(std[i]) && std[i] > 0) continue;
        return ann_error(ANN_ERR_FORMAT,
                         "%s: attributes \"mean\" %g and \"std\" %g: accepted: finite, std > 0", where,
                         mean[i], std[i]);
    }
    return ANN_OK;
}

/* ---- the whole ---- */

static ann_status describe(anni_column *c, ann_shape *stored, const char **why, hid_t id) {
    const hid_t type = H5Dget_type(id);
    if (type < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as a dataset", c->where);
    const bool accepted = anni_format_of(&c->format, why, type);
    const bool is_integer = H5Tget_class(type) == H5T_INTEGER;
    H5Tclose(type);
    if (!accepted) return ANN_OK;
    *why = NULL;
    ANN_TRY(anni_index_extents(stored, why, id, c->where));
    if (*why != NULL) return ANN_OK;
    c->samples = stored->dim[0];
    c->is_label = is_integer && stored->rank == 1 && strcmp(c->info.name, "y") == 0;
    if (c->is_label) { /* wide ones saturate, and are out of range then */
        if (c->format.dtype != ANN_I32) c->format.mappable = false;
        c->format.dtype = ANN_I32;
        c->format.memory = H5T_NATIVE_INT32;
        c->format.narrowed = false;
    }
    c->info.dtype = c->format.dtype;
    c->info.shape = (ann_shape){.rank = stored->rank - 1};
    memcpy(c->info.shape.dim, stored->dim + 1, (size_t)c->info.shape.rank * sizeof(int64_t));
    c->row_bytes = (size_t)ann_shape_elems(&c->info.shape) * ann_dtype_bytes(c->info.dtype);
    return ANN_OK;
}

ann_status anni_column_open(anni_column *c, const char **why, hid_t id, const char *name, const char *where,
                            ann_arena *arena) {
    *c = (anni_column){.info = {.name = ann_arena_strdup(arena, name)},
                       .where = ann_arena_strdup(arena, where)};
    *why = NULL;
    if (c->info.name == NULL || c->where == NULL) return no_memory(where);
    ann_shape stored = {0};
    ANN_TRY(describe(c, &stored, why, id));
    if (*why != NULL) return ANN_OK;
    ANN_TRY(anni_h5_get_u64(&c->checksum, &c->has_checksum, id, "checksum", where));
    return open_rows(c, id, &stored, arena);
}

ann_status anni_column_check_alike(const anni_column *have, const anni_column *want) {
    const ann_field_info *a = &have->info, *b = &want->info;
    char have_shape[128], want_shape[128];
    if (a->dtype == b->dtype && ann_shape_equal(&a->shape, &b->shape) && have->is_label == want->is_label)
        return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s is %s %s a sample, that of %s is %s %s", have->where,
                     ann_dtype_name(a->dtype), ann_shape_str(have_shape, sizeof have_shape, &a->shape),
                     want->where, ann_dtype_name(b->dtype),
                     ann_shape_str(want_shape, sizeof want_shape, &b->shape));
}

void anni_column_close(anni_column *column) {
    for (int i = 0; i < column->rows_count; i++) anni_rows_close(&column->rows[i]);
    column->rows_count = 0;
}
