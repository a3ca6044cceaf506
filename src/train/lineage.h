/* Lineage: from which phase, configuration, data, code and earlier checkpoints a checkpoint came, by content
   hash (XXH3-64).

   Words: the *key* of a phase is the hash of its facts, everything in the configuration that decides its
   results (seed, model, loss, program, optimizer, batch, stop rule ...); where files and folders lie, when
   checkpoints and log lines are written, and how ranks communicate is no part of it. A *parent* is a
   checkpoint or file from which the phase took tensors (phases[].load). The *content* of a checkpoint is that
   of ann_ckpt_content; of another file, the hash of its bytes. The *id* is the hash of all of this but paths,
   so that results can name where they came from in one number.

   A checkpoint's metadata hold it under "lineage", as a YAML map:

       id: 0x89abcdef01234567
       phase: transfer
       key: 0x0123456789abcdef
       data: {train: 0x..., test: 0x...}          # checksums of the two splits
       code: {version: "0.1.0", revision: "946b9d4aabcd"}
       parents:
       - {phase: pretrain, step: 780, path: "../pretrain/step-0000000780", key: 0x..., content: 0x...}

   A path is relative to the phase's folder, in which the checkpoint lies, or absolute. A parent that is no
   checkpoint of a run has phase "", step -1 and key 0. */
#ifndef ANN_TRAIN_LINEAGE_H
#define ANN_TRAIN_LINEAGE_H

#include "ckpt/tools.h"
#include "train/config.h"

enum { ANN_LINEAGE_PARENTS = 4, ANN_LINEAGE_NAME_BYTES = 128 };

typedef struct ann_lineage_parent {
    char phase[ANN_LINEAGE_NAME_BYTES];
    char path[ANN_CKPT_PATH_BYTES];
    int64_t step;
    uint64_t key, content; /* content 0: not known */
} ann_lineage_parent;

typedef struct ann_lineage {
    char phase[ANN_LINEAGE_NAME_BYTES], version[ANN_LINEAGE_NAME_BYTES], revision[ANN_LINEAGE_NAME_BYTES];
    uint64_t key, train_data, test_data;
    ann_lineage_parent parents[ANN_LINEAGE_PARENTS];
    int parent_count; /* -1: not known, and not compared */
} ann_lineage;

/* The key of phase number `phase`: a function of the configuration alone. Errors: ANN_ERR_MEMORY. Local. */
ann_status ann_lineage_key(uint64_t *out, const ann_run_config *config, int phase) ANN_MUST_CHECK;
uint64_t ann_lineage_id(const ann_lineage *lineage);

/* The text of the map. Owner of *out: the caller, free(). Local. */
ann_status ann_lineage_print(char **out, const ann_lineage *lineage) ANN_MUST_CHECK;
/* From a checkpoint's metadata. Errors: ANN_ERR_NOT_FOUND (it has none), ANN_ERR_FORMAT. Local. */
ann_status ann_lineage_read(ann_lineage *out, const ann_meta *meta) ANN_MUST_CHECK;

/* Describes what a phase took or would take tensors from: the folder of a checkpoint, or one that stands for
   it (as in ann_ckpt_resolve), or any file. out->path is absolute. Reads all of it; the ranks of comm share
   out the tensors of a checkpoint, NULL: alone. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_CORRUPT,
   ANN_ERR_MEMORY. Collective, without comm Local. */
ann_status ann_lineage_describe(ann_comm *comm, ann_lineage_parent *out, const char *path) ANN_MUST_CHECK;

typedef enum ann_parent_state {
    ANN_PARENT_SAME,
    ANN_PARENT_GONE,   /* nothing is there any more */
    ANN_PARENT_CHANGED /* something else is, or it is damaged */
} ann_parent_state;

/* Looks where the parent of the checkpoint at `of` lies: its path (ANN_CKPT_PATH_BYTES), and whether it has
   the recorded content. Reads all of it. Local. */
ann_parent_state ann_lineage_look(char *path, const char *of, const ann_lineage_parent *parent);

typedef enum ann_lineage_change {
    ANN_LINEAGE_SAME,
    ANN_LINEAGE_CONFIG,
    ANN_LINEAGE_DATA,
    ANN_LINEAGE_PARENT
} ann_lineage_change;

/* The first thing that `now` has and `then` had not; buf gets a line about it. Code and paths do not count,
   nor does the key of a parent whose content is the same; where the content is not known now, the key does.
   Local. */
ann_lineage_change ann_lineage_compare(char *buf, size_t size, const ann_lineage *now,
                                       const ann_lineage *then);

#endif
