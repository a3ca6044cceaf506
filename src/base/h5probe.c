#include "base/h5probe.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <hdf5.h>
#include "base/trial.h"

enum { MAX_OBJECTS = 1000, MAX_ATTRIBUTES = 1000 };
#define MAX_READ_BYTES ((hsize_t)32 << 20)

typedef struct walk {
    const char *path;
    int objects, attributes;
    char wrong[512]; /* "" as long as nothing is */
} walk;

/* ---- attributes ---- */

static void read_attribute(hid_t attribute) {
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const hssize_t elems = H5Sget_simple_extent_npoints(space);
    const size_t width = H5Tget_size(type);
    if (type >= 0 && elems > 0 && width > 0 && (hsize_t)elems <= MAX_READ_BYTES / width) {
        void *values = calloc((size_t)elems, width);
        if (values && H5Aread(attribute, type, values) >= 0)
            (void)H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
        free(values);
    }
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *to) {
    (void)info;
    walk *w = to;
    if (++w->attributes > MAX_ATTRIBUTES) return 1;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute >= 0) {
        read_attribute(attribute);
        H5Aclose(attribute);
    }
    return 0;
}

/* ---- datasets ---- */

typedef struct dataset {
    hid_t id, type, space, list;
    int rank;
    hsize_t dims[H5S_MAX_RANK], row_bytes; /* row_bytes 0: too many to tell, or none */
} dataset;

static hsize_t row_bytes(const dataset *d) {
    hsize_t bytes = H5Tget_size(d->type);
    for (int i = 1; i < d->rank; i++)
        if (__builtin_mul_overflow(bytes, d->dims[i], &bytes)) return 0;
    return bytes;
}

