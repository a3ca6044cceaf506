#include "datasets/import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "datasets/idx.h"
#include "datasets/write.h"

enum { BLOCK_BYTES = 1 << 20, LEVELS = 256 };

typedef struct import {
    const ann_import_idx_options *options;
    anni_writer writer;
    uint64_t histogram[LEVELS]; /* of the bytes of the training images */
    ann_shape sample;           /* of the training images */
} import;

/* ---- one file after the other, in blocks of records ---- */

static ann_status check_labels(const import *im, const char *path, const uint8_t *labels, int64_t first,
                               int64_t n) {
    const int classes = im->options->class_count;
    for (int64_t i = 0; classes > 0 && i < n; i++) {
        if (labels[i] >= classes) {
            return ann_error(ANN_ERR_CORRUPT,
                             "%s: record %" PRId64 " has label %d, but there are %d class names", path,
                             first + i, labels[i], classes);
        }
    }
    return ANN_OK;
}

/* Copies all records of idx into the dataset `to`. */
static ann_status copy_blocks(import *im, anni_idx *idx, anni_field *to, uint8_t *block,
                              int64_t block_records, bool is_labels, bool is_training) {
    const int64_t total = idx->shape.dim[0];
    while (idx->read < total) {
        const int64_t first = idx->read;
        const int64_t n = total - first < block_records ? total - first : block_records;
        const size_t bytes = (size_t)n * idx->record_bytes;
        ANN_TRY(anni_idx_read(idx, block, n));
        if (is_labels) ANN_TRY(check_labels(im, idx->path, block, first, n));
        for (size_t i = 0; !is_labels && is_training && i < bytes; i++) im->histogram[block[i]]++;
        ANN_TRY(anni_field_write(to, block, first, n));
        if (im->options->progress != NULL)
            im->options->progress(im->options->to, idx->path, idx->read, total);
    }
    return ANN_OK;
}

static ann_status copy_field(import *im, hid_t group, anni_idx *idx, const ann_shape *shape, bool is_labels,
                             bool is_training) {
    const int64_t fit = BLOCK_BYTES / (int64_t)idx->record_bytes;
    const int64_t block_records = fit > 0 ? fit : 1;
    const size_t block_bytes = (size_t)block_records * idx->record_bytes;
    void *block;
    anni_field to;
    ANN_TRY(ann_mem_alloc(&block, block_bytes));
    ann_status status = anni_field_create(&to, &im->writer, group, is_labels ? "y" : "x", shape);
    if (status == ANN_OK) {
        status = copy_blocks(im, idx, &to, block, block_records, is_labels, is_training);
        const ann_status closed = anni_field_close(&to);
        if (status == ANN_OK) status = closed;
    }
    ann_mem_free(block, block_bytes);
    return status;
}

/* ---- splits ---- */

/* [N,H,W] -> [N,H,W,1], [N] -> [N,1]; others as they are. */
static ann_shape stored_shape(const ann_shape *idx_shape) {
    ann_shape shape = *idx_shape;
    if (shape.rank == 1 || shape.rank == 3) shape.dim[shape.rank++] = 1;
    return shape;
}

static ann_status check_sample(import *im, const anni_idx *images, bool is_training) {
    ann_shape sample = images->shape;
    sample.dim[0] = 1;
    char here[128], there[128];
    if (is_training) im->sample = sample;
    if (ann_shape_equal(&sample, &im->sample)) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s: records %s, those of %s are %s", images->path,
                     ann_shape_str(here, sizeof here, &sample), im->options->train_images,
                     ann_shape_str(there, sizeof there, &im->sample));
}

static ann_status check_label_file(const anni_idx *labels, const anni_idx *images) {
    if (labels->shape.rank != 1) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong rank %d for labels, accepted: 1", labels->path,
                         labels->shape.rank);
    }
    if (labels->shape.dim[0] != images->shape.dim[0]) {
        return ann_error(ANN_ERR_FORMAT, "%s: %" PRId64 " labels for the %" PRId64 " images of %s",
                         labels->path, labels->shape.dim[0], images->shape.dim[0], images->path);
    }
    return ANN_OK;
}

