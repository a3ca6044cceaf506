#include "datasets/csv_survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct surveyor {
    anni_survey *survey;
    const ann_import_csv_options *options;
    ann_arena *arena;
    const char *first_path;
} surveyor;

static ann_status no_memory(const char *path) { return ann_error(ANN_ERR_MEMORY, "%s: out of memory", path); }

/* ---- distinct values ---- */

/* Integers by size, and before all else. */
static int compare(const char *a, const char *b) {
    double x = 0, y = 0;
    const bool is_x = anni_csv_number(a, &x), is_y = anni_csv_number(b, &y);
    if (is_x != is_y) return is_x ? -1 : 1;
    if (is_x && (x < y || x > y)) return x < y ? -1 : 1;
    return strcmp(a, b);
}

/* The place where the value is or would be. */
static int place(const anni_column *column, const char *value, bool *found) {
    int low = 0, high = column->value_count;
    *found = false;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = compare(column->values[middle], value);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

int anni_column_find(const anni_column *column, const char *value) {
    bool found;
    const int at = place(column, value, &found);
    return found ? at : -1;
}

static ann_status add_value(const surveyor *s, anni_column *column, const char *value) {
    bool found;
    const int at = place(column, value, &found);
    if (found || column->value_count > ANNI_CSV_MAX_VALUES) return ANN_OK;
    if (strlen(value) > ANNI_CSV_MAX_NAME)
        return ann_error(ANN_ERR_FORMAT,
                         "%s: column '%s' has a value of more than %d bytes, too long for a name",
                         s->first_path, column->name, ANNI_CSV_MAX_NAME);
    if (column->value_count == column->value_room) {
        const int room = column->value_room == 0 ? 16 : 2 * column->value_room;
        char **values = ann_arena_alloc(s->arena, (size_t)room * sizeof *values);
        if (values == NULL) return no_memory(s->first_path);
        if (column->value_count > 0)
            memcpy(values, column->values, (size_t)column->value_count * sizeof *values);
        column->values = values;
        column->value_room = room;
    }
    memmove(column->values + at + 1, column->values + at,
            (size_t)(column->value_count - at) * sizeof(char *));
    column->values[at] = ann_arena_strdup(s->arena, value);
    if (column->values[at] == NULL) return no_memory(s->first_path);
    column->value_count++;
    return ANN_OK;
}

/* ---- columns ---- */

static anni_column *find_column(const anni_survey *survey, const char *name) {
    for (int i = 0; i < survey->column_count; i++) {
        if (strcmp(survey->columns[i].name, name) == 0) return &survey->columns[i];
    }
    return NULL;
}

static ann_status get_column(const surveyor *s, const char *name, anni_column **out) {
    *out = find_column(s->survey, name);
    if (*out != NULL) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "%s: there is no column '%s'", s->first_path, name);
}

static ann_status set_role(const surveyor *s, const char *name, anni_role role) {
    anni_column *column;
    ANN_TRY(get_column(s, name, &column));
    if (column->role != ANNI_INPUT)
        return ann_error(ANN_ERR_ARG, "%s: column '%s' is named twice", s->first_path, name);
    column->role = role;
    return ANN_OK;
}

static ann_status set_roles(const surveyor *s) {
    const ann_import_csv_options *o = s->options;
    anni_column *column;
    if (o->target != NULL) ANN_TRY(set_role(s, o->target, ANNI_TARGET));
    for (int i = 0; i < o->ignore_count; i++) ANN_TRY(set_role(s, o->ignore[i], ANNI_IGNORED));
    for (int i = 0; i < o->one_hot_count; i++) ANN_TRY(set_role(s, o->one_hot[i], ANNI_ONE_HOT));
    for (int i = 0; i < o->numeric_count; i++) {
        ANN_TRY(get_column(s, o->numeric[i], &column));
        column->as_number = true;
    }
    return ANN_OK;
}

