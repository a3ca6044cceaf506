/* Datasets of numbers in any HDF5 file, under their paths. The library converts them itself. */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include "base/h5lock.h"
#include "base/h5probe.h"
#include "ckpt/foreign_formats.h"
#include "ckpt/image.h"

enum { RANK_MAX = 32, DATASETS_MAX = 1 << 20, NAME_BYTES = 4096 };
#define EXPANSION_MAX 1040 /* of deflate; other filters do not beat it on numbers */

typedef struct silence { /* the library prints its errors otherwise */
    H5E_auto2_t print;
    void *to;
} silence;

static void begin(silence *s) {
    ann_h5_lock();
    H5Eget_auto2(H5E_DEFAULT, &s->print, &s->to);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void end(const silence *s) {
    H5Eset_auto2(H5E_DEFAULT, s->print, s->to);
    ann_h5_unlock();
}

/* ---- types ---- */

static anni_number integer_number(hid_t type) {
    static const anni_number table[2][4] = {{ANNI_U8, ANNI_U16, ANNI_U32, ANNI_U64},
                                            {ANNI_I8, ANNI_I16, ANNI_I32, ANNI_I64}};
    const H5T_sign_t sign = H5Tget_sign(type);
    if (sign != H5T_SGN_NONE && sign != H5T_SGN_2) return ANNI_NUMBER_COUNT;
    switch (H5Tget_size(type)) {
    case 1: return table[sign == H5T_SGN_2][0];
    case 2: return table[sign == H5T_SGN_2][1];
    case 4: return table[sign == H5T_SGN_2][2];
    case 8: return table[sign == H5T_SGN_2][3];
    default: return ANNI_NUMBER_COUNT;
    }
}

static anni_number float_number(hid_t type) {
    switch (H5Tget_size(type)) {
    case 2: return H5Tget_ebias(type) == 127 ? ANNI_BF16 : ANNI_F16;
    case 4: return ANNI_F32;
    case 8: return ANNI_F64;
    default: return ANNI_NUMBER_COUNT;
    }
}

static anni_number number_of(hid_t type) {
    switch (H5Tget_class(type)) {
    case H5T_INTEGER: return integer_number(type);
    case H5T_FLOAT: return float_number(type);
    case H5T_ENUM: return H5Tget_size(type) == 1 ? ANNI_BOOL : ANNI_NUMBER_COUNT; /* h5py's booleans */
    default: return ANNI_NUMBER_COUNT;
    }
}

/* ---- listing ---- */

typedef struct walk {
    ann_foreign *f;
    ann_status status;
} walk;

/* Values that were never written would silently read as the fill value; and what is there bounds what memory
   is allocated. */
static const char *storage_problem(hid_t dataset, int64_t elems, anni_number number) {
    const hid_t creation = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = creation >= 0 ? H5Pget_layout(creation) : H5D_LAYOUT_ERROR;
    if (creation >= 0) H5Pclose(creation);
    if (layout == H5D_VIRTUAL) return "it is virtual, and a missing source would read as if it were there";
    const uint64_t stored = (uint64_t)H5Dget_storage_size(dataset);
    const uint64_t needed = (uint64_t)elems * anni_number_bytes(number);
    if (stored == 0) return "it was never written";
    return needed / EXPANSION_MAX > stored ? "most of it was never written" : NULL;
}

static ann_status describe(ann_foreign *f, anni_foreign_entry *entry, hid_t dataset, hid_t type,
                           hid_t space) {
    hsize_t dims[RANK_MAX];
    int64_t extents[RANK_MAX], elems;
    if (H5Sget_simple_extent_type(space) == H5S_NULL) {
        entry->info.problem = "it is empty";
        return ANN_OK;
    }
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > RANK_MAX || H5Sget_simple_extent_dims(space, dims, NULL) != rank) {
        entry->info.problem = "its shape cannot be read";
        return ANN_OK;
    }
    for (int d = 0; d < rank; d++) extents[d] = dims[d] > INT64_MAX ? -1 : (int64_t)dims[d];
    const anni_number number = number_of(type);
    ANN_TRY(anni_foreign_describe(&elems, f, entry, number, extents, rank));
    if (elems >= 0) entry->info.problem = storage_problem(dataset, elems, number);
    return ANN_OK;
}

