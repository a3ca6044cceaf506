/* Descriptions of dataset files, line by line. Private to datasets/. */
#ifndef ANN_DATASETS_DESCRIBE_H
#define ANN_DATASETS_DESCRIBE_H

#include "data/h5.h"

typedef struct anni_description {
    const char *path;
    void (*print)(void *to, const char *line);
    void *to;
    ann_arena *arena;
    hid_t file;
} anni_description;

void anni_describe_line(const anni_description *d, const char *fmt, ...) ANN_PRINTF(2, 3);
/* A file of another layout: its datasets by number of samples, and what a run file says to read it. Errors:
   ANN_ERR_FORMAT (no dataset that could be a field). */
ann_status anni_describe_foreign(const anni_description *d) ANN_MUST_CHECK;

#endif
