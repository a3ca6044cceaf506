/* Importers: files of other formats -> one HDF5 dataset (layout: datasets/README.md), and a description of
   such a file.

   An import writes beside `out` (out.part, and a journal out.import), flushes to the disk and renames: `out`
   is complete or it is what it was before. The same import, started again after it was killed, goes on where
   it was, as long as options and inputs are the same; otherwise it begins anew. What is not repeated: all
   records in a contiguous layout; finished shards in a compressed one.

   Errors of all importers, each one line that names the file and, where there is one, the record:
   ANN_ERR_ARG (options), ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_NOSPACE, ANN_ERR_FORMAT (not that format,
   truncated, trailing bytes, counts or shapes that differ), ANN_ERR_UNSUPPORTED (a kind of file that is not
   read), ANN_ERR_CORRUPT (a bad record), ANN_ERR_MEMORY. Local. */
#ifndef ANN_DATASETS_IMPORT_H
#define ANN_DATASETS_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"
#include "tensor/tensor.h"

/* What all formats have in common. */
typedef struct ann_import_options {
    const char *out;  /* the HDF5 file to write; replaced if it exists, once the new one is complete */
    const char *name; /* of the dataset, e.g. "fashion-mnist"; NULL: that of `out` without suffix */
    const char *const *classes; /* names of labels 0..class_count-1; NULL and 0: what the format says, else
                                   any label is accepted */
    int class_count;            /* 0..65536 */
    double test_fraction; /* of the records become the split "test", by a keyed choice that depends on their
                             number alone; only where the inputs have one split; 0: none */
    int64_t shard;        /* 0, or: `out` is an index (virtual datasets) of OUT-SPLIT-00000.h5 ... of at most
                             so many records each; `out` must not exist then */
    int compress;  /* 0: contiguous, mapped by the reader; 1..9: chunked, shuffle and gzip of this level */
    int64_t chunk; /* records of a chunk, with compress; 0: about 256 KiB */
    bool skip_bad; /* count bad records and go on; false: the first one ends the import */
    /* Records read of all records, bytes written. NULL: none. */
    void (*progress)(void *to, int64_t done, int64_t total, int64_t bytes);
    /* A line for people: a bad record that was skipped, a restart, types that were inferred. NULL: none. */
    void (*note)(void *to, const char *line);
    void *to;
} ann_import_options;

/* IDX is the format of MNIST and its relatives (http://yann.lecun.com/exdb/mnist): big-endian magic 00 00
   TYPE RANK, RANK extents, data. Images: u8 of any rank >= 1, N first; [N,H,W] is stored as [N,H,W,1], [N] as
   [N,1], others as they are. Labels: u8 [N]. Each file may be gzipped, whatever its name; one that is named
   .gz must be. Several files of a split follow one another; there are as many files of labels as of images,
   or none. */
typedef struct ann_import_idx_options {
    const char *const *train_images, *const *train_labels; /* images are required; labels may be NULL */
    int train_image_count, train_label_count;
    const char *const *test_images, *const *test_labels; /* may both be NULL: the file has no /test then */
    int test_image_count, test_label_count;
} ann_import_idx_options;
ann_status ann_import_idx(const ann_import_options *options,
                          const ann_import_idx_options *idx) ANN_MUST_CHECK;

/* CIFAR-10 and CIFAR-100, "binary version" (https://www.cs.toronto.edu/~kriz/cifar.html): x u8 [32,32,3], y,
   and for CIFAR-100 (whose y is the fine label) a field "coarse". Names of classes are read from
   batches.meta.txt, or fine_label_names.txt and coarse_label_names.txt (attribute "coarse_classes"), beside
   the first file. */
typedef struct ann_import_cifar_options {
    const char *const *train, *const *test; /* files of each split, one after the other */
    int train_count, test_count;
    int classes; /* 10 or 100; 0: as the first file's length says */
} ann_import_cifar_options;
ann_status ann_import_cifar(const ann_import_options *options,
                            const ann_import_cifar_options *cifar) ANN_MUST_CHECK;