static int by_name(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static ann_status check_names(const surveyor *s, const anni_csv *csv) {
    const anni_survey *survey = s->survey;
    const char **names = ann_arena_alloc(s->arena, (size_t)survey->column_count * sizeof *names);
    if (names == NULL) return no_memory(csv->path);
    for (int i = 0; i < survey->column_count; i++) names[i] = survey->columns[i].name;
    qsort(names, (size_t)survey->column_count, sizeof *names, by_name);
    for (int i = 1; i < survey->column_count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            return ann_error(ANN_ERR_FORMAT, "%s: line %" PRId64 ": two columns are called '%s'", csv->path,
                             csv->record_line, names[i]);
    }
    return ANN_OK;
}

static ann_status name_columns(const surveyor *s, const anni_csv *csv) {
    anni_survey *survey = s->survey;
    survey->columns = ann_arena_alloc(s->arena, (size_t)csv->count * sizeof *survey->columns);
    if (survey->columns == NULL) return no_memory(csv->path);
    for (int i = 0; i < csv->count; i++) {
        const char *name = s->options->no_header ? ann_arena_printf(s->arena, "%d", i + 1)
                                                 : ann_arena_strdup(s->arena, anni_csv_field(csv, i));
        if (name == NULL) return no_memory(csv->path);
        if (name[0] == '\0')
            return ann_error(ANN_ERR_FORMAT, "%s: line %" PRId64 ": column %d has no name", csv->path,
                             csv->record_line, i + 1);
        if (strlen(name) > ANNI_CSV_MAX_NAME)
            return ann_error(ANN_ERR_FORMAT,
                             "%s: line %" PRId64 ": the name of column %d has more than %d bytes", csv->path,
                             csv->record_line, i + 1, ANNI_CSV_MAX_NAME);
        survey->columns[survey->column_count++].name = name;
    }
    ANN_TRY(check_names(s, csv));
    return set_roles(s);
}

static ann_status check_header(const surveyor *s, const anni_csv *csv) {
    const anni_survey *survey = s->survey;
    bool same = csv->count == survey->column_count;
    for (int i = 0; same && i < csv->count && !s->options->no_header; i++) {
        same = strcmp(anni_csv_field(csv, i), survey->columns[i].name) == 0;
    }
    return same ? ANN_OK
                : ann_error(ANN_ERR_FORMAT, "%s: other columns than in %s", csv->path, s->first_path);
}

static bool all_numbers(const anni_csv *csv) {
    double value;
    for (int i = 0; i < csv->count; i++) {
        if (!anni_csv_number(anni_csv_field(csv, i), &value)) return false;
    }
    return true;
}

static ann_status take_header(const surveyor *s, anni_csv *csv) {
    bool end;
    const char *problem;
    ANN_TRY(anni_csv_next(csv, &end, &problem));
    if (end) return ann_error(ANN_ERR_FORMAT, "%s: is empty", csv->path);
    if (problem != NULL)
        return ann_error(ANN_ERR_FORMAT, "%s: line %" PRId64 ": %s", csv->path, csv->record_line, problem);
    if (!s->options->no_header && all_numbers(csv))
        return ann_error(ANN_ERR_FORMAT,
                         "%s: line %" PRId64 ": numbers where the columns' names should be (if there "
                         "are none, say --no-header)",
                         csv->path, csv->record_line);
    ANN_TRY(s->survey->column_count == 0 ? name_columns(s, csv) : check_header(s, csv));
    return s->options->no_header ? anni_csv_rewind(csv) : ANN_OK;
}

/* ---- values ---- */

static void note_number(anni_column *column, double value) {
    if (!column->any_number || value < column->min) column->min = value;
    if (!column->any_number || value > column->max) column->max = value;
    column->any_number = true;
    if (!(value >= 0 && value <= INT32_MAX) || value > (double)(int64_t)value) column->is_fraction = true;
}

static void note_text(anni_column *column, const anni_csv *csv, const char *text) {
    if (column->is_text) return;
    column->is_text = true;
    column->text_path = csv->path;
    column->text_line = csv->record_line;
    size_t n = strlen(text);
    if (n >= sizeof column->first_text) n = sizeof column->first_text - 1;
    for (size_t i = 0; i < n; i++) column->first_text[i] = text[i] < ' ' && text[i] >= 0 ? ' ' : text[i];
}

static ann_status note_record(const surveyor *s, const anni_csv *csv) {
    for (int i = 0; i < csv->count; i++) {
        anni_column *column = &s->survey->columns[i];
        const char *text = anni_csv_field(csv, i);
        double value;
        if (anni_csv_missing(text)) {
            column->missing++;
            continue;
        }
        if (anni_csv_number(text, &value)) note_number(column, value);
        else if (!column->as_number) note_text(column, csv, text);
        if (column->role == ANNI_TARGET || column->role == ANNI_ONE_HOT) ANN_TRY(add_value(s, column, text));
    }
    return ANN_OK;
}

static ann_status survey_records(const surveyor *s, anni_csv *csv, int64_t *records) {
    ANN_TRY(take_header(s, csv));
    for (;;) {
        bool end;
        const char *problem;
        ANN_TRY(anni_csv_next(csv, &end, &problem));
        if (end) return ANN_OK;
        ++*records;
        if (problem == NULL && csv->count == s->survey->column_count) ANN_TRY(note_record(s, csv));
    }
}

ann_status anni_csv_survey(anni_survey *survey, const char *const *paths, int path_count,
                           const ann_import_csv_options *options, ann_arena *arena) {
    *survey = (anni_survey){.records = ann_arena_alloc(arena, (size_t)path_count * sizeof(int64_t))};
    if (survey->records == NULL) return no_memory(paths[0]);
    const surveyor s = {.survey = survey, .options = options, .arena = arena, .first_path = paths[0]};
    for (int i = 0; i < path_count; i++) {
        anni_csv csv;
        ann_status status = anni_csv_open(&csv, paths[i], options->delimiter == 0 ? ',' : options->delimiter);
        if (status == ANN_OK) status = survey_records(&s, &csv, &survey->records[i]);
        anni_csv_close(&csv);
        ANN_TRY(status);
    }
    return ANN_OK;
}
