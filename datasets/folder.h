/* The image files below a folder, sorted. Private to datasets/. */
#ifndef ANN_DATASETS_FOLDER_H
#define ANN_DATASETS_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/mem.h"

typedef struct anni_file {
    const char *path;
    int32_t label;
} anni_file;

typedef struct anni_folder {
    const char **classes; /* sorted */
    int class_count;
    anni_file *files; /* by split, class and name */
    int64_t file_count, file_room;
    int64_t train_count; /* of the files; those of the test split follow */
    int64_t left_out;    /* files with another ending */
    uint64_t hash;       /* of names and lengths */
    uint64_t state;      /* of names, lengths and times */
} anni_folder;

/* Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_FORMAT (no classes, a class without images, a class of the
   test split that training has not), ANN_ERR_MEMORY. All lives in the arena, but files: anni_folder_fini. */
ann_status anni_folder_list(anni_folder *folder, const char *path, ann_arena *arena) ANN_MUST_CHECK;
void anni_folder_fini(anni_folder *folder);

#endif