/* CSV as in RFC 4180: fields may be quoted, lines end with LF or CRLF; the first line names the columns. x
   f32 [D]: every column that is neither the target nor ignored, in its place; a number, or one-hot if that is
   asked for (a column with text otherwise ends the import, with what to say about it). y: the target's
   classes, i32, named by its distinct values in order (integers by size, text by bytes) or by the options'
   classes; numbers, f32, if some are negative or fractions, or the target is among `numeric`. A missing value
   (nothing, NA, N/A, NaN, nan, null, NULL, None, ?) makes a bad record. The columns of x are named in the
   attribute "columns". What was found is shown as a table of notes. */
typedef struct ann_import_csv_options {
    const char *const *train, *const *test; /* files of each split, all with the same columns */
    int train_count, test_count;
    char delimiter;                                              /* 0: ',' */
    bool no_header;                                              /* columns are called 1, 2, 3 ... */
    const char *target;                                          /* a column; NULL: none */
    const char *const *ignore, *const *one_hot, *const *numeric; /* columns; numeric: text in it is an error
                                                                    of the record, not of the column */
    int ignore_count, one_hot_count, numeric_count;
} ann_import_csv_options;
ann_status ann_import_csv(const ann_import_options *options,
                          const ann_import_csv_options *csv) ANN_MUST_CHECK;

/* NPY is numpy's format of one array (versions 1 to 3, C order, either byte order). An array's first extent
   is the number of records. u1 is stored as u8, i1 i2 i4 i8 u2 u4 u8 as i32 (a value beyond it is a bad
   record), f2 f4 f8 as f32 (NaN, Inf, or beyond f32: a bad record), bool as u8. The file of x may have any
   rank from 1, [N] is stored as [N,1]; [N,H,W] and [N] of other fields stay as they are. */
typedef struct ann_import_npy_field {
    const char *name;         /* "x", "y", "mask" ... */
    const char *train, *test; /* files; test: NULL for all fields or for none */
} ann_import_npy_field;
typedef struct ann_import_npy_options {
    const ann_import_npy_field *fields; /* "x" must be among them */
    int field_count;
} ann_import_npy_options;
ann_status ann_import_npy(const ann_import_options *options,
                          const ann_import_npy_options *npy) ANN_MUST_CHECK;

/* Folders of PNG and JPEG files, one for each class: FOLDER/CLASS/FILE, or FOLDER/train/CLASS/FILE and
   FOLDER/test/CLASS/FILE. x u8 [H,W,C], y the class; classes in the order of their names, files too, so that
   the result does not depend on the file system. Files with other endings than .png, .jpg and .jpeg are left
   out and counted in a note. Any kind of PNG and JPEG is read; transparent parts are laid on black. An image
   that is damaged, or has another size than the first one if there is no resizing, is a bad record. */
typedef struct ann_import_images_options {
    const char *folder;
    int height,
        width; /* every image is resized to this (its sides' ratio is not kept); 0: all have one size */
    bool gray; /* one channel, the brightness; false: three, red, green, blue */
} ann_import_images_options;
ann_status ann_import_images(const ann_import_options *options,
                             const ann_import_images_options *images) ANN_MUST_CHECK;

/* Somebody's HDF5 file of images. x becomes u8 [H,W,C]: floats are from 0 to 1, and v becomes round(255 v);
   integers are from 0 to 255 and stay; [H,W] is [H,W,1]. A record with any other value in x, with NaN or Inf
   in any field, or with a label that is negative or beyond the classes is bad. Class labels become i32, other
   fields what the reader delivers (datasets/README.md, Layout). Class names are those of the file. */
typedef struct ann_import_hdf5_options {
    const char *path;
    const struct ann_field_source *train, *test; /* where the fields lie; without any, they are those of
                                                    /train, and of /test if there is one */
    int train_count, test_count;
    ann_shape shape;   /* of one sample of x, [H,W,C] or [H,W]; rank 0: as stored */
    int height, width; /* every image is resized to this (as images are); 0: as stored */
} ann_import_hdf5_options;
ann_status ann_import_hdf5(const ann_import_options *options,
                           const ann_import_hdf5_options *hdf5) ANN_MUST_CHECK;

