/* What `annulus ckpt` does with checkpoints on disk. Local throughout: no job is needed, nor one running.

   Words: a *folder* is a directory with checkpoints step-NNNNNNNNNN in it, as each phase of a run has one
   below the run's output. */
#ifndef ANN_CKPT_TOOLS_H
#define ANN_CKPT_TOOLS_H

#include "ckpt/ckpt.h"
#include "ckpt/rename.h"

enum { ANN_CKPT_PATH_BYTES = 4096 };

/* ---- finding ---- */

typedef enum ann_ckpt_state {
    ANN_CKPT_GOOD,       /* the manifest is right, and the files are there with their sizes */
    ANN_CKPT_DAMAGED,    /* it was committed, and now something is missing or wrong */
    ANN_CKPT_INTERRUPTED /* never committed, or about to be removed: its name ends in ".part" */
} ann_ckpt_state;

typedef struct ann_ckpt_summary {
    char name[48];
    int64_t step, time_s; /* when its manifest was written, seconds since 1970; 0: not known */
    int64_t bytes;        /* of all its files */
    ann_ckpt_state state;
    char problem[512]; /* of a damaged one */
    bool latest, best; /* so DIR/latest and DIR/best say */
    ann_ckpt *ckpt;    /* of a good one: its manifest; owned */
} ann_ckpt_summary;

/* All checkpoints of a folder, latest made first. A folder that does not exist is ANN_ERR_NOT_FOUND. */
ann_status ann_ckpt_survey(ann_ckpt_summary **out, int *count, const char *dir) ANN_MUST_CHECK;
void ann_ckpt_survey_free(ann_ckpt_summary *list, int count);

/* The folders that `path` stands for: itself if it has checkpoints, else those directly below it (a run's
   output). Names in the order of the alphabet. Errors: ANN_ERR_NOT_FOUND (none). Owner: the caller, free each
   and the list. */
ann_status ann_ckpt_folders(char ***out, int *count, const char *path) ANN_MUST_CHECK;

/* The checkpoint that `path` stands for: itself if it is one, the one that the file `path` names (DIR/latest,
   DIR/best), or the newest with a readable manifest of the folder `path`. Errors: ANN_ERR_NOT_FOUND,
   ANN_ERR_FORMAT (another file), ANN_ERR_CORRUPT (there are some, and no manifest can be read),
   ANN_ERR_ARG (path is a run's output with several folders: names them). */
ann_status ann_ckpt_resolve(char out[ANN_CKPT_PATH_BYTES], const char *path) ANN_MUST_CHECK;

/* ---- checking ---- */

typedef struct ann_ckpt_findings {
    int64_t bytes;      /* read */
    int shards, pieces; /* checked */
    int bad;            /* lines that were reported */
    char older[48]; /* of a bad checkpoint: the newest made before it all of whose checksums are right, or ""
                     */
} ann_ckpt_findings;

/* Compares every checksum of the checkpoint at `path`: its manifest, each shard's pieces and the bytes around
   them, and whole.h5. Each fault is reported in a line that names file and tensor. Returns ANN_OK if there is
   none, else the first fault's status. */
ann_status ann_ckpt_inspect(ann_ckpt_findings *out, const char *path,
                            void (*report)(void *to, const char *line), void *to) ANN_MUST_CHECK;

/* ---- comparing ---- */

typedef enum ann_ckpt_difference_kind {
    ANN_CKPT_ONLY_A,
    ANN_CKPT_ONLY_B,
    ANN_CKPT_OTHER_SHAPE, /* or dtype */
    ANN_CKPT_OTHER_VALUES,
    ANN_CKPT_META_ONLY_A,
    ANN_CKPT_META_ONLY_B,
    ANN_CKPT_META_OTHER
} ann_ckpt_difference_kind;

typedef struct ann_ckpt_difference {
    ann_ckpt_difference_kind kind;
    const char *name; /* tensor, or key of the metadata */
    const ann_tensor_info *a, *b;
    double max_abs, relative_l2;   /* |a - b| at most; ||a - b|| / ||a||; NAN where a NaN meets a number */
    int64_t first, count;          /* index of the first element that differs, and how many do */
    const char *value_a, *value_b; /* of metadata */
} ann_ckpt_difference;

