#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "data/source.h"
#include "datasets/image.h"
#include "datasets/layout.h"
#include "datasets/stored.h"
#include "datasets/write.h"

enum { TRAIN, TEST, SPLITS };
static const char *const split_names[SPLITS] = {"train", "test"};

typedef struct split {
    anni_data_source source;
    anni_stored fields[ANNI_MAX_FIELDS]; /* in the order of the training split */
    bool is_open;
} split;

typedef struct import {
    const ann_import_options *options;
    const ann_import_hdf5_options *hdf5;
    ann_arena *arena;
    split splits[SPLITS];
    int split_count, field_count, x_field;
    ann_shape image;         /* of x as stored, [H, W, C] */
    int64_t height, width;   /* of x as written */
    uint8_t *values, *bytes; /* x of one record: as stored, and as bytes of that size */
} import;

/* ---- one record ---- */

/* A float is from 0 to 1 and becomes round(255 v); an integer is a byte. NULL: the record is good; otherwise
 * what is accepted. */
static const char *to_bytes(const import *im, ann_dtype dtype, int64_t *element) {
    const int64_t n = ann_shape_elems(&im->image);
    for (*element = 0; *element < n; ++*element) {
        if (dtype == ANN_F32) {
            const float v = ((const float *)(const void *)im->values)[*element];
            if (!(v >= 0 && v <= 1)) return "a float from 0 to 1";
            im->bytes[*element] = (uint8_t)lround(255 * (double)v);
        } else {
            const int32_t v = ((const int32_t *)(const void *)im->values)[*element];
            if (v < 0 || v > 255) return "an integer from 0 to 255";
            im->bytes[*element] = (uint8_t)v;
        }
    }
    return NULL;
}

/* What is wrong with the values of a record alone; other errors end the import. */
static ann_status read_values(const import *im, anni_stored *field, int64_t record, void *out, bool *bad) {
    const ann_status status = anni_stored_read(field, record, out);
    if (status != ANN_ERR_NUMERIC && status != ANN_ERR_CORRUPT) return status;
    char text[512];
    const char *what = ann_error_text();
    const size_t n = strlen(im->hdf5->path);
    if (strncmp(what, im->hdf5->path, n) == 0 && what[n] == ':') what += n + 2;
    snprintf(text, sizeof text, "%s", what);
    return anni_bad_record(bad, status, im->hdf5->path, record, "%s", text);
}

static ann_status read_image(import *im, anni_stored *field, int64_t record, uint8_t *out, bool *bad) {
    const anni_column *x = field->column;
    const size_t bytes = (size_t)ann_shape_elems(&im->image);
    ANN_TRY(read_values(im, field, record, im->values, bad));
    int64_t element;
    const char *accepted = NULL;
    if (x->info.dtype == ANN_U8) memcpy(im->bytes, im->values, bytes);
    else accepted = to_bytes(im, x->info.dtype, &element);
    if (accepted != NULL)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, im->hdf5->path, record,
                               "element %" PRId64 " of x is not %s", element, accepted);
    if (im->image.dim[0] == im->height && im->image.dim[1] == im->width) {
        memcpy(out, im->bytes, bytes);
        return ANN_OK;
    }
    const anni_image image = {.height = (int)im->image.dim[0],
                              .width = (int)im->image.dim[1],
                              .channels = (int)im->image.dim[2],
                              .pixels = im->bytes};
    return anni_image_resize(out, (int)im->height, (int)im->width, &image);
}

static int class_count(const import *im) {
    return im->options->class_count > 0 ? im->options->class_count : im->splits[TRAIN].source.class_count;
}

static ann_status check_label(const import *im, int64_t record, int32_t label, bool *bad) {
    const int classes = class_count(im);
    if (label < 0)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, im->hdf5->path, record, "label %" PRId32 " is negative",
                               label);
    if (classes == 0 || label < classes) return ANN_OK;
    return anni_bad_record(bad, ANN_ERR_CORRUPT, im->hdf5->path, record,
                           "label %" PRId32 ", but there are %d class names", label, classes);
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    const int s = record < im->splits[TRAIN].source.samples ? TRAIN : TEST;
    if (s == TEST) record -= im->splits[TRAIN].source.samples;
    for (int f = 0; f < im->field_count; f++) {
        anni_stored *field = &im->splits[s].fields[f];
        if (f == im->x_field) {
            ANN_TRY(read_image(im, field, record, fields[f], bad));
            continue;
        }
        ANN_TRY(read_values(im, field, record, fields[f], bad));
        if (field->column->is_label) ANN_TRY(check_label(im, record, *(const int32_t *)fields[f], bad));
    }
    return ANN_OK;
}

