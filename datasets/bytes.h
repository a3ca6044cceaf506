/* Whole files as bytes in memory. Private to datasets/ and launch/. */
#ifndef ANN_DATASETS_BYTES_H
#define ANN_DATASETS_BYTES_H

#include <stdint.h>
#include "base/status.h"

typedef struct anni_bytes {
    const uint8_t *data;
    size_t size;
} anni_bytes;

/* Maps a file for reading; an empty file has size 0. It must not be truncated meanwhile. Owner: the caller,
 * anni_bytes_unmap. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO (also: no regular file). */
ann_status anni_bytes_map(anni_bytes *out, const char *path) ANN_MUST_CHECK;
void anni_bytes_unmap(anni_bytes *bytes);

#endif
