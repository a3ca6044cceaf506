/* A snapshot: one shard's file in memory, page by page as it will be on disk. Local.

   Its HDF5 structures are laid out once to find the blocks' places, and once more for each checkpoint, when
   the step is known; the places are the same. */
#ifndef ANN_CKPT_SNAPSHOT_H
#define ANN_CKPT_SNAPSHOT_H

#include "ckpt/manifest.h"

#define ANNI_PAGE_BYTES                                                                                      \
    ((size_t)4096) /* memory and files are handled in these where the page cache is passed by */

typedef struct anni_span { /* this shard's range of a block, in the block and in the file */
    int64_t begin, elems, offset_bytes;
    size_t bytes;
} anni_span;

typedef struct anni_snapshot {
    char *data;   /* aligned to pages, zero beyond the file's end */
    size_t bytes; /* of the file, rounded up to whole pages */
    int64_t file_bytes;
    anni_span *spans; /* [block_count of the manifest], in the order of their places */
    int shard;
} anni_snapshot;

/* For shard number `shard` of the manifest, whose pieces' offsets and file size it fills in. The memory is
   touched here, so that no page fault is left for later. spans live in the manifest's arena; owner of data:
   the caller, anni_snapshot_fini. */
ann_status anni_snapshot_init(anni_snapshot *out, anni_manifest *manifest, int shard) ANN_MUST_CHECK;
void anni_snapshot_fini(anni_snapshot *snapshot);

/* Copies the store's ranges: all that training has to wait for. */
void anni_snapshot_take(anni_snapshot *snapshot, const anni_manifest *manifest, const ann_store *store);

/* Puts HDF5's structures around the ranges, as they are for the manifest's step. */
ann_status anni_snapshot_label(anni_snapshot *snapshot, const anni_manifest *manifest) ANN_MUST_CHECK;

#endif