/* ---- the file ---- */

static ann_status open_split(import *im, int s) {
    const ann_import_hdf5_options *o = im->hdf5;
    const ann_data_source from = {.path = o->path,
                                  .fields = s == TRAIN ? o->train : o->test,
                                  .field_count = s == TRAIN ? o->train_count : o->test_count,
                                  .shape = o->shape};
    anni_h5_printing before;
    anni_h5_begin(&before);
    im->splits[s].is_open = true;
    const ann_status status = anni_data_source_open(&im->splits[s].source, &from, split_names[s], im->arena);
    anni_h5_end(&before);
    im->split_count = s + 1;
    return status;
}

/* Without named fields, whether there is a group /test. */
static ann_status has_test(const import *im, bool *out) {
    anni_layout layout;
    *out = im->hdf5->test_count > 0;
    if (im->hdf5->train_count > 0) return ANN_OK;
    ANN_TRY(anni_layout_read(&layout, im->hdf5->path));
    for (int s = 0; s < layout.split_count; s++) *out = *out || strcmp(layout.splits[s], "test") == 0;
    return ANN_OK;
}

/* The fields of the training split, found in the other. */
static ann_status match_fields(import *im, int s) {
    const anni_data_source *train = &im->splits[TRAIN].source, *here = &im->splits[s].source;
    if (here->column_count != train->column_count)
        return ann_error(ANN_ERR_FORMAT, "%s has %d fields, %s has %d", here->name, here->column_count,
                         train->name, train->column_count);
    for (int f = 0; f < train->column_count; f++) {
        const anni_column *want = &train->columns[f], *have = anni_data_source_find(here, want->info.name);
        if (have == NULL)
            return ann_error(ANN_ERR_FORMAT, "%s has no %s, and %s has", here->name, want->info.name,
                             train->name);
        im->splits[s].fields[f].column = have;
        ANN_TRY(anni_column_check_alike(have, want));
    }
    return ANN_OK;
}

static ann_status open_splits(import *im) {
    bool two;
    ANN_TRY(has_test(im, &two));
    for (int s = 0; s < (two ? SPLITS : 1); s++) {
        ANN_TRY(open_split(im, s));
        if (im->splits[s].source.column_count > ANNI_MAX_FIELDS)
            return ann_error(ANN_ERR_UNSUPPORTED, "%s: %d fields, accepted: up to %d", im->hdf5->path,
                             im->splits[s].source.column_count, ANNI_MAX_FIELDS);
        ANN_TRY(match_fields(im, s));
    }
    im->field_count = im->splits[TRAIN].source.column_count;
    return ANN_OK;
}

/* ---- images ---- */

/* [H, W] is [H, W, 1]. */
static ann_status find_image(import *im) {
    const anni_data_source *train = &im->splits[TRAIN].source;
    const anni_column *x = anni_data_source_find(train, "x");
    char text[128];
    im->x_field = (int)(x - train->columns);
    im->image = x->info.shape;
    if (im->image.rank == 2) im->image.dim[im->image.rank++] = 1;
    if (im->image.rank != 3)
        return ann_error(ANN_ERR_ARG,
                         "%s: a sample is %s, which is no image; a shape H,W,C says how it is to be taken",
                         x->where, ann_shape_str(text, sizeof text, &im->image));
    if (im->image.dim[0] > ANNI_IMAGE_MAX_SIDE || im->image.dim[1] > ANNI_IMAGE_MAX_SIDE ||
        ann_shape_elems(&im->image) > ANNI_IMAGE_MAX_PIXELS)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: images %s, accepted: to %d a side, of %d values in all",
                         x->where, ann_shape_str(text, sizeof text, &im->image), ANNI_IMAGE_MAX_SIDE,
                         ANNI_IMAGE_MAX_PIXELS);
    im->height = im->hdf5->height > 0 ? im->hdf5->height : im->image.dim[0];
    im->width = im->hdf5->width > 0 ? im->hdf5->width : im->image.dim[1];
    im->values = malloc(x->row_bytes);
    im->bytes = malloc((size_t)ann_shape_elems(&im->image));
    return im->values != NULL && im->bytes != NULL ? ANN_OK
                                                   : ann_error(ANN_ERR_MEMORY, "import: out of memory");
}

