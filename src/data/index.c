#include "data/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/h5.h"

/* Rows [first, first + count) of the index are rows from stored_first on of a dataset of a file. */
typedef struct piece {
    int64_t first, count, stored_first;
    const char *file, *object;
} piece;

static ann_status no_memory(const char *where) {
    return ann_error(ANN_ERR_MEMORY, "%s: out of memory", where);
}

/* ---- what the index says ---- */

/* The rows of a selection of whole rows of `extents`; false if it is anything else. */
static bool whole_rows(int64_t *first, int64_t *count, hid_t space, const ann_shape *extents) {
    hsize_t start[H5S_MAX_RANK], end[H5S_MAX_RANK];
    if (space < 0 || H5Sget_simple_extent_ndims(space) != extents->rank) return false;
    if (H5Sget_select_bounds(space, start, end) < 0 || end[0] >= INT64_MAX) return false;
    int64_t elems = (int64_t)(end[0] - start[0]) + 1;
    for (int i = 1; i < extents->rank; i++) {
        if (start[i] != 0 || end[i] + 1 != (hsize_t)extents->dim[i]) return false;
        elems *= extents->dim[i];
    }
    *first = (int64_t)start[0];
    *count = (int64_t)(end[0] - start[0]) + 1;
    return H5Sget_select_npoints(space) == elems;
}

typedef ssize_t (*name_getter)(hid_t plist, size_t index, char *name, size_t size);

static const char *get_name(name_getter get, hid_t plist, size_t i, ann_arena *arena) {
    const ssize_t length = get(plist, i, NULL, 0);
    char *name = length < 0 ? NULL : ann_arena_alloc(arena, (size_t)length + 1);
    if (name == NULL || get(plist, i, name, (size_t)length + 1) < 0) return NULL;
    anni_h5_plain_name(name);
    return name;
}

static ann_status get_piece(piece *out, const anni_column *c, hid_t plist, size_t i, const ann_shape *extents,
                            ann_arena *arena) {
    const hid_t here = H5Pget_virtual_vspace(plist, i), there = H5Pget_virtual_srcspace(plist, i);
    int64_t stored_count = 0;
    bool good = whole_rows(&out->first, &out->count, here, extents);
    /* "All" of a file has no extents of its own: the file's are looked at when it is opened. */
    if (there >= 0 && H5Sget_select_type(there) == H5S_SEL_ALL) out->stored_first = 0;
    else
        good = good && whole_rows(&out->stored_first, &stored_count, there, extents) &&
               stored_count == out->count;
    if (here >= 0) H5Sclose(here);
    if (there >= 0) H5Sclose(there);
    H5Eclear2(H5E_DEFAULT);
    if (!good)
        return ann_error(ANN_ERR_UNSUPPORTED,
                         "%s: is a virtual dataset of other than whole samples, one file after the other",
                         c->where);
    out->file = get_name(H5Pget_virtual_filename, plist, i, arena);
    out->object = get_name(H5Pget_virtual_dsetname, plist, i, arena);
    return out->file != NULL && out->object != NULL ? ANN_OK : no_memory(c->where);
}

static int by_first(const void *a, const void *b) {
    const int64_t x = ((const piece *)a)->first, y = ((const piece *)b)->first;
    return (x > y) - (x < y);
}

static ann_status check_pieces(const anni_column *c, const piece *pieces, size_t n) {
    int64_t next = 0;
    for (size_t i = 0; i <= n; i++) {
        const int64_t first = i < n ? pieces[i].first : c->samples;
        if (first != next)
            return ann_error(ANN_ERR_FORMAT, "%s: samples %" PRId64 "..%" PRId64 " belong to %s", c->where,
                             first < next ? first : next, (first < next ? next : first) - 1,
                             first < next ? "two files" : "no file");
        if (i < n) next = first + pieces[i].count;
    }
    return ANN_OK;
}

/* ---- the files ---- */

static const char *path_of(const piece *p, hid_t id, ann_arena *arena) {
    const hid_t file = H5Iget_file_id(id);
    const ssize_t length = file < 0 ? -1 : H5Fget_name(file, NULL, 0);
    char *index = length < 0 ? NULL : ann_arena_alloc(arena, (size_t)length + 1);
    if (index != NULL) H5Fget_name(file, index, (size_t)length + 1);
    if (file >= 0) H5Fclose(file);
    if (index == NULL || strcmp(p->file, ".") == 0) return index;
    const char *slash = strrchr(index, '/');
    if (p->file[0] == '/' || slash == NULL) return p->file;
    return ann_arena_printf(arena, "%.*s/%s", (int)(slash - index), index, p->file);
}