/* Compares the tensors (those that match `pattern`) and the metadata of a and b, a few megabytes at a time.
   Values that differ by no more than `tolerance` are equal; so are NaNs of the same bits. *equal says whether
   nothing was reported. */
ann_status ann_ckpt_compare(bool *equal, const ann_ckpt *a, const ann_ckpt *b, const char *pattern,
                            double tolerance, void (*report)(void *to, const ann_ckpt_difference *difference),
                            void *to) ANN_MUST_CHECK;

/* ---- converting ---- */

/* Writes the same checkpoint (tensors, metadata, step) in another number of shards into the folder dir, which
   is made if need be; *out is the new checkpoint. Memory: the whole checkpoint and one shard. No job may be
   writing into dir. Errors: ANN_ERR_ARG (dir has a checkpoint of that step), ANN_ERR_CORRUPT, ANN_ERR_IO,
   ANN_ERR_NOSPACE, ANN_ERR_MEMORY. */
ann_status ann_ckpt_reshard(char out[ANN_CKPT_PATH_BYTES], const ann_ckpt *ckpt, const char *dir,
                            int shards) ANN_MUST_CHECK;

typedef struct ann_ckpt_import_options {
    const char *tensors; /* pattern of names, after renaming */
    const ann_rename *rename;
    int rename_count;
    int64_t step;
    bool strict; /* nothing may be skipped or converted: else ANN_ERR_DTYPE, and no checkpoint is made */
} ann_ckpt_import_options;

/* Makes dir/step-<step> of a file that ann_foreign_open reads: every tensor that can be taken, as a
   parameter; metadata say where it is from. What was renamed, converted or skipped is reported line by line.
   Memory: the tensors and one shard. Errors: those of ann_foreign_open and _read, ANN_ERR_NOT_FOUND (nothing
   was taken), ANN_ERR_ARG (dir has a checkpoint of that step, or file is a checkpoint). */
ann_status ann_ckpt_import(char out[ANN_CKPT_PATH_BYTES], const char *file, const char *dir,
                           const ann_ckpt_import_options *options, void (*report)(void *to, const char *line),
                           void *to) ANN_MUST_CHECK;

/* ---- exporting ---- */

typedef enum ann_ckpt_file_format { ANN_CKPT_H5, ANN_CKPT_SAFETENSORS, ANN_CKPT_NPZ } ann_ckpt_file_format;

/* The format that the end of a file's name stands for: .h5, .safetensors or .npz; false: none of them. */
bool ann_ckpt_file_format_of(ann_ckpt_file_format *out, const char *path);

typedef enum ann_ckpt_roles {
    ANN_CKPT_ROLES_MODEL, /* parameters and running statistics: what a forward pass needs */
    ANN_CKPT_ROLES_PARAMETERS,
    ANN_CKPT_ROLES_ALL /* the optimizer's moments too */
} ann_ckpt_roles;

typedef struct ann_ckpt_export_options {
    ann_ckpt_file_format format;
    const char *tensors; /* pattern of names */
    ann_ckpt_roles roles;
} ann_ckpt_export_options;

/* Writes one file of tensors that h5py, safetensors or numpy read, under the same names, and the metadata
   where the format has a place for them (h5, safetensors). Streaming, a megabyte at a time; a file of that
   name is replaced once the new one is complete and on disk. *tensors and *bytes: what was written. Errors:
   ANN_ERR_CORRUPT (a checksum is wrong), ANN_ERR_NOT_FOUND (no tensor matches), ANN_ERR_IO, ANN_ERR_NOSPACE.
 */
ann_status ann_ckpt_export(int *tensors, int64_t *bytes, const ann_ckpt *ckpt, const char *path,
                           const ann_ckpt_export_options *options) ANN_MUST_CHECK;

/* ---- removing ---- */

/* Removes from a folder all but the newest `keep` (at least 1) that are good, those whose serial number is a
   multiple of `every` (0: none), and the best one. The newest checkpoint all of whose checksums are right is
   never removed, and neither are damaged ones of later steps (something may be saved from them) and what a
   job may just be writing. Each is reported, with whether it is (or, with dry_run, would be) removed. */
ann_status ann_ckpt_prune(const char *dir, int keep, int every, bool dry_run,
                          void (*report)(void *to, const ann_ckpt_summary *item, bool removed),
                          void *to) ANN_MUST_CHECK;

#endif
