#include <inttypes.h>
#include <string.h>
#include "datasets/npy.h"
#include "datasets/write.h"

enum { TRAIN, TEST, SPLITS };

typedef struct import {
    const ann_import_options *options;
    const ann_import_npy_options *npy;
    anni_npy arrays[ANNI_MAX_FIELDS][SPLITS];
    int64_t train_records;
    int label_field; /* y as class labels; -1 */
} import;

static bool is_named(const ann_import_npy_field *field, const char *name) {
    return strcmp(field->name, name) == 0;
}

/* ---- reading ---- */

static ann_status check_label(const import *im, const anni_npy *array, int64_t record, const void *value,
                              bool *bad) {
    const int32_t label = anni_npy_type(array) == ANNI_U8 ? *(const uint8_t *)value : *(const int32_t *)value;
    const int classes = im->options->class_count;
    if (label < 0)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, array->input.path, record, "label %d is negative",
                               label);
    if (classes == 0 || label < classes) return ANN_OK;
    return anni_bad_record(bad, ANN_ERR_CORRUPT, array->input.path, record,
                           "label %d, but there are %d class names", label, classes);
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    const int s = record < im->train_records ? TRAIN : TEST;
    if (s == TEST) record -= im->train_records;
    for (int f = 0; f < im->npy->field_count; f++) {
        anni_npy *array = &im->arrays[f][s];
        ANN_TRY(anni_npy_read(array, record, fields[f], bad));
        if (f == im->label_field) ANN_TRY(check_label(im, array, record, fields[f], bad));
    }
    return ANN_OK;
}

/* ---- the files ---- */

static ann_status check_array(const import *im, int f, int s) {
    const anni_npy *here = &im->arrays[f][s], *first = &im->arrays[0][s], *train = &im->arrays[f][TRAIN];
    char a[128], b[128];
    if (here->shape.dim[0] != first->shape.dim[0])
        return ann_error(ANN_ERR_FORMAT, "%s: %" PRId64 " records for the %" PRId64 " of %s",
                         here->input.path, here->shape.dim[0], first->shape.dim[0], first->input.path);
    ann_shape shape = here->shape;
    shape.dim[0] = train->shape.dim[0];
    if (ann_shape_equal(&shape, &train->shape) && anni_npy_type(here) == anni_npy_type(train)) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s: %s of another shape or type than %s, %s", here->input.path,
                     ann_shape_str(a, sizeof a, &here->shape), train->input.path,
                     ann_shape_str(b, sizeof b, &train->shape));
}

static ann_status open_split(import *im, int s) {
    for (int f = 0; f < im->npy->field_count; f++) {
        const ann_import_npy_field *field = &im->npy->fields[f];
        ANN_TRY(anni_npy_open(&im->arrays[f][s], s == TRAIN ? field->train : field->test));
        ANN_TRY(check_array(im, f, s));
    }
    return ANN_OK;
}

/* Features of a vector and channels of an image each have a mean of their own. */
static anni_normalised normalisation(const anni_field *field) {
    const ann_shape *shape = &field->shape;
    if (strcmp(field->name, "x") != 0 || field->type == ANNI_I32) return ANNI_NOT_NORMALISED;
    const bool vector = shape->rank == 1 && field->type == ANNI_F32, image = shape->rank == 3;
    return (vector || image) && shape->dim[shape->rank - 1] <= 4096 ? ANNI_PER_CHANNEL : ANNI_OVERALL;
}

static anni_field describe(const ann_import_npy_field *field, const anni_npy *array) {
    anni_field out = {.name = field->name, .type = anni_npy_type(array), .shape.rank = array->shape.rank - 1};
    memcpy(out.shape.dim, array->shape.dim + 1, (size_t)out.shape.rank * sizeof *out.shape.dim);
    const bool image = out.type == ANNI_U8 && out.shape.rank == 2;
    if (is_named(field, "x") && (out.shape.rank == 0 || image)) out.shape.dim[out.shape.rank++] = 1;
    out.normalised = normalisation(&out);
    return out;
}

static ann_status import_files(import *im) {
    const ann_import_npy_options *o = im->npy;
    anni_source source = {.format = "npy", .read = read_record, .self = im, .field_count = o->field_count};
    anni_field fields[ANNI_MAX_FIELDS];
    const char *inputs[2 * ANNI_MAX_FIELDS];
    const bool has_test = o->fields[0].test != NULL;
    ANN_TRY(open_split(im, TRAIN));
    if (has_test) ANN_TRY(open_split(im, TEST));
    for (int f = 0; f < o->field_count; f++) {
        fields[f] = describe(&o->fields[f], &im->arrays[f][TRAIN]);
        inputs[source.input_count++] = o->fields[f].train;
        if (has_test) inputs[source.input_count++] = o->fields[f].test;
        const bool is_label = is_named(&o->fields[f], "y") && fields[f].shape.rank == 0;
        if (is_label && fields[f].type != ANNI_F32) im->label_field = f;
    }
    im->train_records = im->arrays[0][TRAIN].shape.dim[0];
    source.splits[TRAIN].name = "train";
    source.splits[TRAIN].count = im->train_records;
    source.splits[TEST].name = "test";
    source.splits[TEST].count = has_test ? im->arrays[0][TEST].shape.dim[0] : 0;
    source.split_count = has_test ? 2 : 1;
    source.inputs = inputs;
    source.fields = fields;
    return anni_import(im->options, &source);
}

static ann_status check_options(const ann_import_npy_options *o) {
    bool has_x = false;
    if (o->field_count < 1 || o->field_count > ANNI_MAX_FIELDS)
        return ann_error(ANN_ERR_ARG, "import: %d fields, accepted: 1 to %d", o->field_count,
                         ANNI_MAX_FIELDS);
    for (int f = 0; f < o->field_count; f++) {
        const ann_import_npy_field *field = &o->fields[f];
        has_x = has_x || is_named(field, "x");
        if (field->name[0] == '\0' || strpbrk(field->name, "/.") != NULL || strlen(field->name) > 64)
            return ann_error(ANN_ERR_ARG, "import: '%s' is no name of a field", field->name);
        if (field->train == NULL)
            return ann_error(ANN_ERR_ARG, "import: no training file of %s", field->name);
        if ((field->test != NULL) != (o->fields[0].test != NULL))
            return ann_error(ANN_ERR_ARG, "import: a test file for some fields only");
        for (int g = 0; g < f; g++) {
            if (is_named(field, o->fields[g].name))
                return ann_error(ANN_ERR_ARG, "import: field %s is given twice", field->name);
        }
    }
    return has_x ? ANN_OK : ann_error(ANN_ERR_ARG, "import: no field x");
}

ann_status ann_import_npy(const ann_import_options *options, const ann_import_npy_options *npy) {
    ANN_TRY(check_options(npy));
    struct import im = {.options = options, .npy = npy, .label_field = -1};
    const ann_status status = import_files(&im);
    for (int f = 0; f < npy->field_count; f++) {
        for (int s = 0; s < SPLITS; s++) anni_npy_close(&im.arrays[f][s]);
    }
    return status;
}
