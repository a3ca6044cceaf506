/* One rank's file of a checkpoint: written with checksums on the way, verified, and read piece by piece.
 * Local. */
#ifndef ANN_CKPT_SHARD_H
#define ANN_CKPT_SHARD_H

#include "ckpt/manifest.h"
#include "ckpt/snapshot.h"

/* Writes the snapshot as its shard of the manifest into dir and syncs it; fills in the shard's hashes. One
   thread hashes the snapshot while another writes it. With `finite`, a float that is not finite is
   ANN_ERR_NUMERIC. */
ann_status anni_shard_write(const char *dir, anni_manifest *manifest, const anni_snapshot *snapshot,
                            bool finite) ANN_MUST_CHECK;

/* Opens a shard's file for reading; a missing one is ANN_ERR_CORRUPT. path[ANNI_PATH_BYTES] receives its
 * name. */
ann_status anni_shard_open(int *fd, char *path, const char *dir, const anni_shard *shard) ANN_MUST_CHECK;

/* Writes whole.h5 into dir and syncs it: a virtual dataset per tensor over the shards' datasets, named like
   the tensor, with '/' making groups. Names that HDF5 cannot hold as such (an empty or "." component, a '#'
   in front, a name that is both tensor and group) become "#N", N being the tensor's number; the attribute
   "name" always has the name, "xxh3" the checksums. Scalars are copied: scalars[tensor_count] has the bytes
   of each tensor without dimensions. Fills in whole_bytes and whole_hash. */
ann_status anni_whole_write(const char *dir, anni_manifest *manifest, const uint64_t *scalars) ANN_MUST_CHECK;

/* The path of tensor i in such a file: its name, or number, which then has "#N". */
const char *anni_whole_path(char number[32], const anni_manifest *manifest, int i);

/* Replaces dir/latest.h5 by the same view of the committed checkpoint dir/name. For people alone, so a
   failure is only logged, and then there is no latest.h5. */
void anni_latest_write(const char *dir, const char *name);

#endif
