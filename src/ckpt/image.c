#include "ckpt/image.h"

#include <stdlib.h>
#include <string.h>
#include "base/h5lock.h"
#include "base/mem.h"

#define GROW_BYTES ((size_t)1 << 12)

/* ---- the memory of HDF5's core driver: it calls us, so that the bytes outlive the file ---- */

static void *image_malloc(size_t bytes, H5FD_file_image_op_t op, void *udata) {
    (void)op;
    anni_image *image = udata;
    image->data = calloc(1, bytes);
    image->bytes = image->data ? bytes : 0;
    return image->data;
}

static void *image_realloc(void *p, size_t bytes, H5FD_file_image_op_t op, void *udata) {
    (void)op;
    anni_image *image = udata;
    char *moved = realloc(p, bytes);
    if (!moved) return NULL;
    if (bytes > image->bytes) memset(moved + image->bytes, 0, bytes - image->bytes);
    image->data = moved;
    image->bytes = bytes;
    return moved;
}

static void *image_memcpy(void *to, const void *from, size_t bytes, H5FD_file_image_op_t op, void *udata) {
    (void)op;
    (void)udata;
    return memcpy(to, from, bytes);
}

static herr_t image_keep(void *p, H5FD_file_image_op_t op, void *udata) {
    (void)p;
    (void)op;
    (void)udata;
    return 0;
}

static void *udata_share(void *udata) { return udata; }
static herr_t udata_keep(void *udata) {
    (void)udata;
    return 0;
}

/* Every object is aligned, as the store's memory is, and there are no small-data blocks: so no gap is large
   enough for another object, and datasets stand in the order of their making. */
static hid_t create(anni_image *image, size_t metadata_bytes) {
    H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy, image_realloc, image_keep,
                                             udata_share,  udata_keep,   image};
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;
    if (access >= 0 && H5Pset_fapl_core(access, GROW_BYTES, 0) >= 0 &&
        H5Pset_file_image_callbacks(access, &callbacks) >= 0 &&
        H5Pset_meta_block_size(access, metadata_bytes) >= 0 && H5Pset_small_data_block_size(access, 0) >= 0 &&
        H5Pset_alignment(access, 1, ANN_ALIGN_BYTES) >= 0)
        file = H5Fcreate("annulus-checkpoint", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (access >= 0) H5Pclose(access);
    return file;
}

ann_status anni_image_begin(anni_image *image, size_t metadata_bytes) {
    *image = (anni_image){.file = -1};
    ann_h5_lock();
    if (H5open() < 0 || H5Eget_auto2(H5E_DEFAULT, &image->report, &image->report_data) < 0) {
        ann_h5_unlock();
        return ann_error(ANN_ERR_INTERNAL, "the HDF5 library does not start");
    }
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    image->file = create(image, metadata_bytes);
    if (image->file >= 0) return ANN_OK;
    return anni_image_end(image, anni_image_error("a file in memory"));
}

ann_status anni_image_end(anni_image *image, ann_status status) {
    hsize_t bytes = 0;
    if (image->file >= 0) {
        if (status == ANN_OK && H5Fget_filesize(image->file, &bytes) < 0)
            status = anni_image_error("the size of a file");
        if (H5Fclose(image->file) < 0 && status == ANN_OK) status = anni_image_error("the end of a file");
        image->file = -1;
    }
    H5Eset_auto2(H5E_DEFAULT, image->report, image->report_data);
    ann_h5_unlock();
    image->file_bytes = (int64_t)bytes;
    if (image->bytes > bytes) image->bytes = bytes;
    if (status != ANN_OK) anni_image_free(image);
    return status;
}

void anni_image_free(anni_image *image) {
    free(image->data);
    image->data = NULL;
    image->bytes = 0;
}

hid_t anni_image_type(ann_dtype dtype) {
    switch (dtype) {
    case ANN_F32: return H5T_NATIVE_FLOAT;
    case ANN_F64: return H5T_NATIVE_DOUBLE;
    case ANN_I32: return H5T_NATIVE_INT32;
    case ANN_I64: return H5T_NATIVE_INT64;
    case ANN_U8: return H5T_NATIVE_UINT8;
    case ANN_DTYPE_COUNT: break;
    }
    return -1;
}

static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *udata) {
    if (n == 0) *(const char **)udata = entry->desc;
    return 0;
}

ann_status anni_image_error(const char *what) {
    const char *text = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
    return ann_error(ANN_ERR_IO, "HDF5 cannot lay out %s: %s", what, text ? text : "no reason given");
}

static ann_status set_attr(hid_t object, const char *name, hid_t type, const void *value) {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attr = space < 0 ? -1 : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = attr >= 0 && H5Awrite(attr, type, value) >= 0;
    if (attr >= 0) H5Aclose(attr);
    if (space >= 0) H5Sclose(space);
    return written ? ANN_OK : anni_image_error(name);
}

ann_status anni_image_attr_i64(hid_t object, const char *name, int64_t value) {
    return set_attr(object, name, H5T_NATIVE_INT64, &value);
}

ann_status anni_image_attr_str(hid_t object, const char *name, const char *value) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    const size_t bytes = strlen(value);
    const bool set = type >= 0 && H5Tset_size(type, bytes ? bytes : 1) >= 0 &&
                     H5Tset_cset(type, H5T_CSET_UTF8) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0;
    const ann_status status = set ? set_attr(object, name, type, value) : anni_image_error(name);
    if (type >= 0) H5Tclose(type);
    return status;
}
