/* The checksums of one shard, computed over its bytes in file order: while they are written, and again while
   they are verified. Local. */
#ifndef ANN_CKPT_AUDIT_H
#define ANN_CKPT_AUDIT_H

#include "base/hash.h"
#include "ckpt/manifest.h"

typedef struct anni_audit {
    const anni_manifest *manifest;
    const anni_shard *shard;
    uint64_t *piece_hash; /* [shard->piece_count], filled as pieces end; borrowed */
    int next;             /* the piece that `at` is in or before */
    int64_t at;           /* bytes fed so far */
    ann_hasher piece, rest;
} anni_audit;

void anni_audit_begin(anni_audit *audit, const anni_manifest *manifest, const anni_shard *shard,
                      uint64_t *piece_hash);
/* The next `bytes` bytes of the file. */
void anni_audit_feed(anni_audit *audit, const void *data, size_t bytes);
/* The checksum of all that is in no piece. */
uint64_t anni_audit_rest(const anni_audit *audit);

#endif
