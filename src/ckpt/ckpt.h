/* Sharded checkpoints: committed or non-existent.

   A checkpoint is a directory DIR/step-NNNNNNNNNN with
   - one HDF5 shard per writer (shard-WWWW.h5): a contiguous range of every block, as a dataset
   "block-NNNNNN";
   - manifest.yaml: format version, serial number, step, blocks, tensors (name, dtype, shape, role, block,
   offset), for each shard its size, where its piece of each tensor is, and the XXH3 checksums of each piece
   and of the rest, and the metadata (of phases, among them "lineage": train/lineage.h describes that map);
   its last line is the checksum of all lines before it;
   - whole.h5: a virtual-dataset file in which h5py sees every tensor whole. Nothing else needs it.
   DIR/latest.h5 is the same for the newest checkpoint: h5py.File("DIR/latest.h5")["encoder/fc1/weight"][:].

   Order of writing, with an agreement of all ranks after each stage: an empty directory whose name ends in
   ".part"; shards, written, checksummed on the way, and fsynced; whole.h5 and the manifest (written under a
   temporary name, fsynced, renamed); rename of the directory to its final name, fsync of DIR, then DIR/latest
   (a text file with the directory's name, replaced by rename). A checkpoint of the same step that was there
   before is renamed to ".old" just before and removed just after.

   A reader trusts the manifest alone, checks every checksum, and falls back to the newest older checkpoint
   that verifies. Newest means made last: the serial number decides, not the step. DIR/latest is for people
   and scripts.

   The HDF5 library is only called under the lock of base/h5lock.h, and only lays out files in memory. All
   files are written and read by plain system calls. */
#ifndef ANN_CKPT_CKPT_H
#define ANN_CKPT_CKPT_H

#include <stdbool.h>
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
/* Entry i in the order of their first setting, for tools: its key, and its value as text (strings themselves;
   numbers are formatted into buf, 32 bytes suffice). NULL if there are fewer. */
int ann_meta_count(const ann_meta *meta);
const char *ann_meta_entry(const ann_meta *meta, int i, const char **value, bool *is_text, char *buf,
                           size_t size);

/* ---- writing ---- */

/* Which checkpoints stay when a new one has been verified; the new one stays in any case. */
typedef struct ann_ckpt_retention {
    int last;         /* so many of the newest, with the new one; 0: all */
    int every;        /* each one whose serial number is a multiple of it, for good; 0: none */
    const char *best; /* key of a number in the metadata: the one with the best number stays (of equal ones
                         the newer), and DIR/best names it as DIR/latest does the newest; NULL: none */
    bool higher_is_better;
} ann_ckpt_retention;

enum { ANN_CKPT_EACH_RANK = 0, ANN_CKPT_EACH_NODE = -1 };

typedef struct ann_ckpt_options {
    const char *dir; /* the same directory for all ranks */
    int writers;     /* how many ranks write a shard: a number, spread over the nodes, or one of the above */
    ann_ckpt_retention keep;
    bool finite; /* a float that is not finite is ANN_ERR_NUMERIC */
    /* Called on rank 0's writer thread before each commit: makes durable what the checkpoint counts on. NULL:
       nothing. */
    ann_status (*before_commit)(void *to);
    void *to;
} ann_ckpt_options;

/* Writes checkpoints of one store beside training: a *snapshot* is taken while training waits, and a thread
   of each writing rank makes a checkpoint of it.

   The snapshot is the shard's file in memory, HDF5's own structures included, so that it is hashed by one
   thread and written by another as it is, past the page cache where the file system allows it. Nothing
   changes it until the checkpoint is there, so what is written is what was hashed, and the checksums are
   right by construction. Verifying is left to find out what the disk did: after the commit, and before any
   older checkpoint is removed, each writer reads its shard back, with the page cache dropped. Before the
   commit it would protect nothing more (all older checkpoints are there until then) and the checkpoint would
   come later by as much as writing takes: 0.5 s for 1.2 GB. A new checkpoint cannot begin while the last one
   is verified.

   A thread never communicates. What the threads have done is joined when all ranks call _poll or _wait, in
   five stages: directory (rank 0), shards, manifest and commit (rank 0), verification, retention (rank 0).
   After a failure in any of them, what was made is removed and, if it was verification that failed, what was
   published is taken back: the directory is then as if nothing had been tried. A failed attempt does not
   spoil the writer.

   How many writers: a rank that writes copies 1/writers of the state while training waits, so the default is
   that each does. Measured with 4 ranks on one host of 2 busy cores, 600 MB, best of 2: 1 writer 0.23 s of
   waiting and 0.94 s until the commit, 2 writers 0.15 and 0.84 s, 4 writers 0.09 and 0.78 s. One thread
   writing fills this disk, so more files gain nothing there. On a parallel file system with many nodes, one
   per node still uses every node's link and makes fewer files; a few in all are for file systems that suffer
   from many. */
