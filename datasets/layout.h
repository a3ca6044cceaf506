/* What a dataset file consists of, for the tools. Private to datasets/. */
#ifndef ANN_DATASETS_LAYOUT_H
#define ANN_DATASETS_LAYOUT_H

#include "data/h5.h"

enum { ANNI_LAYOUT_SPLITS = 16, ANNI_SPLIT_NAME = 64 };

typedef struct anni_layout {
    int split_count;                                  /* 0: not annulus's layout */
    char splits[ANNI_LAYOUT_SPLITS][ANNI_SPLIT_NAME]; /* "train", "test", then others by name */
} anni_layout;

/* Splits are the groups at the top with a dataset "x". Errors: ANN_ERR_FORMAT. */
ann_status anni_layout_of(anni_layout *out, hid_t file, const char *path) ANN_MUST_CHECK;
/* The same by path. Errors: those of anni_h5_open. */
ann_status anni_layout_read(anni_layout *out, const char *path) ANN_MUST_CHECK;
/* Strings of an attribute of the file; *count is 0 without it. They live in the arena. */
ann_status anni_layout_strings(char ***out, int *count, const char *path, const char *attribute,
                               ann_arena *arena) ANN_MUST_CHECK;

#endif
