#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ckpt/files.h"
#include "ckpt/image.h"
#include "ckpt/shard.h"

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
static bool map_piece(hid_t creation, hid_t space, const anni_manifest *m, int rank,
                      const anni_piece *piece) {
    const ann_tensor_info *t = &m->tensors[piece->tensor];
    int64_t begin, elems;
    anni_shard_range(&begin, &elems, m->blocks[t->block.id].elems, rank, m->shard_count);
    const hsize_t extent = (hsize_t)elems;
    char name[32];
    (void)snprintf(name, sizeof name, "block-%06d", t->block.id);
    const hid_t source = H5Screate_simple(1, &extent, NULL);
    bool good = source >= 0;
    for (int64_t done = 0; good && done < piece->elems;) {
        hsize_t start[ANN_MAX_RANK], count[ANN_MAX_RANK];
        const int64_t n = contiguous_box(start, count, &t->shape, piece->begin + done, piece->elems - done);
        const hsize_t from = (hsize_t)(t->offset_elems + piece->begin + done - begin), run = (hsize_t)n;
        good = H5Sselect_hyperslab(source, H5S_SELECT_SET, &from, NULL, &run, NULL) >= 0 &&
               H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Pset_virtual(creation, space, m->shards[rank].file, name, source) >= 0;
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

/* ---- datasets ---- */

static hid_t create_virtual(hid_t file, const char *path, hid_t links, const anni_manifest *m, int i) {
    const ann_tensor_info *t = &m->tensors[i];
    hsize_t extent[ANN_MAX_RANK];
    for (int d = 0; d < t->shape.rank; d++) extent[d] = (hsize_t)t->shape.dim[d];
    const hid_t space = H5Screate_simple(t->shape.rank, extent, NULL),
                creation = H5Pcreate(H5P_DATASET_CREATE);
    bool good = space >= 0 && creation >= 0;
    for (int rank = 0; good && rank < m->shard_count; rank++)
        for (int p = 0; good && p < m->shards[rank].piece_count; p++)
            if (m->shards[rank].pieces[p].tensor == i)
                good = map_piece(creation, space, m, rank, &m->shards[rank].pieces[p]);
    if (good) good = H5Sselect_all(space) >= 0;
    const hid_t dataset =
        good ? H5Dcreate2(file, path, anni_image_type(t->dtype), space, links, creation, H5P_DEFAULT) : -1;
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static hid_t create_scalar(hid_t file, const char *path, hid_t links, ann_dtype dtype, const void *value) {
    const hid_t space = H5Screate(H5S_SCALAR), type = anni_image_type(dtype);
    hid_t dataset = space < 0 ? -1 : H5Dcreate2(file, path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    if (dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) < 0) {
        H5Dclose(dataset);
        dataset = -1;
    }
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static ann_status add_tensor(hid_t file, hid_t links, const anni_manifest *m, int i, const ann_store *store) {
    const ann_tensor_info *t = &m->tensors[i];
    char number[32];
    (void)snprintf(number, sizeof number, "#%d", i);
    const char *path = is_plain(m, i) ? t->name : number;
    const hid_t dataset = t->shape.rank == 0 ? create_scalar(file, path, links, t->dtype,
                                                             ann_store_data(store, (ann_tensor){i}))
                                             : create_virtual(file, path, links, m, i);
    if (dataset < 0) return anni_image_error(t->name);
    const ann_status status = anni_image_attr_str(dataset, "name", t->name);
    H5Dclose(dataset);
    return status;
}

static ann_status add_tensors(hid_t file, const anni_manifest *m, const ann_store *store) {
    ANN_TRY(anni_image_attr_str(file, "format", "annulus-checkpoint"));
    ANN_TRY(anni_image_attr_i64(file, "step", m->step));
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    if (links < 0) return anni_image_error(ANNI_WHOLE_NAME);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_char_encoding(links, H5T_CSET_UTF8);
    ann_status status = ANN_OK;
    for (int i = 0; i < m->tensor_count && status == ANN_OK; i++)
        status = add_tensor(file, links, m, i, store);
    H5Pclose(links);
    return status;
}

ann_status anni_whole_write(const char *dir, anni_manifest *manifest, const ann_store *store) {
    char path[ANNI_PATH_BYTES];
    ANN_TRY(anni_path_join(path, dir, ANNI_WHOLE_NAME));
    anni_image image;
    ANN_TRY(anni_image_begin(&image, 1 << 14));
    ANN_TRY(anni_image_end(&image, add_tensors(image.file, manifest, store)));
    manifest->whole_bytes = (int64_t)image.bytes;
    manifest->whole_hash = ann_hash(image.data, image.bytes, 0);
    const ann_status status = anni_file_write(path, image.data, image.bytes);
    anni_image_free(&image);
    return status;
}
