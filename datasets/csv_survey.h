/* What is in the columns of CSV files: found by reading them once. Private to datasets/. */
#ifndef ANN_DATASETS_CSV_SURVEY_H
#define ANN_DATASETS_CSV_SURVEY_H

#include "base/mem.h"
#include "datasets/csv.h"
#include "datasets/import.h"

typedef enum anni_role { ANNI_INPUT, ANNI_ONE_HOT, ANNI_TARGET, ANNI_IGNORED } anni_role;

typedef struct anni_column {
    const char *name;
    anni_role role;
    bool as_number; /* said to be numeric: what is none makes a bad record */
    /* Of the values that are there: */
    bool is_text;        /* not all are numbers */
    bool is_fraction;    /* not all are integers from 0 to 2^31-1 */
    char first_text[40]; /* the first one that is no number, and its line */
    const char *text_path;
    int64_t text_line;
    int64_t missing;
    double min, max;
    bool any_number;
    char **values; /* distinct ones, sorted; ONE_HOT and TARGET only */
    int value_count, value_room;
} anni_column;

typedef struct anni_survey {
    anni_column *columns;
    int column_count;
    int64_t *records; /* of each file, bad ones too */
} anni_survey;

enum { ANNI_CSV_MAX_VALUES = 65536, ANNI_CSV_MAX_NAME = 255 }; /* distinct ones of a column; bytes of one */

/* Reads the files from the first to the last record. The survey lives in the arena. Errors: those of reading;
   ANN_ERR_FORMAT (no columns, other columns than in the first file, the first line is no header), ANN_ERR_ARG
   (a column that does not exist). */
ann_status anni_csv_survey(anni_survey *survey, const char *const *paths, int path_count,
                           const ann_import_csv_options *options, ann_arena *arena) ANN_MUST_CHECK;
/* The place of a value among the column's distinct ones, or -1. */
int anni_column_find(const anni_column *column, const char *value);

#endif
