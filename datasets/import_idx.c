#include <inttypes.h>
#include <string.h>
#include "base/mem.h"
#include "datasets/idx.h"
#include "datasets/write.h"

enum { TRAIN, TEST, SPLITS };

typedef struct pair { /* files of the same records */
    anni_idx images, labels;
    int64_t first; /* of its records, among all */
} pair;

typedef struct import {
    const ann_import_options *options;
    const ann_import_idx_options *idx;
    pair *pairs; /* those of training first */
    int pair_count, current;
    bool has_labels;
    const char **inputs;
    int input_count;
    ann_arena *arena;
} import;

/* ---- reading ---- */

static ann_status read_label(import *im, anni_idx *labels, int64_t record, uint8_t *out, bool *bad) {
    ANN_TRY(anni_idx_seek(labels, record));
    ANN_TRY(anni_idx_read(labels, out, 1));
    const int classes = im->options->class_count;
    if (classes == 0 || *out < classes) return ANN_OK;
    return anni_bad_record(bad, ANN_ERR_CORRUPT, labels->path, record,
                           "label %d, but there are %d class names", *out, classes);
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    if (record < im->pairs[im->current].first) im->current = 0;
    while (im->current + 1 < im->pair_count && record >= im->pairs[im->current + 1].first) im->current++;
    pair *p = &im->pairs[im->current];
    ANN_TRY(anni_idx_seek(&p->images, record - p->first));
    ANN_TRY(anni_idx_read(&p->images, fields[0], 1));
    return im->has_labels ? read_label(im, &p->labels, record - p->first, fields[1], bad) : ANN_OK;
}

/* ---- the files ---- */

static ann_status check_sample(const import *im, const anni_idx *images) {
    const anni_idx *model = &im->pairs[0].images;
    ann_shape here = images->shape, there = model->shape;
    here.dim[0] = there.dim[0] = 1;
    char a[128], b[128];
    if (ann_shape_equal(&here, &there)) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s: records %s, those of %s are %s", images->path,
                     ann_shape_str(a, sizeof a, &here), model->path, ann_shape_str(b, sizeof b, &there));
}

static ann_status check_labels(const anni_idx *labels, const anni_idx *images) {
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

static ann_status open_pair(import *im, const char *images, const char *labels, int64_t *records) {
    pair *p = &im->pairs[im->pair_count++];
    p->first = *records;
    im->inputs[im->input_count++] = images;
    ANN_TRY(anni_idx_open(&p->images, images));
    ANN_TRY(check_sample(im, &p->images));
    *records += p->images.shape.dim[0];
    if (labels == NULL) return ANN_OK;
    im->inputs[im->input_count++] = labels;
    ANN_TRY(anni_idx_open(&p->labels, labels));
    return check_labels(&p->labels, &p->images);
}

static ann_status open_files(import *im, anni_source *source) {
    const ann_import_idx_options *o = im->idx;
    int64_t records = 0;
    for (int i = 0; i < o->train_image_count; i++) {
        ANN_TRY(open_pair(im, o->train_images[i], im->has_labels ? o->train_labels[i] : NULL, &records));
    }
    source->splits[TRAIN].name = "train";
    source->splits[TRAIN].count = records;
    source->split_count = 1;
    if (o->test_image_count == 0) return ANN_OK;
    for (int i = 0; i < o->test_image_count; i++) {
        ANN_TRY(open_pair(im, o->test_images[i], im->has_labels ? o->test_labels[i] : NULL, &records));
    }
    source->splits[TEST].name = "test";
    source->splits[TEST].count = records - source->splits[TRAIN].count;
    source->split_count = 2;
    return ANN_OK;
}

/* [N,H,W] -> [H,W,1], [N] -> [1]; others as they are. */
static ann_shape sample_shape(const ann_shape *idx_shape) {
    ann_shape shape = {.rank = idx_shape->rank - 1};
    memcpy(shape.dim, idx_shape->dim + 1, (size_t)shape.rank * sizeof *shape.dim);
    if (shape.rank == 0 || shape.rank == 2) shape.dim[shape.rank++] = 1;
    return shape;
}

/* All files are opened before anything is written: most mistakes show at once. */
static ann_status import_files(import *im) {
    anni_source source = {.format = "idx", .read = read_record, .self = im};
    ANN_TRY(open_files(im, &source));
    const anni_field fields[] = {
        {.name = "x", .shape = sample_shape(&im->pairs[0].images.shape), .normalised = ANNI_OVERALL},
        {.name = "y"}};
    source.fields = fields;
    source.field_count = im->has_labels ? 2 : 1;
    source.inputs = im->inputs;
    source.input_count = im->input_count;
    return anni_import(im->options, &source);
}

static ann_status check_options(const ann_import_options *options, const ann_import_idx_options *o) {
    if (o->train_image_count == 0) return ann_error(ANN_ERR_ARG, "import: no training images");
    if (o->test_label_count > 0 && o->test_image_count == 0)
        return ann_error(ANN_ERR_ARG, "import: test labels without test images");
    if (o->train_label_count > 0 && o->train_label_count != o->train_image_count)
        return ann_error(ANN_ERR_ARG, "import: %d files of training labels for %d of images",
                         o->train_label_count, o->train_image_count);
    const int test_labels = o->train_label_count > 0 ? o->test_image_count : 0;
    if (o->test_label_count != test_labels)
        return ann_error(ANN_ERR_ARG, "import: %d files of test labels, expected %d (as for training)",
                         o->test_label_count, test_labels);
    if (options->class_count > 256)
        return ann_error(ANN_ERR_ARG, "import: %d class names, accepted: 0 to 256", options->class_count);
    return ANN_OK;
}

static ann_status allocate(import *im) {
    const size_t files = (size_t)im->idx->train_image_count + (size_t)im->idx->test_image_count;
    ANN_TRY(ann_arena_new(&im->arena));
    im->pairs = ann_arena_alloc(im->arena, files * sizeof *im->pairs);
    im->inputs = ann_arena_alloc(im->arena, 2 * files * sizeof *im->inputs);
    return im->pairs != NULL && im->inputs != NULL ? ANN_OK
                                                   : ann_error(ANN_ERR_MEMORY, "import: out of memory");
}

ann_status ann_import_idx(const ann_import_options *options, const ann_import_idx_options *idx) {
    ANN_TRY(check_options(options, idx));
    struct import im = {.options = options, .idx = idx, .has_labels = idx->train_label_count > 0};
    ann_status status = allocate(&im);
    if (status == ANN_OK) status = import_files(&im);
    for (int i = 0; i < im.pair_count; i++) {
        anni_idx_close(&im.pairs[i].images);
        anni_idx_close(&im.pairs[i].labels);
    }
    ann_arena_free(im.arena);
    return status;
}
