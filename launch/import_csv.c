/* annulus data import csv */
#include <stdlib.h>
#include <string.h>
#include "data_import.h"

static const char command[] = "annulus data import csv";

static const char help[] =
    "annulus data import csv makes an HDF5 dataset of comma-separated values (RFC 4180).\n\n"
    "usage: annulus data import csv [OPTION...] FILE... OUT.h5\n\n"
    "The first line names the columns. Every column but the target and those ignored is an input: x f32 "
    "[columns]. "
    "The\ntarget becomes y: classes if it is text or whole numbers from 0 on, else numbers. What was found "
    "is shown "
    "as a table.\nA missing value (nothing, NA, N/A, NaN, null, None, ?) makes a bad record.\n\n"
    "options:\n"
    "  --target COLUMN    the column to predict\n"
    "  --ignore A,B,...   columns that are left out\n"
    "  --one-hot A,B,...  columns of text: one input, 0 or 1, for each value\n"
    "  --numeric A,B,...  columns of numbers: text in them makes a bad record; a target among them is no "
    "class\n"
    "  --test FILE        a file of the test split; may be given more than once\n"
    "  --delimiter CHAR   between fields (default: a comma); tab for a tab\n"
    "  --no-header        there is no line of names: the columns are called 1, 2, 3 "
    "...\n" IMPORT_OPTIONS_HELP;

typedef struct texts { /* of options that are lists of names */
    const char *ignore, *one_hot, *numeric, *delimiter;
} texts;

/* Cuts text at its commas, into names[0..). Returns how many there are. */
static int cut(const char *text, const char **names) {
    int count = 0;
    for (char *p = (char *)text; p; count++) {
        names[count] = p;
        p = strchr(p, ',');
        if (p) *p++ = '\0';
    }
    return count;
}

static bool read_delimiter(const char *text, char *out) {
    *out = ',';
    if (!text) return true;
    *out = strcmp(text, "tab") == 0 ? '\t' : text[0];
    return strcmp(text, "tab") == 0 || strlen(text) == 1;
}

static size_t commas(const char *text) {
    size_t n = 1;
    for (; text && *text; text++) n += *text == ',';
    return n;
}

static int run_import(import_args *args, ann_import_csv_options *csv, const texts *t) {
    const char **names = calloc(commas(t->ignore) + commas(t->one_hot) + commas(t->numeric), sizeof *names);
    if (!names) return import_end(args, ann_error(ANN_ERR_MEMORY, "out of memory"));
    csv->ignore = names;
    csv->ignore_count = cut(t->ignore, names);
    csv->one_hot = names + csv->ignore_count;
    csv->one_hot_count = cut(t->one_hot, names + csv->ignore_count);
    csv->numeric = csv->one_hot + csv->one_hot_count;
    csv->numeric_count = cut(t->numeric, names + csv->ignore_count + csv->one_hot_count);
    const ann_status status = ann_import_csv(&args->options, csv);
    free(names);
    return import_end(args, status);
}

static int run(int argc, char **argv, const char **tests) {
    ann_import_csv_options csv = {.test = tests};
    texts t = {0};
    const cli_option options[] = {{.name = "--target", .value = &csv.target},
                                  {.name = "--ignore", .value = &t.ignore},
                                  {.name = "--one-hot", .value = &t.one_hot},
                                  {.name = "--numeric", .value = &t.numeric},
                                  {.name = "--test", .list = tests, .list_count = &csv.test_count},
                                  {.name = "--delimiter", .value = &t.delimiter},
                                  {.name = "--no-header", .flag = &csv.no_header}};
    import_args args;
    int count, code;
    if (!import_begin(&args, &code, command, help, options, sizeof options / sizeof options[0], argc, argv,
                      &count))
        return code;
    if (count < 2) return import_wrong(&args, command, "FILE and OUT.h5 are needed");
    if (!read_delimiter(t.delimiter, &csv.delimiter))
        return import_wrong(&args, command, "--delimiter: accepted is one character, or tab");
    args.options.out = argv[count - 1];
    csv.train = (const char *const *)argv;
    csv.train_count = count - 1;
    return run_import(&args, &csv, &t);
}

int cmd_import_csv(int argc, char **argv) {
    const char **tests = calloc((size_t)argc, sizeof *tests);
    if (!tests) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const int code = run(argc, argv, tests);
    free(tests);
    return code;
}
