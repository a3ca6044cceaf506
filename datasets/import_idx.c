#include "datasets/import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "datasets/idx.h"
#include "datasets/write.h"

enum { BLOCK_BYTES = 1 << 20, LEVELS = 256 };
enum { TRAIN, TEST, SPLITS };

typedef struct split {
    const char *image_path, *label_path; /* NULL: there is none */
    anni_idx images, labels;
} split;

typedef struct import {
    const ann_import_idx_options *options;
    split splits[SPLITS];
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

static int64_t data_bytes(const anni_idx *idx) {
    return idx->file == NULL ? 0 : ann_shape_elems(&idx->shape);
}

static ann_status open_split(import *im, int s) {
    split *sp = &im->splits[s];
    if (sp->image_path == NULL) return ANN_OK;
    ANN_TRY(anni_idx_open(&sp->images, sp->image_path));
    ANN_TRY(check_sample(im, &sp->images, s == TRAIN));
    if (sp->label_path == NULL) return ANN_OK;
    ANN_TRY(anni_idx_open(&sp->labels, sp->label_path));
    return check_label_file(&sp->labels, &sp->images);
}

static ann_status copy_split(import *im, int s) {
    static const char *const names[SPLITS] = {"train", "test"};
    split *sp = &im->splits[s];
    if (sp->image_path == NULL) return ANN_OK;
    hid_t group;
    ANN_TRY(anni_writer_group(&group, &im->writer, names[s]));
    const ann_shape shape = stored_shape(&sp->images.shape);
    ann_status status = copy_field(im, group, &sp->images, &shape, false, s == TRAIN);
    if (status == ANN_OK && sp->label_path != NULL) {
        status = copy_field(im, group, &sp->labels, &sp->labels.shape, true, s == TRAIN);
    }
    H5Gclose(group);
    return status;
}

/* ---- the whole ---- */

/* Sums over the 256 values that a byte can have: exact below 2^53. A constant image set has no deviation to
 * divide by: 1. */
static void moments(const import *im, double *mean, double *std) {
    double count = 0, sum = 0, sum_squares = 0;
    for (int v = 0; v < LEVELS; v++) {
        count += (double)im->histogram[v];
        sum += (double)im->histogram[v] * v;
    }
    const double mean_level = sum / count;
    for (int v = 0; v < LEVELS; v++) {
        const double d = v - mean_level;
        sum_squares += (double)im->histogram[v] * d * d;
    }
    *mean = mean_level / 255.0;
    *std = sum_squares > 0 ? sqrt(sum_squares / count) / 255.0 : 1.0;
}

static ann_status write_contents(import *im) {
    const ann_import_idx_options *o = im->options;
    for (int s = 0; s < SPLITS; s++) ANN_TRY(copy_split(im, s));
    double mean, std;
    moments(im, &mean, &std);
    const char *const sources[] = {o->train_images, o->train_labels, o->test_images, o->test_labels};
    ANN_TRY(anni_writer_attributes(&im->writer, o->name, o->classes, o->class_count, mean, std));
    ANN_TRY(anni_writer_sources(&im->writer, sources, (int)(sizeof sources / sizeof sources[0])));
    return anni_writer_commit(&im->writer);
}

/* All files are opened before anything is written: most mistakes show at once, and the size is known. */
static ann_status import_files(import *im) {
    int64_t bytes = 0;
    for (int s = 0; s < SPLITS; s++) {
        ANN_TRY(open_split(im, s));
        bytes += data_bytes(&im->splits[s].images) + data_bytes(&im->splits[s].labels);
    }
    ANN_TRY(anni_writer_begin(&im->writer, im->options->out, bytes));
    const ann_status status = write_contents(im);
    anni_writer_end(&im->writer);
    return status;
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
import im = {.options = options, .splits = { {.image_path = options->train_images, .label_path = options->train_labels }, {.image_path = options->test_images, .label_path = options->test_labels } } };
    anni_h5_printing before;
    anni_h5_begin(&before);
    const ann_status status = import_files(&im);
    anni_h5_end(&before);
    for (int s = 0; s < SPLITS; s++) {
        anni_idx_close(&im.splits[s].images);
        anni_idx_close(&im.splits[s].labels);
    }
    return status;
}