/* Names that HDF5 cannot hold are "#N" in our files, and stand in an attribute of fixed length. */
static bool read_name(char name[NAME_BYTES], hid_t dataset, const char *path) {
    bool good = false;
    if (path[0] != '#' || H5Aexists(dataset, "name") <= 0) return false;
    const hid_t attr = H5Aopen(dataset, "name", H5P_DEFAULT), type = attr >= 0 ? H5Aget_type(attr) : -1;
    memset(name, 0, NAME_BYTES);
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
        H5Tget_size(type) < NAME_BYTES && H5Aget_storage_size(attr) == H5Tget_size(type))
        good = H5Aread(attr, type, name) >= 0 && name[0];
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
    return good;
}

static ann_status add_dataset(ann_foreign *f, hid_t root, const char *path) {
    anni_foreign_entry *entry;
    char name[NAME_BYTES];
    if (f->count >= DATASETS_MAX)
        return ann_error(ANN_ERR_FORMAT, "%s: more than a million datasets", f->path);
    const hid_t dataset = H5Dopen2(root, path, H5P_DEFAULT);
    const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : -1,
                space = dataset >= 0 ? H5Dget_space(dataset) : -1;
    ann_status status =
        anni_foreign_add(&entry, f, dataset >= 0 && read_name(name, dataset, path) ? name : path);
    if (status == ANN_OK && !(entry->path = ann_arena_strdup(f->arena, path)))
        status = ann_error(ANN_ERR_MEMORY, "%s: no memory to list its tensors", f->path);
    if (status == ANN_OK && type >= 0 && space >= 0) status = describe(f, entry, dataset, type, space);
    else if (status == ANN_OK) entry->info.problem = "it cannot be opened";
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (dataset >= 0) H5Dclose(dataset);
    return status;
}

static herr_t visit(hid_t root, const char *path, const H5O_info_t *info, void *udata) {
    walk *w = udata;
    if (info->type != H5O_TYPE_DATASET) return 0;
    w->status = add_dataset(w->f, root, path);
    return w->status == ANN_OK ? 0 : -1;
}

static ann_status list_open(ann_foreign *f) {
    walk w = {f, ANN_OK};
    ANN_TRY(anni_h5_probe(f->path));
    f->handle = (int64_t)H5Fopen(f->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (f->handle < 0)
        return ann_error(ANN_ERR_FORMAT, "%s: the HDF5 file is damaged, or locked by its writer", f->path);
    const herr_t walked = H5Ovisit((hid_t)f->handle, H5_INDEX_NAME, H5_ITER_INC, visit, &w);
    if (w.status != ANN_OK) return w.status;
    return walked < 0 ? ann_error(ANN_ERR_CORRUPT, "%s: the HDF5 file is damaged", f->path) : ANN_OK;
}

static ann_status list_tensors(ann_foreign *f) {
    silence s;
    begin(&s);
    ann_status status = anni_h5_probe(f->path);
    if (status == ANN_OK) status = list_open(f);
    end(&s);
    return status;
}

/* ---- reading ---- */

static ann_status read_tensor(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                              void *out) {
    silence s;
    begin(&s);
    const hid_t dataset = H5Dopen2((hid_t)f->handle, entry->path, H5P_DEFAULT);
    const bool good =
        dataset >= 0 && H5Dread(dataset, anni_image_type(to), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    if (dataset >= 0) H5Dclose(dataset);
    end(&s);
    return good ? ANN_OK
                : ann_error(ANN_ERR_CORRUPT, "%s: dataset %s cannot be read", f->path, entry->info.name);
}

static void close_file(ann_foreign *f) {
    silence s;
    begin(&s);
    if (f->handle >= 0) H5Fclose((hid_t)f->handle);
    end(&s);
}

const anni_format anni_format_h5 = {"h5", list_tensors, read_tensor, close_file};
