/* The inside of an open checkpoint, and its reading. Local. */
#ifndef ANN_CKPT_READER_H
#define ANN_CKPT_READER_H

#include "ckpt/manifest.h"

typedef struct anni_located { /* a piece and where it is */
    const anni_piece *piece;
    int shard;
} anni_located;

struct ann_ckpt {
    char *path;
    anni_manifest *manifest;
    anni_located *pieces; /* by tensor, then by position */
    int *first_piece;     /* of each tensor; [tensor_count] is the number of pieces */
};

/* The number of the tensor called `name`. Errors: ANN_ERR_NOT_FOUND. */
ann_status anni_ckpt_find(int *out, const ann_ckpt *ckpt, const char *name) ANN_MUST_CHECK;

/* As ann_ckpt_open, but reads nothing than the manifest. */
ann_status anni_ckpt_open_manifest(ann_ckpt **out, const char *path) ANN_MUST_CHECK;
/* As ann_ckpt_open, but verifies only the shards first, first + stride, ...: ranks share the work. */
ann_status anni_ckpt_open_some(ann_ckpt **out, const char *path, int first, int stride) ANN_MUST_CHECK;

/* whole.h5 is for other programs: a damaged one costs them, not us. false: it is missing or damaged. */
bool anni_ckpt_whole_is_good(const ann_ckpt *ckpt);

/* ---- load.c: pieces read once, straight to where they go, and hashed on the way ---- */

typedef struct anni_load_job {
    int shard, piece; /* piece -1: all that is in no piece (the rest) */
    void *target;     /* where the piece goes; NULL: it is only checked */
} anni_load_job;

/* Called under a lock for each failed job; the error's text is complete. */
typedef void anni_load_report(void *to, ann_status status, const char *text);

/* Reads every job's bytes and compares their checksums with the manifest's, two jobs at a time. Without
   `report` the first failure ends it; with it all jobs are done, and the first failure is returned. Errors:
   ANN_ERR_CORRUPT (names the shard's file and the tensor), ANN_ERR_IO, ANN_ERR_MEMORY. */
ann_status anni_load_run(const ann_ckpt *ckpt, const anni_load_job *jobs, int count, anni_load_report *report,
                         void *to) ANN_MUST_CHECK;

/* Checks the shards first, first + stride, ... whole. */
ann_status anni_load_check(const ann_ckpt *ckpt, int first, int stride, anni_load_report *report,
                           void *to) ANN_MUST_CHECK;

#endif