/* ---- writing ---- */

static void describe(const import *im, anni_field *out) {
    for (int f = 0; f < im->field_count; f++) {
        const ann_field_info *info = &im->splits[TRAIN].source.columns[f].info;
        const anni_type type = info->dtype == ANN_U8 ? ANNI_U8 : info->dtype == ANN_I32 ? ANNI_I32 : ANNI_F32;
        out[f] = (anni_field){.name = info->name, .type = type, .shape = info->shape};
    }
    out[im->x_field] = (anni_field){.name = "x",
                                    .shape = ANN_SHAPE(im->height, im->width, im->image.dim[2]),
                                    .normalised = ANNI_PER_CHANNEL};
}

/* Of all that decides the result but the file. */
static uint64_t identity(const import *im) {
    const ann_import_hdf5_options *o = im->hdf5;
    const int64_t numbers[] = {o->train_count,   im->image.dim[0], im->image.dim[1],
                               im->image.dim[2], im->height,       im->width};
    uint64_t hash = ann_hash(numbers, sizeof numbers, 0);
    for (int i = 0; i < o->train_count + o->test_count; i++) {
        const ann_field_source *field = i < o->train_count ? &o->train[i] : &o->test[i - o->train_count];
        hash = ann_hash(field->name, strlen(field->name) + 1, hash);
        hash = ann_hash(field->path, strlen(field->path) + 1, hash);
    }
    return hash;
}

static ann_status import_file(import *im) {
    ANN_TRY(open_splits(im));
    ANN_TRY(find_image(im));
    const anni_data_source *train = &im->splits[TRAIN].source;
    anni_field fields[ANNI_MAX_FIELDS];
    describe(im, fields);
    anni_source source = {.format = "hdf5",
                          .inputs = &im->hdf5->path,
                          .input_count = 1,
                          .identity = identity(im),
                          .fields = fields,
                          .field_count = im->field_count,
                          .classes = (const char *const *)train->classes,
                          .class_count = train->class_count,
                          .split_count = im->split_count,
                          .read = read_record,
                          .self = im};
    for (int s = 0; s < im->split_count && s < SPLITS; s++) {
        source.splits[s].name = split_names[s];
        source.splits[s].count = im->splits[s].source.samples;
    }
    return anni_import(im->options, &source);
}

static void close_split(split *s) {
    for (int f = 0; f < ANNI_MAX_FIELDS; f++) anni_stored_fini(&s->fields[f]);
    anni_h5_printing before;
    anni_h5_begin(&before);
    if (s->is_open) anni_data_source_close(&s->source);
    anni_h5_end(&before);
}

static ann_status check_options(const ann_import_hdf5_options *o) {
    if (o->path == NULL) return ann_error(ANN_ERR_ARG, "import: no file");
    if (o->test_count > 0 && o->train_count == 0)
        return ann_error(ANN_ERR_ARG, "import: fields of the test split without those of training");
    if (o->train_count > ANNI_MAX_FIELDS || o->test_count > ANNI_MAX_FIELDS)
        return ann_error(ANN_ERR_ARG, "import: more than %d fields", ANNI_MAX_FIELDS);
    if (o->shape.rank != 0 && o->shape.rank != 2 && o->shape.rank != 3)
        return ann_error(ANN_ERR_ARG, "import: a shape of %d extents, accepted: H,W,C or H,W", o->shape.rank);
    return anni_image_check_size(o->height, o->width);
}

ann_status ann_import_hdf5(const ann_import_options *options, const ann_import_hdf5_options *hdf5) {
    ANN_TRY(check_options(hdf5));
    import *im = calloc(1, sizeof *im);
    if (im == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    im->options = options;
    im->hdf5 = hdf5;
    ann_status status = ann_arena_new(&im->arena);
    if (status == ANN_OK) status = import_file(im);
    for (int s = 0; s < SPLITS; s++) close_split(&im->splits[s]);
    ann_arena_free(im->arena);
    free(im->values);
    free(im->bytes);
    free(im);
    return status;
}
