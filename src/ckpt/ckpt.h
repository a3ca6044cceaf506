/* Sharded checkpoints: committed or non-existent.

   A checkpoint is a directory DIR/step-NNNNNNNNNN with
   - one HDF5 shard per rank (shard-RRRR.h5): a contiguous range of every block, as a dataset "block-NNNNNN";
   - manifest.yaml: format version, serial number, step, blocks, tensors (name, dtype, shape, role, block,
   offset), for each shard its size, where its piece of each tensor is, and the XXH3 checksums of each piece
   and of the rest, and the metadata; its last line is the checksum of all lines before it;
   - whole.h5: a virtual-dataset file in which h5py sees every tensor whole. Nothing else needs it.

   Order of writing, with an agreement of all ranks after each stage: an empty directory whose name ends in
   ".part"; shards, written, checksummed on the way, and fsynced; whole.h5 and the manifest (written under a
   temporary name, fsynced, renamed); rename of the directory to its final name, fsync of DIR, then DIR/latest
   (a text file with the directory's name, replaced by rename). A checkpoint of the same step that was there
   before is renamed to ".old" just before and removed just after.

   A reader trusts the manifest alone, checks every checksum, and falls back to the newest older checkpoint
   that verifies. Newest means made last: the serial number decides, not the step. DIR/latest is for people
   and scripts.

   The HDF5 library is only called inside ann_ckpt_write, on the calling thread, and only lays out files in
   memory. All files are written and read by plain system calls. */
#ifndef ANN_CKPT_CKPT_H
#define ANN_CKPT_CKPT_H

#include "comm/comm.h"
#include "tensor/store.h"

/* Small named values beside the tensors: position, schedules, configuration text, code revision, ledger ...
 * Strings are UTF-8 text of any length. */
typedef struct ann_meta ann_meta;
ann_status ann_meta_new(ann_meta **out) ANN_MUST_CHECK;
void ann_meta_free(ann_meta *meta);
ann_status ann_meta_set_i64(ann_meta *meta, const char *key, int64_t value) ANN_MUST_CHECK;
ann_status ann_meta_set_f64(ann_meta *meta, const char *key,
                            double value) ANN_MUST_CHECK; /* kept exactly, as bits */
ann_status ann_meta_set_str(ann_meta *meta, const char *key, const char *value) ANN_MUST_CHECK;
/* Errors: ANN_ERR_NOT_FOUND, ANN_ERR_FORMAT (a value of another kind). */
ann_status ann_meta_get_i64(const ann_meta *meta, const char *key, int64_t *value) ANN_MUST_CHECK;
ann_status ann_meta_get_f64(const ann_meta *meta, const char *key, double *value) ANN_MUST_CHECK;
ann_status ann_meta_get_str(const ann_meta *meta, const char *key,
                            const char **value) ANN_MUST_CHECK; /* borrowed */

/* Writes the committed store and meta (NULL: none) as DIR/step-<step>; makes DIR if need be. Every rank must
   hold the same store contents (data parallelism) and writes its range of each block; DIR must be the same
   directory for all, and the store must not change meanwhile. Each shard is read back before the commit, so a
   committed checkpoint is a verified one. Afterwards the newest `keep` checkpoints are left (0: all), the one
   just written among them in any case. Left-over
   ".part" directories of earlier attempts are removed: one job at a time may write into DIR. Errors (the same
   on all ranks; the directory is as if nothing had been tried): ANN_ERR_NOSPACE (also a quota or a file-size
   limit, if SIGXFSZ is ignored), ANN_ERR_IO, ANN_ERR_CORRUPT (a shard does not read back the same),
   ANN_ERR_ARG, ANN_ERR_MEMORY. Collective; five agreements, one broadcast, one allgather of 16 bytes per
   tensor, whose memory is 16 bytes x ranks x tensors. */
ann_status ann_ckpt_write(ann_comm *comm, const char *dir, int64_t step, const ann_store *store,
                          const ann_meta *meta, int keep) ANN_MUST_CHECK;

/* Finds the newest checkpoint in dir whose manifest and checksums are right; *path is "" if there is no
   checkpoint at all. Those that fail are named in the log. size of path >= 4096. Errors: ANN_ERR_CORRUPT
   (there are some, and none is good: what may still be saved from them must not be overwritten). Collective.
 */
ann_status ann_ckpt_latest(ann_comm *comm, const char *dir, char *path, size_t size) ANN_MUST_CHECK;

typedef struct ann_ckpt ann_ckpt;
/* Opens one checkpoint directory for reading, verifying every checksum. Written by any number of ranks, read
 * by any. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_FORMAT, ANN_ERR_CORRUPT (names shard and tensor). Local. */
ann_status ann_ckpt_open(ann_ckpt **out, const char *path) ANN_MUST_CHECK;
void ann_ckpt_close(ann_ckpt *ckpt);
int64_t ann_ckpt_step(const ann_ckpt *ckpt);
const ann_meta *ann_ckpt_meta(const ann_ckpt *ckpt);
int ann_ckpt_tensor_count(const ann_ckpt *ckpt);
const ann_tensor_info *ann_ckpt_tensor(const ann_ckpt *ckpt, int i);
/* Reads the tensor called `name` into out (elems * dtype bytes). Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO.
 * Local. */
ann_status ann_ckpt_read(const ann_ckpt *ckpt, const char *name, void *out) ANN_MUST_CHECK;
/* Fills every tensor of the (committed) store from the checkpoint; each must be there with equal dtype and
 * shape. Local. */
ann_status ann_ckpt_restore(const ann_ckpt *ckpt, ann_store *store) ANN_MUST_CHECK;

#endif