/* Texts: one stream of tokens, one text after the other, cut into samples. Field "x" of a sample is length +
   1 tokens, u8 if the vocabulary is at most 256 and i32 otherwise; the last token is also the first one of
   the next sample. So x[0..length) are inputs, and x[1..length] what follows each of them. Tokens after the
   last whole sample are left out and counted in a note. test_fraction: that part of the samples at the end is
   the test split. The vocabulary is stored, too (datasets/README.md). Errors also: ANN_ERR_CORRUPT (not
   UTF-8, level char: names file and byte). */
typedef enum ann_text_level {
    ANN_TEXT_BYTE, /* 256 tokens */
    ANN_TEXT_CHAR, /* the code points that occur, ascending */
    ANN_TEXT_BPE   /* byte pairs, from a file of `annulus data bpe` */
} ann_text_level;
typedef struct ann_import_text_options {
    const char *const *texts;
    int text_count;
    ann_text_level level;
    const char *bpe; /* with ANN_TEXT_BPE, else NULL */
    int64_t length;  /* 1..2^24 */
} ann_import_text_options;
ann_status ann_import_text(const ann_import_options *options,
                           const ann_import_text_options *text) ANN_MUST_CHECK;

/* Divides the samples of one split into two splits of a new file, or into several files. Each sample goes to
   one part at most; which one depends on the seed, the number of samples and their labels. Labelled samples
   are divided class by class: a part's share of each class is its share of all, to within one sample. Within
   a part, samples keep their order. Of test_fraction, sizes and by_class, one is given:
   test_fraction: `out` has splits train and test. sizes: OUT-0.h5, OUT-1.h5 ... with a split train of so many
   samples each; what is left over is in none of them. by_class: OUT-LABEL.h5 for each label that occurs.
   Fields, class names, vocabulary and provenance are kept; normalisation is computed anew. Errors: also
   ANN_ERR_ARG (sizes beyond the samples; no labels). Local. */
typedef struct ann_split_options {
    const char *path, *split;
    uint64_t seed;
    double test_fraction; /* 0 < test_fraction < 1; 0: not given */
    const int64_t *sizes;
    int size_count;
    bool by_class;
} ann_split_options;
ann_status ann_dataset_split(const ann_import_options *options,
                             const ann_split_options *split) ANN_MUST_CHECK;

/* Joins datasets: each split has the samples of that split of all files, one file after the other. They have
   the same fields, dtypes and shapes. Classes are united by name, in the order in which they come; without
   names, labels stay as they are. Provenance is kept. Errors: also ANN_ERR_FORMAT (what differs). Local. */
ann_status ann_dataset_merge(const ann_import_options *options, const char *const *paths,
                             int count) ANN_MUST_CHECK;

/* Transforms every sample of all splits of a dataset of u8 images [H, W, C], as the YAML file `descriptor`
   says (datasets/descriptor.h; data/transform.h has the formulas). What is drawn for a sample depends on the
   descriptor's seed, the name of the split, and the number of the sample in it: the same file and descriptor
   give the same bytes. Labels, other fields, class names and provenance are kept; normalisation is computed
   anew; the name is the descriptor's, if the options have none. Errors: also ANN_ERR_CONFIG (the descriptor).
   Local. */
ann_status ann_dataset_transform(const ann_import_options *options, const char *descriptor,
                                 const char *path) ANN_MUST_CHECK;

/* Describes a dataset line by line (without newlines): name, provenance, records that were skipped, size of a
   vocabulary; per split its samples, fields with dtype, shape, storage, bytes, mean and std, count of samples
   per class, checksum. Of a file of another layout: its datasets with the same number of samples, and the
   lines of a run file that read it. Errors: those of ann_dataset_open. Local. */
ann_status ann_dataset_describe(const char *path, void (*print)(void *to, const char *line),
                                void *to) ANN_MUST_CHECK;

/* Reads everything and compares it with all checksums, of each shard of an index, too; prints a line for
   each. Errors: those of ann_dataset_open; ANN_ERR_CORRUPT (names the first file and field that differ);
   ANN_ERR_NOT_FOUND (no checksum; a missing shard). Local. */
ann_status ann_dataset_verify(const char *path, void (*print)(void *to, const char *line),
                              void *to) ANN_MUST_CHECK;

#endif