static ann_status check_stored(const anni_column *c, const anni_rows *rows, hid_t id) {
    anni_format format;
    const char *why = NULL;
    const hid_t type = H5Dget_type(id), plist = H5Dget_create_plist(id);
    const bool is_index = plist >= 0 && H5Pget_layout(plist) == H5D_VIRTUAL;
    if (type < 0 || !anni_format_of(&format, &why, type)) format.dtype = ANN_DTYPE_COUNT;
    const bool same_type = format.dtype == c->format.dtype || (c->is_label && format.dtype == ANN_U8);
    if (type >= 0) H5Tclose(type);
    if (plist >= 0) H5Pclose(plist);
    if (is_index) return ann_error(ANN_ERR_UNSUPPORTED, "%s: is itself an index", rows->where);
    bool same = same_type && rows->stored.rank == c->info.shape.rank + 1;
    for (int i = 1; i < rows->stored.rank && same; i++)
        same = rows->stored.dim[i] == c->info.shape.dim[i - 1];
    if (!same)
        return ann_error(ANN_ERR_FORMAT, "%s: is of another dtype or shape than %s", rows->where, c->where);
    if (rows->stored.dim[0] < rows->stored_first + rows->count)
        return ann_error(ANN_ERR_FORMAT, "%s: has %" PRId64 " samples, and %s needs %" PRId64, rows->where,
                         rows->stored.dim[0], c->where, rows->stored_first + rows->count);
    return ANN_OK;
}

static ann_status open_stored(anni_rows *rows, const anni_column *c, hid_t id) {
    const char *why = NULL;
    ANN_TRY(anni_index_extents(&rows->stored, &why, id, rows->where));
    if (why != NULL) return ann_error(ANN_ERR_FORMAT, "%s: is %s", rows->where, why);
    ANN_TRY(check_stored(c, rows, id));
    const hid_t type = H5Dget_type(id);
    const char *unused;
    anni_format stored = {.mappable = false};
    rows->format.mappable = type >= 0 && anni_format_of(&stored, &unused, type) && stored.mappable &&
                            stored.dtype == rows->format.dtype;
    rows->format.narrowed = !c->is_label && stored.narrowed;
    if (type >= 0) H5Tclose(type);
    return anni_rows_open(rows, id);
}

static ann_status open_object(anni_rows *rows, const anni_column *c, hid_t file, const piece *p) {
    const hid_t id = H5Dopen2(file, p->object, H5P_DEFAULT);
    if (id < 0) return anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be opened as a dataset", rows->where);
    const ann_status status = open_stored(rows, c, id);
    H5Dclose(id);
    return status;
}

static ann_status open_piece(anni_rows *rows, const anni_column *c, const piece *p, hid_t id,
                             ann_arena *arena) {
    const char *path = path_of(p, id, arena);
    const char *slash = p->object[0] == '/' ? "" : "/";
    const char *where = path == NULL ? NULL : ann_arena_printf(arena, "%s: %s%s", path, slash, p->object);
    if (where == NULL) return no_memory(c->where);
    *rows = (anni_rows){.format = c->format,
                        .row_bytes = c->row_bytes,
                        .first = p->first,
                        .count = p->count,
                        .stored_first = p->stored_first,
                        .where = where,
                        .id = H5I_INVALID_HID};
    hid_t file;
    ann_status status = anni_h5_open(&file, path);
    if (status == ANN_OK) {
        status = open_object(rows, c, file, p);
        H5Fclose(file);
    } else {
        char text[512];
        snprintf(text, sizeof text, "%s", ann_error_text());
        status = ann_error(status, "%s (of the index %s)", text, c->where);
    }
    return status;
}

/* ---- the whole ---- */

static ann_status get_pieces(piece **out, size_t *count, const anni_column *c, hid_t id,
                             const ann_shape *extents, ann_arena *arena) {
    const hid_t plist = H5Dget_create_plist(id);
    ann_status status = ANN_OK;
    if (plist < 0 || H5Pget_virtual_count(plist, count) < 0)
        status = anni_h5_error(ANN_ERR_FORMAT, "%s: cannot be read", c->where);
    if (status == ANN_OK && (*out = ann_arena_alloc(arena, (*count + 1) * sizeof **out)) == NULL)
        status = no_memory(c->where);
    for (size_t i = 0; status == ANN_OK && i < *count; i++)
        status = get_piece(&(*out)[i], c, plist, i, extents, arena);
    if (plist >= 0) H5Pclose(plist);
    return status;
}

ann_status anni_index_open(anni_column *c, hid_t id, const ann_shape *extents, ann_arena *arena) {
    piece *pieces;
    size_t count = 0;
    ANN_TRY(get_pieces(&pieces, &count, c, id, extents, arena));
    qsort(pieces, count, sizeof *pieces, by_first);
    ANN_TRY(check_pieces(c, pieces, count));
    c->rows = ann_arena_alloc(arena, count * sizeof *c->rows);
    if (c->rows == NULL) return no_memory(c->where);
    for (size_t i = 0; i < count; i++) {
        c->rows_count++;
        ANN_TRY(open_piece(&c->rows[i], c, &pieces[i], id, arena));
    }
    return ANN_OK;
}