/* labels: not open (file NULL) if there are none. */
static ann_status import_open_files(import *im, const char *split, anni_idx *images, anni_idx *labels) {
    const bool is_training = strcmp(split, "train") == 0;
    hid_t group;
    ANN_TRY(check_sample(im, images, is_training));
    if (labels->file != NULL) ANN_TRY(check_label_file(labels, images));
    ANN_TRY(anni_writer_group(&group, &im->writer, split));
    const ann_shape shape = stored_shape(&images->shape);
    ann_status status = copy_field(im, group, images, &shape, false, is_training);
    if (status == ANN_OK && labels->file != NULL) {
        status = copy_field(im, group, labels, &labels->shape, true, is_training);
    }
    H5Gclose(group);
    return status;
}

static ann_status import_split(import *im, const char *split, const char *image_path,
                               const char *label_path) {
    anni_idx images = {0}, labels = {0};
    ann_status status = anni_idx_open(&images, image_path);
    if (status == ANN_OK && label_path != NULL) status = anni_idx_open(&labels, label_path);
    if (status == ANN_OK) status = import_open_files(im, split, &images, &labels);
    anni_idx_close(&labels);
    anni_idx_close(&images);
    return status;
}

/* ---- the whole ---- */

/* Exact up to rounding: sums over the 256 values that a byte can have. A constant image set has no deviation
 * to divide by: 1. */
static void moments(const import *im, double *mean, double *std) {
    double count = 0, sum = 0, sum_squares = 0;
    for (int v = 0; v < LEVELS; v++) {
        const double x = v / 255.0, n = (double)im->histogram[v];
        count += n;
        sum += n * x;
    }
    *mean = sum / count;
    for (int v = 0; v < LEVELS; v++) {
        const double d = v / 255.0 - *mean;
        sum_squares += (double)im->histogram[v] * d * d;
    }
    *std = sum_squares > 0 ? sqrt(sum_squares / count) : 1.0;
}

static ann_status write_contents(import *im) {
    const ann_import_idx_options *o = im->options;
    ANN_TRY(import_split(im, "train", o->train_images, o->train_labels));
    if (o->test_images != NULL) ANN_TRY(import_split(im, "test", o->test_images, o->test_labels));
    double mean, std;
    moments(im, &mean, &std);
    const char *const sources[] = {o->train_images, o->train_labels, o->test_images, o->test_labels};
    ANN_TRY(anni_writer_attributes(&im->writer, o->name, o->classes, o->class_count, mean, std));
    return anni_writer_sources(&im->writer, sources, (int)(sizeof sources / sizeof sources[0]));
}

static ann_status check_options(const ann_import_idx_options *o) {
    if (o->out == NULL || o->out[0] == '\0')
        return ann_error(ANN_ERR_ARG, "import: no name for the file to write");
    if (o->train_images == NULL) return ann_error(ANN_ERR_ARG, "import: no training images");
    if (o->test_labels != NULL && o->test_images == NULL) {
        return ann_error(ANN_ERR_ARG, "import: test labels without test images");
    }
    if (o->class_count < 0 || o->class_count > LEVELS || (o->class_count > 0 && o->classes == NULL)) {
        return ann_error(ANN_ERR_ARG, "import: %d class names, accepted: 0 to %d", o->class_count, LEVELS);
    }
    return ANN_OK;
}

ann_status ann_import_idx(const ann_import_idx_options *options) {
    ANN_TRY(check_options(options));
import im = {.options = options };
    anni_h5_printing before;
    anni_h5_begin(&before);
    ann_status status = anni_writer_begin(&im.writer, options->out);
    if (status == ANN_OK) {
        status = write_contents(&im);
        if (status == ANN_OK) status = anni_writer_commit(&im.writer);
        anni_writer_end(&im.writer);
    }
    anni_h5_end(&before);
    return status;
}
