#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "datasets/folder.h"
#include "datasets/image.h"
#include "datasets/input.h"
#include "datasets/write.h"

enum { MAX_FILE_BYTES = 1 << 28 };

typedef struct import {
    const ann_import_options *options;
    const ann_import_images_options *images;
    ann_arena *arena;
    anni_folder folder;
    int height, width, channels;
    uint8_t *bytes; /* of a file */
    size_t room;
    anni_image image;
} import;

/* ---- one image ---- */

static ann_status read_file(import *im, anni_input *input) {
    const size_t size = (size_t)input->bytes;
    if (input->bytes > MAX_FILE_BYTES)
        return ann_error(ANN_ERR_CORRUPT, "%" PRId64 " bytes, accepted: up to %d", input->bytes,
                         MAX_FILE_BYTES);
    if (size > im->room) {
        free(im->bytes);
        im->room = 0;
        im->bytes = malloc(size);
        if (im->bytes == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
        im->room = size;
    }
    ANN_TRY(anni_input_read(input, 0, im->bytes, input->bytes));
    return anni_image_decode(&im->image, im->bytes, size, im->channels);
}

static ann_status decode(import *im, const char *path) {
    anni_input input;
    ann_status status = anni_input_open(&input, path);
    if (status == ANN_OK) status = read_file(im, &input);
    anni_input_close(&input);
    return status;
}

static ann_status read_pixels(import *im, const char *path, uint8_t *x) {
    const anni_image *image = &im->image;
    ANN_TRY(decode(im, path));
    if (image->height == im->height && image->width == im->width) {
        memcpy(x, image->pixels, (size_t)im->height * (size_t)im->width * (size_t)im->channels);
        return ANN_OK;
    }
    if (im->images->height > 0) return anni_image_resize(x, im->height, im->width, image);
    return ann_error(ANN_ERR_CORRUPT, "%d x %d pixels, those before it have %d x %d (to resize: --size HxW)",
                     image->height, image->width, im->height, im->width);
}

/* A file's own fault is a bad record, whatever it is; that memory is short is not its fault. */
static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    const anni_file *file = &im->folder.files[record];
    const ann_status status = read_pixels(im, file->path, fields[0]);
    *(int32_t *)fields[1] = file->label;
    if (status == ANN_OK) return ANN_OK;
    char text[512];
    const size_t n = strlen(file->path);
    const char *what = ann_error_text();
    if (strncmp(what, file->path, n) == 0 && what[n] == ':') what += n + 2;
    snprintf(text, sizeof text, "%s", what);
    if (status == ANN_ERR_MEMORY) return ann_error(status, "%s: %s", file->path, text);
    const int64_t train = im->folder.train_count;
    return anni_bad_record(bad, ANN_ERR_CORRUPT, file->path, record < train ? record : record - train, "%s",
                           text);
}

/* ---- the folder ---- */

/* Without a size to resize to, all have that of the first image that can be read. */
static ann_status find_size(import *im) {
    im->height = im->images->height;
    im->width = im->images->width;
    for (int64_t i = 0; i < im->folder.file_count && im->height == 0; i++) {
        const ann_status status = decode(im, im->folder.files[i].path);
        if (status == ANN_ERR_MEMORY) return status;
        if (status != ANN_OK && !im->options->skip_bad)
            return ann_error(status, "%s: record 0: %s", im->folder.files[i].path, ann_error_text());
        if (status != ANN_OK) continue;
        im->height = im->image.height;
        im->width = im->image.width;
    }
    ann_error_clear();
    return im->height > 0 ? ANN_OK
                          : ann_error(ANN_ERR_CORRUPT, "%s: no image can be read", im->images->folder);
}

static void say_left_out(const import *im) {
    char line[128];
    if (im->folder.left_out == 0 || im->options->note == NULL) return;
    snprintf(line, sizeof line, "left out: %" PRId64 " files that are not called .png, .jpg or .jpeg",
             im->folder.left_out);
    im->options->note(im->options->to, line);
}

static ann_status import_listed(import *im) {
    const anni_folder *folder = &im->folder;
    anni_source source = {.format = "images", .read = read_record, .self = im};
    ANN_TRY(find_size(im));
    say_left_out(im);
    const anni_field fields[] = {{.name = "x",
                                  .shape = ANN_SHAPE(im->height, im->width, im->channels),
                                  .normalised = ANNI_PER_CHANNEL},
                                 {.name = "y", .type = ANNI_I32}};
    source.provenance =
        ann_arena_printf(im->arena, "%s: %" PRId64 " files, names and lengths xxh3:%016" PRIx64,
                         im->images->folder, folder->file_count, folder->hash);
    if (source.provenance == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    source.identity = folder->state;
    source.fields = fields;
    source.field_count = 2;
    source.classes = folder->classes;
    source.class_count = folder->class_count;
    source.splits[0].name = "train";
    source.splits[0].count = folder->train_count;
    source.splits[1].name = "test";
    source.splits[1].count = folder->file_count - folder->train_count;
    source.split_count = source.splits[1].count > 0 ? 2 : 1;
    return anni_import(im->options, &source);
}

static ann_status check_options(const ann_import_options *options, const ann_import_images_options *o) {
    if (o->folder == NULL) return ann_error(ANN_ERR_ARG, "import: no folder");
    ANN_TRY(anni_image_check_size(o->height, o->width));
    if (options->class_count > 0)
        return ann_error(ANN_ERR_ARG, "import: class names, but folders have names themselves");
    return ANN_OK;
}

ann_status ann_import_images(const ann_import_options *options, const ann_import_images_options *images) {
    ANN_TRY(check_options(options, images));
    struct import im = {.options = options, .images = images, .channels = images->gray ? 1 : 3};
    ANN_TRY(ann_arena_new(&im.arena));
    ann_status status = anni_folder_list(&im.folder, images->folder, im.arena);
    if (status == ANN_OK) status = import_listed(&im);
    anni_folder_fini(&im.folder);
    free(im.image.pixels);
    free(im.bytes);
    ann_arena_free(im.arena);
    return status;
}
