/* Importers: files of other formats -> one HDF5 dataset (layout: datasets/README.md), and a description of
   such a file.

   An import writes to a temporary name beside `out`, flushes it to the disk and renames it: `out` is complete
   or it is what it was before. */
#ifndef ANN_DATASETS_IMPORT_H
#define ANN_DATASETS_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

/* IDX is the format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist): big-endian magic 00 00
   TYPE RANK, RANK extents, data. Images: u8 of any rank >= 1, N first; [N,H,W] is stored as [N,H,W,1], [N] as
   [N,1], others as they are. Labels: u8 [N]. Each file may be gzipped, whatever its name; one that is named
   .gz must be. */
typedef struct ann_import_idx_options {
    const char *out; /* the HDF5 file to write; replaced if it exists */
    const char
        *name; /* of the dataset, e.g. "fashion-mnist"; NULL: the name of `out` without folder and suffix */
    const char *const
        *classes;    /* names of labels 0..class_count-1; NULL and 0: none given, any label is accepted */
    int class_count; /* 0..256 */
    const char *train_images, *train_labels; /* images are required; labels may be NULL */
    const char *test_images, *test_labels;   /* may both be NULL: the file has no /test then */
    void (*progress)(void *to, const char *path, int64_t done,
                     int64_t total); /* records read of one file; NULL: none */
    void *to;
} ann_import_idx_options;

/* Errors, each one line that names the file and, where there is one, the record: ANN_ERR_ARG (options),
   ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_NOSPACE, ANN_ERR_FORMAT (bad magic, truncated, trailing bytes,
   counts or shapes that differ, damaged gzip), ANN_ERR_UNSUPPORTED (an element type that is not u8),
   ANN_ERR_CORRUPT (a label without class name). `out` is untouched then. Local. */
ann_status ann_import_idx(const ann_import_idx_options *options) ANN_MUST_CHECK;

/* Describes a dataset line by line (without newlines): name, source, classes, mean and std; per split its
   samples, fields with dtype, shape, storage and bytes, count of samples per class, checksum. verify: read
   all data and compare it with the checksums. Errors: those of ann_dataset_open; ANN_ERR_CORRUPT (a checksum
   differs); with verify, ANN_ERR_NOT_FOUND (there is none). Local. */
ann_status ann_dataset_describe(const char *path, bool verify, void (*print)(void *to, const char *line),
                                void *to) ANN_MUST_CHECK;

#endif
