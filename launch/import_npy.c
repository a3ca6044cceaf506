/* annulus data import npy */
#include <stdlib.h>
#include <string.h>
#include "data_import.h"

static const char command[] = "annulus data import npy";

static const char help[] =
    "annulus data import npy makes an HDF5 dataset of numpy's arrays, one file for each field.\n\n"
    "usage: annulus data import npy [OPTION...] --x FILE [--y FILE] [--field NAME=FILE]...\n"
    "                               [--test-x FILE [--test-y FILE] [--test-field NAME=FILE]...] OUT.h5\n\n"
    "The first extent of an array is the number of records. x: inputs of any shape, of type u1 or bool "
    "(stored as "
    "u8;\n[N,H,W] as images [N,H,W,1]), f2 f4 f8 (stored as f32), or another integer (stored as i32). y: "
    "labels, "
    "integers [N],\nor any other target. C order and either byte order are read; NaN and Inf are bad "
    "records.\n\n"
    "options:\n"
    "  --x FILE, --y FILE, --test-x FILE, --test-y FILE\n"
    "                     arrays of inputs and of targets\n"
    "  --field NAME=FILE, --test-field NAME=FILE\n"
    "                     any other field, such as mask or weight\n" IMPORT_OPTIONS_HELP;

enum { MAX_FIELDS = 32 };

typedef struct lists {
    const char *x, *y, *test_x, *test_y, **fields, **tests;
    int field_count, test_count;
} lists;

static ann_import_npy_field *find(ann_import_npy_field *fields, int count, const char *name) {
    for (int f = 0; f < count; f++)
        if (strcmp(fields[f].name, name) == 0) return &fields[f];
    return NULL;
}

/* Cuts each NAME=FILE in place. Returns what is wrong, or NULL. */
static const char *add_fields(const lists *l, ann_import_npy_field *fields, int *count) {
    if (l->field_count > MAX_FIELDS - 2) return "too many fields";
    for (int i = 0; i < l->field_count + l->test_count; i++) {
        const bool is_test = i >= l->field_count;
        char *text = (char *)(is_test ? l->tests[i - l->field_count] : l->fields[i]),
             *equals = strchr(text, '=');
        if (!equals) return "--field and --test-field need NAME=FILE";
        *equals = '\0';
        ann_import_npy_field *field = find(fields, *count, text);
        if (is_test != (field != NULL))
            return is_test ? "--test-field without --field" : "a field is given twice";
        if (is_test) field->test = equals + 1;
        else fields[(*count)++] = (ann_import_npy_field){text, equals + 1, NULL};
    }
    return NULL;
}

static int run(int argc, char **argv, const char **room) {
    lists l = {.fields = room, .tests = room + argc};
    const cli_option options[] = {{.name = "--x", .value = &l.x},
                                  {.name = "--y", .value = &l.y},
                                  {.name = "--test-x", .value = &l.test_x},
                                  {.name = "--test-y", .value = &l.test_y},
                                  {.name = "--field", .list = l.fields, .list_count = &l.field_count},
                                  {.name = "--test-field", .list = l.tests, .list_count = &l.test_count}};
    import_args args;
    int count, code, field_count = 0;
    if (!import_begin(&args, &code, command, help, options, sizeof options / sizeof options[0], argc, argv,
                      &count))
        return code;
    if (count != 1) return import_wrong(&args, command, "one argument is needed, OUT.h5");
    if (!l.x) return import_wrong(&args, command, "--x is missing");
    if (l.test_y && !l.y) return import_wrong(&args, command, "--test-y without --y");
    ann_import_npy_field fields[MAX_FIELDS];
    fields[field_count++] = (ann_import_npy_field){"x", l.x, l.test_x};
    if (l.y) fields[field_count++] = (ann_import_npy_field){"y", l.y, l.test_y};
    const char *wrong = add_fields(&l, fields, &field_count);
    if (wrong) return import_wrong(&args, command, wrong);
    args.options.out = argv[0];
    const ann_import_npy_options npy = {fields, field_count};
    return import_end(&args, ann_import_npy(&args.options, &npy));
}

int cmd_import_npy(int argc, char **argv) {
    const char **room = calloc(2 * (size_t)argc, sizeof *room);
    if (!room) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const int code = run(argc, argv, room);
    free(room);
    return code;
}
