/* Reader of IDX files, gzipped or not. Private to datasets/. */
#ifndef ANN_DATASETS_IDX_H
#define ANN_DATASETS_IDX_H

#include <zlib.h>
#include "tensor/tensor.h"

typedef struct anni_idx {
    const char *path; /* borrowed */
    ann_shape shape;  /* records first */
    size_t record_bytes;
    int64_t read; /* records read so far */
    gzFile file;
    int64_t file_bytes;
} anni_idx;

/* Opens the file and checks its header. Errors: as ann_import_idx. Owner: the caller, anni_idx_close, after
 * an error too. */
ann_status anni_idx_open(anni_idx *idx, const char *path) ANN_MUST_CHECK;
/* Goes to a record; backwards in a gzipped file it reads from the beginning again. */
ann_status anni_idx_seek(anni_idx *idx, int64_t record) ANN_MUST_CHECK;
/* The next n records. After the last one, the file must be at its end and gzip's checksum right. */
ann_status anni_idx_read(anni_idx *idx, void *out, int64_t n) ANN_MUST_CHECK;
void anni_idx_close(anni_idx *idx);

#endif
