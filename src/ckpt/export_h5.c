/* HDF5: a contiguous dataset per tensor under its name. The library lays the file out in memory; the bytes
   are written by plain system calls. */
#include <stdio.h>
#include <string.h>
#include "ckpt/export.h"
#include "ckpt/image.h"
#include "ckpt/shard.h"

static hid_t create(hid_t file, const char *path, hid_t links, const ann_tensor_info *t) {
    hsize_t extent[ANN_MAX_RANK];
    for (int d = 0; d < t->shape.rank; d++) extent[d] = (hsize_t)t->shape.dim[d];
    const hid_t space =
        t->shape.rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(t->shape.rank, extent, NULL);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    if (space >= 0 && creation >= 0 && H5Pset_layout(creation, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0)
        dataset = H5Dcreate2(file, path, anni_image_type(t->dtype), space, links, creation, H5P_DEFAULT);
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static ann_status add_tensor(anni_export *e, hid_t file, hid_t links, int i) {
    static const char *const role[] = {"param", "state", "moment"};
    const ann_tensor_info *t = anni_export_tensor(e, i);
    char number[32];
    const hid_t dataset = create(file, anni_whole_path(number, e->ckpt->manifest, e->tensors[i]), links, t);
    if (dataset < 0) return anni_image_error(t->name);
    e->offsets[i] = (int64_t)H5Dget_offset(dataset);
    ann_status status = e->offsets[i] > 0 ? ANN_OK : anni_image_error(t->name);
    if (status == ANN_OK) status = anni_image_attr_str(dataset, "name", t->name);
    if (status == ANN_OK) status = anni_image_attr_str(dataset, "role", role[t->role]);
    H5Dclose(dataset);
    return status;
}

/* Texts of more than 64 KiB do not fit into an attribute. */
static ann_status add_meta(hid_t file, const ann_ckpt *ckpt) {
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    const char *value = "";
    char buf[32], name[300];
    bool is_text;
    ANN_TRY(anni_image_attr_str(file, "format", "annulus-export"));
    ANN_TRY(anni_image_attr_i64(file, "checkpoint_step", ann_ckpt_step(ckpt)));
    for (int i = 0; i < ann_meta_count(meta); i++) {
        const char *key = ann_meta_entry(meta, i, &value, &is_text, buf, sizeof buf);
        const int n = snprintf(name, sizeof name, "meta/%s", key);
        if (n > 0 && n < (int)sizeof name && strlen(value) < 60000)
            ANN_TRY(anni_image_attr_str(file, name, value));
    }
    return ANN_OK;
}

static ann_status add_all(anni_export *e, hid_t file) {
    ANN_TRY(add_meta(file, e->ckpt));
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    if (links < 0) return anni_image_error("links");
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_char_encoding(links, H5T_CSET_UTF8);
    ann_status status = ANN_OK;
    for (int i = 0; i < e->count && status == ANN_OK; i++) status = add_tensor(e, file, links, i);
    H5Pclose(links);
    return status;
}

static ann_status lay_out(anni_export *e) {
    anni_image *image = ann_arena_alloc(e->arena, sizeof *image);
    if (!image) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its layout", e->path);
    e->state = image;
    ANN_TRY(anni_image_begin(image, 1 << 16));
    ANN_TRY(anni_image_end(image, add_all(e, image->file)));
    e->file_bytes = image->file_bytes;
    return ANN_OK;
}

static ann_status begin(anni_export *e) {
    anni_image *image = e->state;
    const ann_status status = anni_file_write_at(e->fd, image->data, image->bytes, 0, e->path);
    anni_image_free(image);
    return status;
}

const anni_exporter anni_exporter_h5 = {"h5", lay_out, begin, NULL, false};
