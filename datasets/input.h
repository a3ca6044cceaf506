/* Files of fixed-length records: reading at an offset, with a little read-ahead. Private to datasets/. */
#ifndef ANN_DATASETS_INPUT_H
#define ANN_DATASETS_INPUT_H

#include <stdint.h>
#include "base/mem.h"

typedef struct anni_input {
    const char *path; /* borrowed */
    int fd;
    int64_t bytes;
    uint8_t *ahead; /* [AHEAD] */
    int64_t ahead_first, ahead_bytes;
} anni_input;

/* Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO (also: no regular file), ANN_ERR_MEMORY. Owner: the caller,
 * anni_input_close, after an error too. */
ann_status anni_input_open(anni_input *input, const char *path) ANN_MUST_CHECK;
void anni_input_close(anni_input *input);
/* All n bytes, or ANN_ERR_FORMAT "truncated". */
ann_status anni_input_read(anni_input *input, int64_t offset, void *out, int64_t n) ANN_MUST_CHECK;

/* The non-empty lines of a small text file. Errors: ANN_ERR_FORMAT (more than `max` lines, or 1 MiB). */
ann_status anni_input_lines(const char ***out, int *count, const char *path, int max,
                            ann_arena *arena) ANN_MUST_CHECK;

#endif
