/* Sharded checkpoints: committed or non-existent.

   A checkpoint is a directory DIR/step-NNNNNNNNNN: one HDF5 shard per rank (shard-RRRR.h5), each with a contiguous range of every block; a
   manifest.yaml that lists format version, step, tensors (name, dtype, shape, role, block, offset), the ranges and XXH3 checksum of each shard's datasets, and the
   metadata; and whole.h5, a virtual-dataset file in which h5py sees every tensor whole. Order of writing: shards into a directory whose name ends in ".part",
   flush, fsync, agreement of all ranks, manifest (written under a temporary name, fsynced, renamed), rename of the directory to its final name, fsync of DIR, then DIR/latest (a text file with the
   directory's name, replaced by rename). A reader trusts the manifest alone, checks every checksum, and falls back to the newest older checkpoint that verifies. */
#ifndef ANN_CKPT_CKPT_H
#define ANN_CKPT_CKPT_H

#include "comm/comm.h"
#include "tensor/store.h"

/* Small named values beside the tensors: position, schedules, configuration text, code revision, ledger ... Strings are UTF-8 text of any length. */
typedef struct ann_meta ann_meta;
ann_status ann_meta_new(ann_meta **out) ANN_MUST_CHECK;
void ann_meta_free(ann_meta *meta);
ann_status ann_meta_set_i64(ann_meta *meta, const char *key, int64_t value) ANN_MUST_CHECK;
ann_status ann_meta_set_f64(ann_meta *meta, const char *key, double value) ANN_MUST_CHECK; /* kept exactly (hex float) */
ann_status ann_meta_set_str(ann_meta *meta, const char *key, const char *value) ANN_MUST_CHECK;
/* Errors: ANN_ERR_NOT_FOUND, ANN_ERR_FORMAT. */
ann_status ann_meta_get_i64(const ann_meta *meta, const char *key, int64_t *value) ANN_MUST_CHECK;
ann_status ann_meta_get_f64(const ann_meta *meta, const char *key, double *value) ANN_MUST_CHECK;
ann_status ann_meta_get_str(const ann_meta *meta, const char *key, const char **value) ANN_MUST_CHECK; /* borrowed */

/* Writes the committed store and meta as DIR/step-<step>; every rank must hold the same store contents (data parallelism) and writes its range of each block.
   Keeps the newest `keep` checkpoints (0: all), never deleting the last one that is verified. Left-over ".part" directories of earlier attempts are removed.
   Errors (the same on all ranks; the directory is as if nothing had been tried): ANN_ERR_NOSPACE, ANN_ERR_IO. Collective. */
ann_status ann_ckpt_write(ann_comm *comm, const char *dir, int64_t step, const ann_store *store, const ann_meta *meta, int keep) ANN_MUST_CHECK;

/* Finds the newest checkpoint in dir whose manifest and checksums are right; *path is "" if there is none. Those that fail are named in the log. size of path >= 4096. Collective. */
ann_status ann_ckpt_latest(ann_comm *comm, const char *dir, char *path, size_t size) ANN_MUST_CHECK;

typedef struct ann_ckpt ann_ckpt;
/* Opens one checkpoint directory for reading, verifying every checksum. Written by any number of ranks, read by any. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_FORMAT, ANN_ERR_CORRUPT (names shard and tensor). Local. */
ann_status ann_ckpt_open(ann_ckpt **out, const char *path) ANN_MUST_CHECK;
void ann_ckpt_close(ann_ckpt *ckpt);
int64_t ann_ckpt_step(const ann_ckpt *ckpt);
const ann_meta *ann_ckpt_meta(const ann_ckpt *ckpt);
int ann_ckpt_tensor_count(const ann_ckpt *ckpt);
const ann_tensor_info *ann_ckpt_tensor(const ann_ckpt *ckpt, int i);
/* Reads the tensor called `name` into out (elems * dtype bytes). Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO. Local. */
ann_status ann_ckpt_read(const ann_ckpt *ckpt, const char *name, void *out) ANN_MUST_CHECK;
/* Fills every tensor of the (committed) store from the checkpoint; each must be there with equal dtype and shape. Local. */
ann_status ann_ckpt_restore(const ann_ckpt *ckpt, ann_store *store) ANN_MUST_CHECK;

#endif
