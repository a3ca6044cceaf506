/* HDF5 files made in memory. The library lays a file out (superblock, groups, headers, attributes) and never
   touches a disk; large contiguous datasets get an address in the file but no memory. What goes to disk is
   then plain writes of ours, whose failures are plain errnos: HDF5 1.10 cannot close a file whose flush met a
   full disk. Local. */
#ifndef ANN_CKPT_IMAGE_H
#define ANN_CKPT_IMAGE_H

#include <hdf5.h>
#include "tensor/tensor.h"

typedef struct anni_image {
    hid_t file;
    void *data; /* after anni_image_end: the first `bytes` bytes of the file; the rest of it is raw data and
                   zeros */
    size_t bytes;
    int64_t file_bytes;
    H5E_auto2_t report; /* the library's own error printing, which is off from begin to end */
    void *report_data;
} anni_image;

/* Takes the lock of base/h5lock.h, which anni_image_end gives back; so does a begin that fails.
   metadata_bytes: room for HDF5's structures in one piece at the start of the file (an estimate; may be
 * exceeded). */
ann_status anni_image_begin(anni_image *image, size_t metadata_bytes) ANN_MUST_CHECK;
/* Closes the file and, where status is ANN_OK, keeps its bytes (owner: the caller, anni_image_free). Returns
   status, or the first failure. Must follow every successful begin. */
ann_status anni_image_end(anni_image *image, ann_status status) ANN_MUST_CHECK;
void anni_image_free(anni_image *image);

/* The native HDF5 type of a dtype; borrowed from the library. */
hid_t anni_image_type(ann_dtype dtype);
/* ANN_ERR_IO with `what` and the innermost text of HDF5's error stack. */
ann_status anni_image_error(const char *what) ANN_MUST_CHECK;
/* Attributes of an open object. */
ann_status anni_image_attr_i64(hid_t object, const char *name, int64_t value) ANN_MUST_CHECK;
ann_status anni_image_attr_str(hid_t object, const char *name, const char *value) ANN_MUST_CHECK;

#endif
