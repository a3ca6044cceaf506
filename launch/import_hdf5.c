/* annulus data import hdf5 */
#include <string.h>
#include "data_import.h"
#include "data_text.h"

static const char command[] = "annulus data import hdf5";

static const char help[] =
    "annulus data import hdf5 makes a dataset of u8 images of somebody's HDF5 file.\n\n"
    "usage: annulus data import hdf5 [OPTION...] IN.h5 OUT.h5\n\n"
    "A file whose splits are not the groups /train and /test has its HDF5 datasets named; `annulus data info "
    "IN.h5` lists\nthem. x: images [N,H,W,C] or [N,H,W]. Floats are from 0 to 1, and v becomes round(255 v); "
    "integers are from 0 to 255;\na record with any other value is bad. y and other fields are kept.\n\n"
    "options:\n"
    "  --train x=PATH,y=PATH, --test x=PATH,y=PATH\n"
    "                     the fields of each split, such as x=train/data,y=train/target\n"
    "  --shape H,W,C      of one sample of x, where the file has another, such as 16,16,1\n"
    "  --size HxW         resize every image to H rows of W pixels (its sides' ratio is not "
    "kept)\n" IMPORT_OPTIONS_HELP;

enum { MAX_FIELDS = 32 };

/* Cuts "x=A,y=B" in place. False: it is something else. */
static bool read_fields(ann_field_source fields[MAX_FIELDS], int *count, const char *text) {
    for (char *at = (char *)(uintptr_t)text; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL) *comma++ = '\0';
        if (*count == MAX_FIELDS || !data_text_field(&fields[(*count)++], at)) return false;
        at = comma;
    }
    return true;
}

typedef struct texts {
    const char *train, *test, *shape, *size;
} texts;

/* Returns what is wrong, or NULL. */
static const char *read_texts(ann_import_hdf5_options *o, ann_field_source fields[2][MAX_FIELDS],
                              const texts *t) {
    if (t->test && !t->train) return "--test without --train";
    if (t->train && !read_fields(fields[0], &o->train_count, t->train))
        return "--train: accepted is NAME=PATH,NAME=PATH...";
    if (t->test && !read_fields(fields[1], &o->test_count, t->test))
        return "--test: accepted is NAME=PATH,NAME=PATH...";
    if (t->shape && !data_text_shape(&o->shape, t->shape))
        return "--shape: accepted are extents such as 16,16,1";
    if (t->size && !data_text_size(&o->height, &o->width, t->size))
        return "--size: accepted is HxW, rows and columns from 1 to 32768";
    return NULL;
}

int cmd_import_hdf5(int argc, char **argv) {
    texts t = {NULL, NULL, NULL, NULL};
    const cli_option options[] = {{.name = "--train", .value = &t.train},
                                  {.name = "--test", .value = &t.test},
                                  {.name = "--shape", .value = &t.shape},
                                  {.name = "--size", .value = &t.size}};
    import_args args;
    int count, code;
    if (!import_begin(&args, &code, command, help, options, 4, argc, argv, &count)) return code;
    ann_field_source fields[2][MAX_FIELDS];
    ann_import_hdf5_options hdf5 = {.train = fields[0], .test = fields[1]};
    const char *wrong = read_texts(&hdf5, fields, &t);
    if (wrong) return import_wrong(&args, command, wrong);
    if (count != 2) return import_wrong(&args, command, "IN.h5 and OUT.h5 are needed");
    hdf5.path = argv[0];
    args.options.out = argv[1];
    return import_end(&args, ann_import_hdf5(&args.options, &hdf5));
}
