#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/files.h"
#include "ckpt/image.h"
#include "ckpt/reader.h"
#include "ckpt/shard.h"

/* A file of virtual datasets over the shards of one checkpoint, for other programs: whole.h5 inside it, and
   DIR/latest.h5 beside it. */
typedef struct view {
    const anni_manifest *m;
    const char *prefix;      /* before the shards' names: "", or "step-NNNNNNNNNN/" */
    const uint64_t *scalars; /* where tensors without dimensions are copied from; NULL: from ckpt */
    const ann_ckpt *ckpt;
} view;

/* A run of a row-major array need not be a box; it is cut into boxes, at most 2 rank - 1 of them. The box
   that starts at `first` and has at most `left` elements: the largest one that is contiguous. Returns its
   number of elements. */
static int64_t contiguous_box(hsize_t start[ANN_MAX_RANK], hsize_t count[ANN_MAX_RANK],
                              const ann_shape *shape, int64_t first, int64_t left) {
    int64_t inner = 1; /* elements of one index of dimension k */
    int k = shape->rank - 1;
    while (k > 0 && first % (inner * shape->dim[k]) == 0 && left >= inner * shape->dim[k])
        inner *= shape->dim[k--];
    int64_t at = first;
    for (int i = shape->rank - 1; i >= 0; i--) {
        start[i] = (hsize_t)(at % shape->dim[i]);
        count[i] = i > k ? (hsize_t)shape->dim[i] : 1;
        at /= shape->dim[i];
    }
    const int64_t room = shape->dim[k] - (int64_t)start[k], fit = left / inner;
    count[k] = (hsize_t)(fit < room ? fit : room);
    return inner * (int64_t)count[k];
}

/* Maps piece onto its place in the tensor's dataset. */
static bool map_piece(hid_t creation, hid_t space, const view *v, int rank, const anni_piece *piece) {
    const anni_manifest *m = v->m;
    const ann_tensor_info *t = &m->tensors[piece->tensor];
    int64_t begin, elems;
    anni_shard_range(&begin, &elems, m->blocks[t->block.id].elems, rank, m->shard_count);
    const hsize_t extent = (hsize_t)elems;
    char name[32], file[ANNI_PATH_BYTES];
    (void)snprintf(name, sizeof name, "block-%06d", t->block.id);
    const int n_file = snprintf(file, sizeof file, "%s%s", v->prefix, m->shards[rank].file);
    const hid_t source = H5Screate_simple(1, &extent, NULL);
    bool good = source >= 0 && n_file > 0 && n_file < (int)sizeof file;
    for (int64_t done = 0; good && done < piece->elems;) {
        hsize_t start[ANN_MAX_RANK], count[ANN_MAX_RANK];
        const int64_t n = contiguous_box(start, count, &t->shape, piece->begin + done, piece->elems - done);
        const hsize_t from = (hsize_t)(t->offset_elems + piece->begin + done - begin), run = (hsize_t)n;
        good = H5Sselect_hyperslab(source, H5S_SELECT_SET, &from, NULL, &run, NULL) >= 0 &&
               H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Pset_virtual(creation, space, file, name, source) >= 0;
        done += n;
    }
    if (source >= 0) H5Sclose(source);
    return good;
}

/* ---- names ---- */

static bool is_group_of(const char *group, const char *name) {
    const size_t n = strlen(group);
    return strncmp(group, name, n) == 0 && name[n] == '/';
}

/* Whether HDF5 can hold the name of tensor i as a path. */
static bool is_plain(const anni_manifest *m, int i) {
    const char *name = m->tensors[i].name;
    if (name[0] == '#') return false;
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        const size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.')) return false;
    }
    for (int j = 0; j < m->tensor_count; j++)
        if (is_group_of(name, m->tensors[j].name)) return false;
    return true;
}

const char *anni_whole_path(char number[32], const anni_manifest *m, int i) {
    if (is_plain(m, i)) return m->tensors[i].name;
    (void)snprintf(number, 32, "#%d", i);
    return number;
}

