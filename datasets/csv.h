/* Reader of comma-separated values as in RFC 4180: fields may be quoted, a quote in them is doubled, lines
   end with LF or CRLF. Empty lines and a byte order mark are passed over. Private to datasets/. */
#ifndef ANN_DATASETS_CSV_H
#define ANN_DATASETS_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/status.h"

enum { ANNI_CSV_MAX_FIELDS = 1 << 16, ANNI_CSV_MAX_BYTES = 1 << 24 }; /* of a record */

typedef struct anni_csv {
    const char *path; /* borrowed */
    char delimiter;
    FILE *file;
    int64_t line;        /* of what is read next, from 1 */
    int64_t record_line; /* where the current record begins */
    char *text;          /* of the current record's fields, each NUL-terminated */
    size_t used, room;
    uint32_t *starts; /* [count] of each field in text */
    int count, start_room;
} anni_csv;

/* Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO. Owner: the caller, anni_csv_close, after an error too. */
ann_status anni_csv_open(anni_csv *csv, const char *path, char delimiter) ANN_MUST_CHECK;
void anni_csv_close(anni_csv *csv);
/* The next record; *end at the end of the file. *problem: what is wrong with the record, whose line has been
   passed over then; NULL: nothing. Errors: ANN_ERR_IO, ANN_ERR_FORMAT (a quote that is never closed, a record
   that is too long), ANN_ERR_MEMORY. */
ann_status anni_csv_next(anni_csv *csv, bool *end, const char **problem) ANN_MUST_CHECK;
ann_status anni_csv_rewind(anni_csv *csv) ANN_MUST_CHECK;
static inline const char *anni_csv_field(const anni_csv *csv, int i) { return csv->text + csv->starts[i]; }

/* A decimal number with an optional fraction and exponent, blanks around it. */
bool anni_csv_number(const char *text, double *out);
/* Nothing, NA, N/A, NaN, nan, null, NULL, None, ?: there is no value. */
bool anni_csv_missing(const char *text);

#endif