typedef struct ann_ckpt_writer ann_ckpt_writer;

/* Plans the shards of the committed store and allocates (and touches) this rank's snapshot: the memory of its
   shard. The strings of options are copied. store is borrowed until _free. Errors: ANN_ERR_ARG,
   ANN_ERR_MEMORY, ANN_ERR_INTERNAL. Collective. */
ann_status ann_ckpt_writer_new(ann_comm *comm, ann_ckpt_writer **out, const ann_store *store,
                               const ann_ckpt_options *options) ANN_MUST_CHECK;
/* Waits for this rank's thread, and gives up what is under way. Local. */
void ann_ckpt_writer_free(ann_ckpt_writer *writer);

/* Takes the snapshot of the store and a copy of meta (NULL: none; rank 0's counts) for the checkpoint of
   step. Returns when the store may change again, after one copy of this rank's shard. Errors: ANN_ERR_ARG
   (the writer is busy; another step or store than on rank 0), ANN_ERR_MEMORY. Collective; 3 agreements. */
ann_status ann_ckpt_writer_begin(ann_comm *comm, ann_ckpt_writer *writer, int64_t step,
                                 const ann_meta *meta) ANN_MUST_CHECK;
/* Moves the attempt on if all threads have done their part. *busy: whether it is still under way; false at
   once, without communication, if none is. Errors: those of the communicator, and ANN_ERR_NUMERIC (the
   snapshot holds a number that is not finite: training is pointless). Collective; one small reduction while
   busy. */
ann_status ann_ckpt_writer_poll(ann_comm *comm, ann_ckpt_writer *writer, bool *busy) ANN_MUST_CHECK;
/* Until nothing is under way. Returns how the last attempt ended; the same errors as ann_ckpt_write.
   Collective. */
ann_status ann_ckpt_writer_wait(ann_comm *comm, ann_ckpt_writer *writer) ANN_MUST_CHECK;
bool ann_ckpt_writer_busy(const ann_ckpt_writer *writer); /* the same on every rank; Local */

/* The last attempt, or the one under way; all the same on every rank but the times. */
typedef struct ann_ckpt_report {
    int64_t step;
    ann_status status; /* ANN_OK while it is under way */
    const char *text;  /* of a failure; borrowed until the next _begin */
    double stall_s;    /* of _begin */
    double commit_s;   /* from the end of _begin until it was there; 0: it is not */
    double write_s;    /* and until it had been verified and older ones removed; 0: not yet. As this rank saw
                          them */
} ann_ckpt_report;
ann_ckpt_report ann_ckpt_writer_report(const ann_ckpt_writer *writer);

/* Writes the committed store and meta (NULL: none) as DIR/step-<step>, by a writer of its own: begin and
   wait. DIR is made if need be. Every rank must hold the same store contents (data parallelism) and writes
   its range of each block; DIR must be the same directory for all. Afterwards the newest `keep` checkpoints
   are left (0: all), the one just written among them in any case. Left-over ".part" directories of earlier
   attempts are removed: one job at a time may write into DIR. Errors (the same on all ranks): ANN_ERR_NOSPACE
   (also a quota or a file-size limit, if SIGXFSZ is ignored), ANN_ERR_IO, ANN_ERR_CORRUPT (a shard does not
   read back the same), ANN_ERR_ARG, ANN_ERR_MEMORY. Collective; ten agreements, one broadcast, one allgather
   of 16 bytes per tensor, whose memory is 16 bytes x ranks x tensors. */
ann_status ann_ckpt_write(ann_comm *comm, const char *dir, int64_t step, const ann_store *store,
                          const ann_meta *meta, int keep) ANN_MUST_CHECK;

/* Clears away what killed writers left in dir, and lets DIR/latest and latest.h5 be the newest checkpoint's,
   as the next writer would: for a directory that gets no more checkpoints. Failures are only logged. On one
   rank; Local. */
