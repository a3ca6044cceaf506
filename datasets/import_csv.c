#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "datasets/csv_survey.h"
#include "datasets/write.h"

typedef struct import {
    const ann_import_options *options;
    const ann_import_csv_options *o;
    ann_arena *arena;
    anni_survey survey;
    const char **paths; /* those of training first */
    int path_count;
    const anni_column *target; /* NULL: none */
    bool has_classes;          /* the target's values are classes; else numbers */
    int inputs;                /* elements of x */
    anni_csv csv;              /* the file that is open, */
    int file;                  /* its number, -1: none, */
    int64_t first, next;       /* its first record and the one it gives next, among all */
} import;

/* ---- reading ---- */

static ann_status open_file(import *im, int file, int64_t first) {
    bool end;
    const char *problem;
    anni_csv_close(&im->csv);
    im->file = file;
    im->first = im->next = first;
    ANN_TRY(anni_csv_open(&im->csv, im->paths[file], im->o->delimiter == 0 ? ',' : im->o->delimiter));
    return im->o->no_header ? ANN_OK : anni_csv_next(&im->csv, &end, &problem);
}

/* Reads on to the record; *problem: as anni_csv_next. */
static ann_status go_to(import *im, int64_t record, const char **problem) {
    bool end = false;
    if (im->file < 0 || record < im->next) ANN_TRY(open_file(im, 0, 0));
    while (record >= im->first + im->survey.records[im->file])
        ANN_TRY(open_file(im, im->file + 1, im->first + im->survey.records[im->file]));
    for (; im->next <= record && !end; im->next++) ANN_TRY(anni_csv_next(&im->csv, &end, problem));
    return end ? ann_error(ANN_ERR_FORMAT, "%s: has become shorter", im->csv.path) : ANN_OK;
}

/* What is wrong with a value, after its line and column. */
static ann_status bad_value(const import *im, bool *bad, const anni_column *column, const char *text,
                            const char *what) {
    char shown[40];
    snprintf(shown, sizeof shown, "%s", text);
    for (char *c = shown; *c != '\0'; c++) *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    return anni_bad_record(bad, ANN_ERR_CORRUPT, im->csv.path, im->next - 1 - im->first,
                           "line %" PRId64 ": %s: '%s' is %s", im->csv.record_line, column->name, shown,
                           what);
}

static ann_status read_number(const import *im, const anni_column *column, const char *text, float *out,
                              bool *bad) {
    double value;
    if (!anni_csv_number(text, &value)) return bad_value(im, bad, column, text, "no number");
    *out = (float)value;
    return isfinite(*out) ? ANN_OK : bad_value(im, bad, column, text, "beyond float32");
}

/* The label of a value among the names that the options give, or the distinct values. */
static int find_class(const import *im, const anni_column *target, const char *text) {
    double value;
    const int count = im->options->class_count;
    if (count == 0) return anni_column_find(target, text);
    if (!target->is_text) return anni_csv_number(text, &value) && value < count ? (int)value : -1;
    for (int i = 0; i < count; i++) {
        if (strcmp(im->options->classes[i], text) == 0) return i;
    }
    return -1;
}

static ann_status read_target(const import *im, const anni_column *target, const char *text, void *y,
                              bool *bad) {
    if (!im->has_classes) return read_number(im, target, text, y, bad);
    const int label = find_class(im, target, text);
    if (label < 0) return bad_value(im, bad, target, text, "no class");
    *(int32_t *)y = label;
    return ANN_OK;
}

