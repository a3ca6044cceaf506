/* What a checkpoint holds, in memory and as manifest.yaml.

   Words: a *block* is the store's; a *shard* is one rank's HDF5 file, with a dataset per block that holds the
   rank's range of it; a *piece* is the run of one tensor's elements that one shard holds. A rank's range of a
   block is contiguous, so a tensor has at most one piece in a shard. What is in a shard but in no piece
   (HDF5's own structures, padding) is its *rest*.

   Every byte of a shard is under a checksum: each piece has one, and so has the rest. The manifest's last
   line is the checksum of all lines before it. All checksums are XXH3-64, seed 0. */
#ifndef ANN_CKPT_MANIFEST_H
#define ANN_CKPT_MANIFEST_H

#include "base/mem.h"
#include "ckpt/ckpt.h"

#define ANNI_MANIFEST_NAME "manifest.yaml"
#define ANNI_WHOLE_NAME "whole.h5"
#define ANNI_LATEST_NAME "latest.h5"

typedef struct anni_block {
    const char *name;
    ann_dtype dtype;
    int64_t elems;
    int32_t in_store; /* its number there, for writing */
} anni_block;

typedef struct anni_piece {
    int32_t tensor;
    int64_t begin, elems; /* of the tensor */
    int64_t offset_bytes; /* in the shard's file */
    uint64_t hash;
} anni_piece;

typedef struct anni_shard {
    const char *file; /* "shard-0000.h5" */
    int64_t file_bytes;
    uint64_t rest_hash;
    anni_piece *pieces; /* in the order of their offsets */
    int piece_count;
} anni_shard;

typedef struct anni_manifest {
    ann_arena *arena; /* all that is below, but meta */
    int64_t step;
    int64_t serial; /* 1 more than that of any earlier checkpoint in the same directory: the order of their
                       making */
    anni_block *blocks;
    ann_tensor_info *tensors; /* in the store's order, without scratch */
    anni_shard *shards;       /* one per rank that wrote */
    int block_count, tensor_count, shard_count;
    int64_t whole_bytes; /* whole.h5 */
    uint64_t whole_hash;
    ann_meta *meta; /* owned when read from a file; borrowed, and the caller's, when made for writing */
    bool owns_meta;
} anni_manifest;

/* Rank's range of a block: granules of 16 elements, divided as evenly as they go. */
void anni_shard_range(int64_t *begin, int64_t *elems, int64_t block_elems, int rank, int size);

/* Describes store without its scratch, cut into `size` shards; offsets, hashes and sizes are still 0. Owner:
   the caller, anni_manifest_free. Errors: ANN_ERR_ARG (a name that is not UTF-8 or is too long),
   ANN_ERR_MEMORY. Local.
 */
ann_status anni_manifest_plan(anni_manifest **out, const ann_store *store, const ann_meta *meta, int64_t step,
                              int size) ANN_MUST_CHECK;
void anni_manifest_free(anni_manifest *manifest);

/* The text of manifest.yaml. Owner of *out: the caller, free. */
ann_status anni_manifest_print(char **out, size_t *bytes, const anni_manifest *manifest) ANN_MUST_CHECK;

/* Writes dir/manifest.yaml under a temporary name, syncs and renames it. */
ann_status anni_manifest_write(const char *dir, const anni_manifest *manifest) ANN_MUST_CHECK;

/* Reads and checks dir/manifest.yaml: its checksum, every number's range, and that the pieces of each tensor
   cover it exactly once. Errors: ANN_ERR_NOT_FOUND (no such directory), ANN_ERR_CORRUPT (no manifest, or its
   checksum is wrong), ANN_ERR_FORMAT (made by another version), ANN_ERR_IO, ANN_ERR_MEMORY. Local. */
ann_status anni_manifest_read(anni_manifest **out, const char *dir) ANN_MUST_CHECK;

/* The serial number of the checkpoint in dir, without parsing the rest; -1 if the manifest is missing or
   damaged. Leaves the error record alone. */
int64_t anni_manifest_serial(const char *dir);

#endif
