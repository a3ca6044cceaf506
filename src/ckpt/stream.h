/* One tensor of a checkpoint from its first byte to its last, in parts of bounded size, each piece compared
   with its checksum when it ends. Local. */
#ifndef ANN_CKPT_STREAM_H
#define ANN_CKPT_STREAM_H

#include "base/hash.h"
#include "ckpt/files.h"
#include "ckpt/reader.h"

typedef struct anni_stream {
    const ann_ckpt *ckpt;
    int tensor, next; /* the piece, in ckpt->pieces, that `at` is in */
    int64_t at;       /* bytes of that piece that have been read */
    int shard, fd;    /* the open file; shard -1: none */
    ann_hasher hasher;
    char path[ANNI_PATH_BYTES];
} anni_stream;

void anni_stream_begin(anni_stream *stream, const ann_ckpt *ckpt, int tensor);
/* Exactly the next `bytes` bytes of the tensor; there must be so many left. Errors: ANN_ERR_CORRUPT,
 * ANN_ERR_IO.
 */
ann_status anni_stream_read(anni_stream *stream, void *out, size_t bytes) ANN_MUST_CHECK;
void anni_stream_end(anni_stream *stream);

#endif