static ann_status read_values(const import *im, void *const *fields, bool *bad) {
    float *x = fields[0];
    for (int i = 0; i < im->survey.column_count; i++) {
        const anni_column *column = &im->survey.columns[i];
        const char *text = anni_csv_field(&im->csv, i);
        if (column->role == ANNI_IGNORED) continue;
        if (anni_csv_missing(text)) return bad_value(im, bad, column, text, "missing");
        if (column->role == ANNI_TARGET) {
            ANN_TRY(read_target(im, column, text, fields[1], bad));
        } else if (column->role == ANNI_ONE_HOT) {
            const int at = anni_column_find(column, text);
            if (at < 0) return bad_value(im, bad, column, text, "new");
            for (int k = 0; k < column->value_count; k++) *x++ = k == at ? 1.0F : 0.0F;
        } else {
            ANN_TRY(read_number(im, column, text, x++, bad));
        }
    }
    return ANN_OK;
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    const char *problem = NULL;
    ANN_TRY(go_to(im, record, &problem));
    const int64_t here = record - im->first;
    if (problem != NULL)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, im->csv.path, here, "line %" PRId64 ": %s",
                               im->csv.record_line, problem);
    if (im->csv.count != im->survey.column_count)
        return anni_bad_record(bad, ANN_ERR_CORRUPT, im->csv.path, here,
                               "line %" PRId64 ": %d fields, but there are %d columns", im->csv.record_line,
                               im->csv.count, im->survey.column_count);
    return read_values(im, fields, bad);
}

/* ---- the table of what was found ---- */

enum { MAX_SHOWN = 64 };

static void say(const import *im, const char *line) {
    if (im->options->note != NULL) im->options->note(im->options->to, line);
}

static void describe(const import *im, const anni_column *column, char *out, size_t size) {
    const bool is_class = column->role == ANNI_TARGET && im->has_classes;
    if (column->role == ANNI_IGNORED) snprintf(out, size, "ignored");
    else if (column->role == ANNI_ONE_HOT)
        snprintf(out, size, "input, one-hot of %d values", column->value_count);
    else if (is_class && im->options->class_count > 0)
        snprintf(out, size, "target, %d named classes", im->options->class_count);
    else if (is_class) snprintf(out, size, "target, %d classes", column->value_count);
    else
        snprintf(out, size, "%s, %g to %g", column->role == ANNI_TARGET ? "target" : "input", column->min,
                 column->max);
}

static void show_table(const import *im) {
    char line[512], role[128];
    const anni_survey *s = &im->survey;
    say(im, "column                   type     missing  use");
    for (int i = 0; i < s->column_count && i < MAX_SHOWN; i++) {
        const anni_column *column = &s->columns[i];
        describe(im, column, role, sizeof role);
        snprintf(line, sizeof line, "%-24.64s %-8s %7" PRId64 "  %s", column->name,
                 column->is_text       ? "text"
                 : column->is_fraction ? "number"
                                       : "integer",
                 column->missing, role);
        say(im, line);
    }
    if (s->column_count <= MAX_SHOWN) return;
    snprintf(line, sizeof line, "and %d more columns", s->column_count - MAX_SHOWN);
    say(im, line);
}

/* ---- columns to fields ---- */

static ann_status check_column(import *im, const anni_column *column) {
    const char *path = im->paths[0];
    if (column->role == ANNI_TARGET) {
        im->target = column;
        im->has_classes = !column->as_number && (column->is_text || !column->is_fraction);
    }
    if (column->role == ANNI_INPUT && column->is_text)
        return ann_error(ANN_ERR_ARG,
                         "%s: line %" PRId64
                         ": column '%s' has text, '%s': name it in --one-hot or --ignore, or in "
                         "--numeric if that is a mistake",
                         column->text_path, column->text_line, column->name, column->first_text);
    const bool has_values = column->role == ANNI_ONE_HOT ||
                            (column->role == ANNI_TARGET && im->has_classes && im->options->class_count == 0);
    if (has_values && (column->value_count == 0 || column->value_count > ANNI_CSV_MAX_VALUES))
        return ann_error(ANN_ERR_ARG, "%s: column '%s' has %s", path, column->name,
                         column->value_count == 0 ? "no values" : "more than 65536 different values");
    if (column->role == ANNI_INPUT) im->inputs++;
    if (column->role == ANNI_ONE_HOT) im->inputs += column->value_count;
    if (im->inputs > ANNI_CSV_MAX_FIELDS)
        return ann_error(ANN_ERR_ARG, "%s: more than %d inputs", path, ANNI_CSV_MAX_FIELDS);
    return ANN_OK;
}