void ann_ckpt_settle(const char *dir);

/* ---- reading ---- */

/* Finds the newest checkpoint in dir whose manifest and checksums are right; *path is "" if there is no
   checkpoint at all. Those that fail are named in the log. size of path >= 4096. Errors: ANN_ERR_CORRUPT
   (there are some, and none is good: what may still be saved from them must not be overwritten). Collective.
 */
ann_status ann_ckpt_latest(ann_comm *comm, const char *dir, char *path, size_t size) ANN_MUST_CHECK;

/* The newest checkpoint in dir that was made before the one called `than` (a path or a name; "": the newest
   of all) and whose manifest is right and whose files are there with their sizes: ann_ckpt_restore and
   ann_ckpt_read compare the checksums while they read, so that nothing has to be read twice. When they find
   damage, ask for the one before. Otherwise as ann_ckpt_latest: "" if there is none, ANN_ERR_CORRUPT if there
   are some (`than` among them) and none is left. Collective. */
ann_status ann_ckpt_candidate(ann_comm *comm, const char *dir, const char *than, char *path,
                              size_t size) ANN_MUST_CHECK;
/* Compares every checksum of the checkpoint at path; the ranks share its shards. Errors: as ann_ckpt_open.
   Collective. */
ann_status ann_ckpt_verify(ann_comm *comm, const char *path) ANN_MUST_CHECK;

typedef struct ann_ckpt ann_ckpt;
/* Opens one checkpoint directory for reading, verifying every checksum. Written by any number of ranks, read
 * by any. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_FORMAT, ANN_ERR_CORRUPT (names shard and tensor). Local. */
ann_status ann_ckpt_open(ann_ckpt **out, const char *path) ANN_MUST_CHECK;
/* The same, but compares only the manifest's checksum and the sizes of the files. Local. */
ann_status ann_ckpt_peek(ann_ckpt **out, const char *path) ANN_MUST_CHECK;
void ann_ckpt_close(ann_ckpt *ckpt);
const char *ann_ckpt_path(const ann_ckpt *ckpt);
int64_t ann_ckpt_serial(const ann_ckpt *ckpt); /* the order of their making, within a directory */
int64_t ann_ckpt_step(const ann_ckpt *ckpt);
const ann_meta *ann_ckpt_meta(const ann_ckpt *ckpt);
int ann_ckpt_tensor_count(const ann_ckpt *ckpt);
const ann_tensor_info *ann_ckpt_tensor(const ann_ckpt *ckpt, int i);
int ann_ckpt_shard_count(const ann_ckpt *ckpt);
/* Name and size of a shard's file; NULL if there is none of that number. */
const char *ann_ckpt_shard(const ann_ckpt *ckpt, int i, int64_t *bytes);
/* The first and the last shard that hold a part of tensor i. */
void ann_ckpt_tensor_shards(const ann_ckpt *ckpt, int i, int *first, int *last);
const char *ann_ckpt_block_name(const ann_ckpt *ckpt, ann_block block);
/* Reads the tensor called `name` into out (elems * dtype bytes), and compares its checksums on the way.
   Errors: ANN_ERR_NOT_FOUND, ANN_ERR_CORRUPT (names shard and tensor), ANN_ERR_IO. Local. */
ann_status ann_ckpt_read(const ann_ckpt *ckpt, const char *name, void *out) ANN_MUST_CHECK;
/* Hash of the step and of all tensors (name, dtype, shape, role, values): the same in any number of shards.
   Reads everything, and compares the checksums of tensors on the way. The ranks of comm share the reading,
   all with the same checkpoint; NULL: alone. Errors: ANN_ERR_CORRUPT, ANN_ERR_IO, ANN_ERR_MEMORY. Collective;
   one small reduction. Without comm Local. */
ann_status ann_ckpt_content(ann_comm *comm, uint64_t *out, const ann_ckpt *ckpt) ANN_MUST_CHECK;
/* Fills every tensor of the (committed) store from the checkpoint; each must be there with equal dtype and
   shape, or nothing is changed. Each byte is read once, straight to its place, and its checksum compared on
   the way: after ANN_ERR_CORRUPT the store's values are undefined. Two threads. Local. */
ann_status ann_ckpt_restore(const ann_ckpt *ckpt, ann_store *store) ANN_MUST_CHECK;

#endif
