#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "datasets/input.h"
#include "datasets/write.h"

/* CIFAR-10: label, then the red, green and blue plane. CIFAR-100: coarse label, fine label, planes. */
enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, COARSE_CLASSES = 20, MAX_RECORD = PIXELS + 2 };
enum { X, Y, COARSE };

typedef struct file {
    anni_input input;
    int64_t first, records;
} file;

typedef struct import {
    const ann_import_options *options;
    const ann_import_cifar_options *cifar;
    ann_arena *arena;
    file *files; /* those of training first */
    int file_count, current;
    const char **inputs;
    int labels; /* bytes of labels before the pixels: 1 or 2 */
} import;

static int class_count(const import *im) { return im->labels == 1 ? 10 : 100; }

/* ---- reading ---- */

static void interleave(uint8_t *out, const uint8_t *planes) {
    for (int i = 0; i < PLANE; i++) {
        for (int c = 0; c < 3; c++) out[3 * i + c] = planes[c * PLANE + i];
    }
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    uint8_t bytes[MAX_RECORD];
    const int64_t record_bytes = PIXELS + im->labels;
    if (record < im->files[im->current].first) im->current = 0;
    while (record >= im->files[im->current].first + im->files[im->current].records) im->current++;
    file *f = &im->files[im->current];
    const int64_t here = record - f->first;
    ANN_TRY(anni_input_read(&f->input, here * record_bytes, bytes, record_bytes));
    const int label = bytes[im->labels - 1], coarse = bytes[0];
    const int classes = im->options->class_count > 0 ? im->options->class_count : class_count(im);
    if (label >= classes)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, f->input.path, here,
                               "label %d, but there are %d classes", label, classes);
    if (im->labels == 2 && coarse >= COARSE_CLASSES)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, f->input.path, here,
                               "coarse label %d, but there are %d of them", coarse, COARSE_CLASSES);
    interleave(fields[X], bytes + im->labels);
    *(uint8_t *)fields[Y] = (uint8_t)label;
    if (im->labels == 2) *(uint8_t *)fields[COARSE] = (uint8_t)coarse;
    return ANN_OK;
}

/* ---- the files ---- */

/* By the length of the first file: 10000 records of CIFAR-10 or 50000 of CIFAR-100, or any other number. */
static ann_status find_kind(import *im, const anni_input *input) {
    const bool is_10 = input->bytes % (PIXELS + 1) == 0, is_100 = input->bytes % (PIXELS + 2) == 0;
    if (im->cifar->classes != 0 || is_10 != is_100) {
        im->labels = im->cifar->classes == 10 || (im->cifar->classes == 0 && is_10) ? 1 : 2;
        return ANN_OK;
    }
    return ann_error(ANN_ERR_FORMAT,
                     "%s: %" PRId64 " bytes are not records of %d bytes (CIFAR-10) or %d bytes (CIFAR-100)",
                     input->path, input->bytes, PIXELS + 1, PIXELS + 2);
}

static ann_status open_file(import *im, const char *path, int64_t *records) {
    file *f = &im->files[im->file_count];
    im->inputs[im->file_count++] = path;
    ANN_TRY(anni_input_open(&f->input, path));
    if (f->input.bytes == 0) return ann_error(ANN_ERR_FORMAT, "%s: is empty", path);
    if (im->file_count == 1) ANN_TRY(find_kind(im, &f->input));
    const int64_t record_bytes = PIXELS + im->labels;
    if (f->input.bytes % record_bytes != 0)
        return ann_error(ANN_ERR_FORMAT,
                         "%s: truncated in record %" PRId64 ": CIFAR-%d has records of %d bytes", path,
                         f->input.bytes / record_bytes, class_count(im), (int)record_bytes);
    f->first = *records;
    f->records = f->input.bytes / record_bytes;
    *records += f->records;
    return ANN_OK;
}

static ann_status open_files(import *im, anni_source *source) {
    const ann_import_cifar_options *o = im->cifar;
    int64_t records = 0;
    for (int i = 0; i < o->train_count; i++) ANN_TRY(open_file(im, o->train[i], &records));
    source->splits[0].name = "train";
    source->splits[0].count = records;
    source->split_count = 1;
    if (o->test_count == 0) return ANN_OK;
    for (int i = 0; i < o->test_count; i++) ANN_TRY(open_file(im, o->test[i], &records));
    source->splits[1].name = "test";
    source->splits[1].count = records - source->splits[0].count;
    source->split_count = 2;
    return ANN_OK;
}

/* ---- names ---- */

/* The names in `name` beside the first file; none if there is no such file. */
static ann_status read_names(import *im, const char *name, int wanted, const char ***out, int *count) {
    const char *first = im->inputs[0], *slash = strrchr(first, '/');
    const char *path =
        ann_arena_printf(im->arena, "%.*s%s", slash == NULL ? 0 : (int)(slash + 1 - first), first, name);
    *count = 0;
    if (path == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", first);
    if (access(path, F_OK) != 0) return ANN_OK;
    ANN_TRY(anni_input_lines(out, count, path, 256, im->arena));
    if (*count == wanted) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "%s: %d names, expected %d", path, *count, wanted);
}

static ann_status import_files(import *im) {
    anni_source source = {.format = "cifar", .read = read_record, .self = im, .inputs = im->inputs};
    const char **classes = NULL, **coarse = NULL;
    int coarse_count = 0;
    ANN_TRY(open_files(im, &source));
    const bool is_10 = im->labels == 1;
    ANN_TRY(read_names(im, is_10 ? "batches.meta.txt" : "fine_label_names.txt", class_count(im), &classes,
                       &source.class_count));
    if (!is_10) ANN_TRY(read_names(im, "coarse_label_names.txt", COARSE_CLASSES, &coarse, &coarse_count));
    const anni_attribute coarse_classes = {"coarse_classes", coarse, coarse_count};
    const anni_field fields[] = {
        [X] = {.name = "x", .shape = ANN_SHAPE(SIDE, SIDE, 3), .normalised = ANNI_PER_CHANNEL},
        [Y] = {.name = "y"},
        [COARSE] = {.name = "coarse"}};
    source.input_count = im->file_count;
    source.classes = classes;
    source.fields = fields;
    source.field_count = is_10 ? 2 : 3;
    source.attributes = &coarse_classes;
    source.attribute_count = coarse_count > 0 ? 1 : 0;
    return anni_import(im->options, &source);
}

static ann_status check_options(const ann_import_cifar_options *o) {
    if (o->train_count < 1) return ann_error(ANN_ERR_ARG, "import: no training files");
    if (o->classes != 0 && o->classes != 10 && o->classes != 100)
        return ann_error(ANN_ERR_ARG, "import: CIFAR-%d, accepted: 10 and 100", o->classes);
    return ANN_OK;
}

ann_status ann_import_cifar(const ann_import_options *options, const ann_import_cifar_options *cifar) {
    ANN_TRY(check_options(cifar));
    struct import im = {.options = options, .cifar = cifar};
    const size_t files = (size_t)cifar->train_count + (size_t)cifar->test_count;
    ANN_TRY(ann_arena_new(&im.arena));
    im.files = ann_arena_alloc(im.arena, files * sizeof *im.files);
    im.inputs = ann_arena_alloc(im.arena, files * sizeof *im.inputs);
    const ann_status status = im.files != NULL && im.inputs != NULL
                                  ? import_files(&im)
                                  : ann_error(ANN_ERR_MEMORY, "import: out of memory");
    for (int i = 0; i < im.file_count; i++) anni_input_close(&im.files[i].input);
    ann_arena_free(im.arena);
    return status;
}