static void read_row(const dataset *d, hsize_t row) {
    hsize_t start[H5S_MAX_RANK] = {row}, count[H5S_MAX_RANK];
    memcpy(count, d->dims, sizeof count);
    count[0] = 1;
    const hid_t memory = H5Screate_simple(d->rank, count, NULL);
    void *values = calloc(1, (size_t)d->row_bytes);
    if (memory >= 0 && values && H5Sselect_hyperslab(d->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
        (void)H5Dread(d->id, d->type, memory, d->space, H5P_DEFAULT, values);
    free(values);
    if (memory >= 0) H5Sclose(memory);
}

/* What is stored in one piece must be as much as the shape says: HDF5 reads on behind a compact dataset. */
static void check_size(const dataset *d, walk *w, const char *name) {
    const hsize_t stored = H5Dget_storage_size(d->id);
    hsize_t needed = 0;
    const bool fits = d->row_bytes > 0 && !__builtin_mul_overflow(d->row_bytes, d->dims[0], &needed);
    if (stored == 0 || d->rank == 0 || (d->row_bytes == 0 && d->dims[0] == 0)) return;
    if (!fits || needed > stored)
        (void)snprintf(w->wrong, sizeof w->wrong,
                       "%s: /%s: is truncated: its shape needs more than the %llu bytes there are", w->path,
                       name, (unsigned long long)stored);
}

static void describe_storage(const dataset *d) {
    hsize_t chunk[H5S_MAX_RANK];
    (void)H5Pget_chunk(d->list, H5S_MAX_RANK, chunk);
    for (int i = 0, n = H5Pget_nfilters(d->list); i < n && i < 32; i++) {
        unsigned flags, values[32];
        size_t count = 32;
        char name[64];
        (void)H5Pget_filter2(d->list, (unsigned)i, &flags, &count, values, sizeof name, name, NULL);
    }
    (void)H5Dget_offset(d->id);
    (void)H5Pget_external_count(d->list);
    size_t parts = 0;
    if (H5Pget_layout(d->list) == H5D_VIRTUAL) (void)H5Pget_virtual_count(d->list, &parts);
    for (size_t i = 0; i < parts && i < MAX_OBJECTS; i++) {
        char name[64];
        (void)H5Pget_virtual_filename(d->list, i, name, sizeof name);
        (void)H5Pget_virtual_dsetname(d->list, i, name, sizeof name);
        const hid_t to = H5Pget_virtual_vspace(d->list, i), from = H5Pget_virtual_srcspace(d->list, i);
        if (to >= 0) H5Sclose(to);
        if (from >= 0) H5Sclose(from);
    }
}

static void read_dataset(dataset *d, walk *w, const char *name) {
    d->rank = H5Sget_simple_extent_dims(d->space, d->dims, NULL);
    const H5D_layout_t layout = H5Pget_layout(d->list);
    const H5T_class_t class = H5Tget_class(d->type);
    describe_storage(d);
    if (d->rank < 0) return;
    d->row_bytes = row_bytes(d);
    if (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS) check_size(d, w, name);
    if (w->wrong[0] || d->rank < 1 || d->dims[0] == 0 || d->row_bytes == 0 || d->row_bytes > MAX_READ_BYTES)
        return;
    if (layout == H5D_VIRTUAL || (class != H5T_INTEGER && class != H5T_FLOAT)) return;
    read_row(d, 0);
    read_row(d, d->dims[0] / 2);
    read_row(d, d->dims[0] - 1);
}

static void visit_dataset(hid_t id, walk *w, const char *name) {
    dataset d = {
        .id = id, .type = H5Dget_type(id), .space = H5Dget_space(id), .list = H5Dget_create_plist(id)};
    if (d.type >= 0 && d.space >= 0 && d.list >= 0) read_dataset(&d, w, name);
    if (d.list >= 0) H5Pclose(d.list);
    if (d.space >= 0) H5Sclose(d.space);
    if (d.type >= 0) H5Tclose(d.type);
}

/* ---- the file ---- */

/* Looking a name up takes another way through the file than walking, whether there is such a link or not. */
static void look_up(hid_t group) {
    static const char *const names[] = {"train", "test", "x", "y", "vocabulary"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) (void)H5Lexists(group, names[i], H5P_DEFAULT);
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *to) {
    walk *w = to;
    if (++w->objects > MAX_OBJECTS || w->wrong[0]) return 1;
    if (info->type == H5L_TYPE_EXTERNAL) return 0;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return 0;
    if (H5Iget_type(object) == H5I_DATASET) visit_dataset(object, w, name);
    if (H5Iget_type(object) == H5I_GROUP) look_up(object);
    (void)H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, visit_attribute, w);
    H5Oclose(object);
    return 0;
}

static ann_status walk_file(void *context) {
    walk w = {.path = context};
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, true, true);
    const hid_t file = H5Fopen(w.path, H5F_ACC_RDONLY, access);
    if (file < 0) return ANN_OK;
    look_up(file);
    (void)H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, visit_attribute, &w);
    (void)H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit_link, &w);
    (void)H5Fclose(file);
    return w.wrong[0] ? ann_error(ANN_ERR_FORMAT, "%s", w.wrong) : ANN_OK;
}

/* The files found good last. */
enum { REMEMBERED = 16 };
typedef struct identity {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
} identity;
static identity good[REMEMBERED]; /* under ann_h5_lock */
static int next_good;

static bool identify(identity *out, const char *path) {
    struct stat st;
    memset(out, 0, sizeof *out); /* also what is between the members: they are compared as bytes */
    if (stat(path, &st) != 0) return false;
    out->device = st.st_dev;
    out->inode = st.st_ino;
    out->bytes = st.st_size;
    out->modified = st.st_mtim;
    out->changed = st.st_ctim;
    return true;
}

ann_status anni_h5_probe(const char *path) {
    identity id;
    const bool known = identify(&id, path);
    for (int i = 0; known && i < REMEMBERED; i++)
        if (memcmp(&good[i], &id, sizeof id) == 0) return ANN_OK;
    char what[600], copy[512];
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(what, sizeof what, "%.480s: is damaged: the HDF5 library", path);
    const anni_trial trial = {
        .work = walk_file, .context = copy, .what = what, .cpu_s = 5, .memory_bytes = (size_t)256 << 20};
    if (strlen(path) >= sizeof copy) return ANN_OK;
    ANN_TRY(anni_trial_run(&trial));
    if (known) good[next_good++ % REMEMBERED] = id;
    return ANN_OK;
}