static ann_status name_inputs(const import *im, const char ***out) {
    int n = 0;
    const char **names = ann_arena_alloc(im->arena, (size_t)im->inputs * sizeof *names);
    if (names == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    for (int i = 0; i < im->survey.column_count; i++) {
        const anni_column *column = &im->survey.columns[i];
        if (column->role == ANNI_INPUT) names[n++] = column->name;
        for (int k = 0; column->role == ANNI_ONE_HOT && k < column->value_count; k++) {
            names[n] = ann_arena_printf(im->arena, "%s=%s", column->name, column->values[k]);
            if (names[n++] == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
        }
    }
    *out = names;
    return ANN_OK;
}

/* Of all that decides how a column is read. */
static uint64_t identity(const import *im) {
    uint64_t hash = (uint64_t)im->o->no_header + 2 * (uint64_t)(unsigned char)im->o->delimiter;
    for (int i = 0; i < im->survey.column_count; i++) {
        const anni_column *column = &im->survey.columns[i];
        const int64_t what[] = {(int64_t)column->role, column->as_number, column->value_count};
        hash = ann_hash(what, sizeof what, ann_hash(column->name, strlen(column->name), hash));
    }
    return hash;
}

static void set_splits(const import *im, anni_source *source) {
    source->splits[0].name = "train";
    source->splits[1].name = "test";
    for (int i = 0; i < im->path_count; i++)
        source->splits[i >= im->o->train_count].count += im->survey.records[i];
    source->split_count = im->o->test_count > 0 ? 2 : 1;
}

static ann_status import_surveyed(import *im) {
    anni_source source = {.format = "csv", .read = read_record, .self = im, .inputs = im->paths};
    const char **names = NULL;
    for (int i = 0; i < im->survey.column_count; i++) ANN_TRY(check_column(im, &im->survey.columns[i]));
    if (im->inputs == 0) return ann_error(ANN_ERR_ARG, "%s: no column is left for the inputs", im->paths[0]);
    show_table(im);
    ANN_TRY(name_inputs(im, &names));
    const anni_attribute columns = {"columns", names, im->inputs};
    const anni_field fields[] = {{.name = "x",
                                  .type = ANNI_F32,
                                  .shape = ANN_SHAPE(im->inputs),
                                  .normalised = im->inputs <= 4096 ? ANNI_PER_CHANNEL : ANNI_OVERALL},
                                 {.name = "y", .type = im->has_classes ? ANNI_I32 : ANNI_F32}};
    set_splits(im, &source);
    source.input_count = im->path_count;
    source.identity = identity(im);
    source.fields = fields;
    source.field_count = im->target != NULL ? 2 : 1;
    source.attributes = &columns;
    source.attribute_count = 1;
    if (im->target != NULL && im->has_classes) {
        source.classes = (const char *const *)im->target->values;
        source.class_count = im->target->value_count;
    }
    return anni_import(im->options, &source);
}

static ann_status import_files(import *im) {
    im->paths = ann_arena_alloc(im->arena, (size_t)im->path_count * sizeof *im->paths);
    if (im->paths == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    for (int i = 0; i < im->path_count; i++)
        im->paths[i] = i < im->o->train_count ? im->o->train[i] : im->o->test[i - im->o->train_count];
    ANN_TRY(anni_csv_survey(&im->survey, im->paths, im->path_count, im->o, im->arena));
    return import_surveyed(im);
}

ann_status ann_import_csv(const ann_import_options *options, const ann_import_csv_options *csv) {
    if (csv->train_count < 1) return ann_error(ANN_ERR_ARG, "import: no training files");
    if (csv->delimiter == '"' || csv->delimiter == '\n' || csv->delimiter == '\r')
        return ann_error(ANN_ERR_ARG, "import: a quote or a line's end cannot be the delimiter");
    struct import im = {
        .options = options, .o = csv, .path_count = csv->train_count + csv->test_count, .file = -1};
    ANN_TRY(ann_arena_new(&im.arena));
    const ann_status status = import_files(&im);
    anni_csv_close(&im.csv);
    ann_arena_free(im.arena);
    return status;
}