/* ---- datasets ---- */

/* What a missing shard reads as: all bits set, which is NaN, -1 or 255, and never a plausible 0. */
static bool set_fill(hid_t creation, ann_dtype dtype) {
    unsigned char bits[8];
    memset(bits, 0xFF, sizeof bits);
    return H5Pset_fill_value(creation, anni_image_type(dtype), bits) >= 0 &&
           H5Pset_obj_track_times(creation, false) >= 0; /* the same checkpoint, the same bytes */
}

static hid_t create_virtual(hid_t file, const char *path, hid_t links, const view *v, int i) {
    const anni_manifest *m = v->m;
    const ann_tensor_info *t = &m->tensors[i];
    hsize_t extent[ANN_MAX_RANK];
    for (int d = 0; d < t->shape.rank; d++) extent[d] = (hsize_t)t->shape.dim[d];
    const hid_t space = H5Screate_simple(t->shape.rank, extent, NULL),
                creation = H5Pcreate(H5P_DATASET_CREATE);
    bool good = space >= 0 && creation >= 0 && set_fill(creation, t->dtype);
    for (int rank = 0; good && rank < m->shard_count; rank++)
        for (int p = 0; good && p < m->shards[rank].piece_count; p++)
            if (m->shards[rank].pieces[p].tensor == i)
                good = map_piece(creation, space, v, rank, &m->shards[rank].pieces[p]);
    if (good) good = H5Sselect_all(space) >= 0;
    const hid_t dataset =
        good ? H5Dcreate2(file, path, anni_image_type(t->dtype), space, links, creation, H5P_DEFAULT) : -1;
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static hid_t create_scalar(hid_t file, const char *path, hid_t links, ann_dtype dtype, const void *value) {
    const hid_t space = H5Screate(H5S_SCALAR), type = anni_image_type(dtype),
                creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    if (space >= 0 && creation >= 0 && H5Pset_obj_track_times(creation, false) >= 0)
        dataset = H5Dcreate2(file, path, type, space, links, creation, H5P_DEFAULT);
    if (creation >= 0) H5Pclose(creation);
    if (dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0) {
        H5Dclose(dataset);
        dataset = -1;
    }
    if (space >= 0) H5Sclose(space);
    return dataset;
}

/* ---- checksums ---- */

enum { LISTED_PIECES = 4096 }; /* an attribute has at most 64 KiB */

static ann_status add_numbers(hid_t dataset, const char *name, hid_t type, const void *values, int count) {
    const hsize_t extent = (hsize_t)count;
    const hid_t space = H5Screate_simple(1, &extent, NULL);
    const hid_t attr = space < 0 ? -1 : H5Acreate2(dataset, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = attr >= 0 && H5Awrite(attr, type, values) >= 0;
    if (attr >= 0) H5Aclose(attr);
    if (space >= 0) H5Sclose(space);
    return written ? ANN_OK : anni_image_error(name);
}

/* Attributes "shard" and "xxh3": which shards hold the tensor's elements, in order, and the XXH3-64 of each
   part's bytes. */
static ann_status add_checksums(hid_t dataset, const anni_manifest *m, int i) {
    int32_t shard[LISTED_PIECES];
    uint64_t hash[LISTED_PIECES];
    int n = 0;
    for (int rank = 0; rank < m->shard_count; rank++)
        for (int p = 0; p < m->shards[rank].piece_count; p++) {
            if (m->shards[rank].pieces[p].tensor != i) continue;
            if (n == LISTED_PIECES) return ANN_OK; /* the manifest has them */
            shard[n] = rank;
            hash[n++] = m->shards[rank].pieces[p].hash;
        }
    ANN_TRY(add_numbers(dataset, "shard", H5T_NATIVE_INT32, shard, n));
    return add_numbers(dataset, "xxh3", H5T_NATIVE_UINT64, hash, n);
}

static ann_status add_tensor(hid_t file, hid_t links, const view *v, int i) {
    const ann_tensor_info *t = &v->m->tensors[i];
    double scalar = 0; /* of any dtype */
    char number[32];
    const char *path = anni_whole_path(number, v->m, i);
    if (t->shape.rank == 0 && v->scalars) memcpy(&scalar, &v->scalars[i], sizeof scalar);
    else if (t->shape.rank == 0) ANN_TRY(ann_ckpt_read(v->ckpt, t->name, &scalar));
    const hid_t dataset = t->shape.rank == 0 ? create_scalar(file, path, links, t->dtype, &scalar)
                                             : create_virtual(file, path, links, v, i);
    if (dataset < 0) return anni_image_error(t->name);
    ann_status status = anni_image_attr_str(dataset, "name", t->name);
    if (status == ANN_OK) status = add_checksums(dataset, v->m, i);
    H5Dclose(dataset);
    return status;
}

static ann_status add_tensors(hid_t file, const view *v) {
    ANN_TRY(anni_image_attr_str(file, "format", "annulus-checkpoint"));
    ANN_TRY(anni_image_attr_i64(file, "step", v->m->step));
    ANN_TRY(anni_image_attr_i64(file, "serial", v->m->serial));
    ANN_TRY(anni_image_attr_str(file, "check",
                                "The values lie in the shards; a missing shard reads as NaN, -1 or 255, and "
                                "damage is not noticed here. `annulus ckpt verify FOLDER` compares all "
                                "checksums (attribute xxh3: XXH3-64 of each shard's part)."));
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    if (links < 0) return anni_image_error(ANNI_WHOLE_NAME);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_char_encoding(links, H5T_CSET_UTF8);
    ann_status status = ANN_OK;
    for (int i = 0; i < v->m->tensor_count && status == ANN_OK; i++) status = add_tensor(file, links, v, i);
    H5Pclose(links);
    return status;
}

static ann_status make_image(anni_image *image, const view *v) {
    ANN_TRY(anni_image_begin(image, 1 << 14));
    return anni_image_end(image, add_tensors(image->file, v));
}

ann_status anni_whole_write(const char *dir, anni_manifest *manifest, const uint64_t *scalars) {
    char path[ANNI_PATH_BYTES];
    anni_image image;
    ANN_TRY(anni_path_join(path, dir, ANNI_WHOLE_NAME));
    ANN_TRY(make_image(&image, &(view){.m = manifest, .prefix = "", .scalars = scalars}));
    manifest->whole_bytes = (int64_t)image.bytes;
    manifest->whole_hash = ann_hash(image.data, image.bytes, 0);
    const ann_status status = anni_file_write(path, image.data, image.bytes);
    anni_image_free(&image);
    return status;
}

/* ---- DIR/latest.h5 ---- */

static ann_status write_latest(const char *temporary, const char *dir, const char *name) {
    char path[ANNI_PATH_BYTES], prefix[64];
    ann_ckpt *ckpt;
    anni_image image;
    (void)snprintf(prefix, sizeof prefix, "%s/", name);
    ANN_TRY(anni_path_join(path, dir, name));
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    ann_status status = make_image(&image, &(view){.m = ckpt->manifest, .prefix = prefix, .ckpt = ckpt});
    ann_ckpt_close(ckpt);
    ANN_TRY(status);
    status = anni_file_write(temporary, image.data, image.bytes);
    anni_image_free(&image);
    return status;
}

void anni_latest_write(const char *dir, const char *name) {
    char path[ANNI_PATH_BYTES], temporary[ANNI_PATH_BYTES];
    if (anni_path_join(path, dir, ANNI_LATEST_NAME) != ANN_OK ||
        anni_path_join(temporary, dir, ANNI_LATEST_NAME ".part") != ANN_OK)
        return;
    if (write_latest(temporary, dir, name) == ANN_OK && anni_rename(temporary, path) == ANN_OK) return;
    ann_log_line(ANN_LOG_WARN, "%s is not made: %s; the checkpoint itself does not need it", path,
                 ann_error_text());
    (void)unlink(temporary);
    (void)unlink(path); /* of a checkpoint that may be removed soon */
}
