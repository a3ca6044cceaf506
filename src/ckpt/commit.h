/* The steps of a checkpoint's life that rank 0 takes alone, on its directory. Local.

   Each of them is one rename as far as a reader can see: whoever is killed at any instant leaves either what
   was there before or what is there after. */
#ifndef ANN_CKPT_COMMIT_H
#define ANN_CKPT_COMMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "ckpt/files.h"
#include "ckpt/manifest.h"

typedef struct anni_commit {
    const char *dir; /* borrowed */
    int64_t step;
    char name[48]; /* "step-NNNNNNNNNN" */
    char part[ANNI_PATH_BYTES], final[ANNI_PATH_BYTES], old[ANNI_PATH_BYTES];
    char latest[ANNI_PATH_BYTES], latest_part[ANNI_PATH_BYTES];
    char best[ANNI_PATH_BYTES], best_part[ANNI_PATH_BYTES];
    bool made_dir; /* dir is new */
} anni_commit;

/* Computes the names. Errors: ANN_ERR_ARG (empty or too long, step below 0). */
ann_status anni_commit_init(anni_commit *commit, const char *dir, int64_t step) ANN_MUST_CHECK;

/* Makes dir, clears away what killed writers left, makes the empty .part directory, and finds the next serial
 * number. */
ann_status anni_commit_prepare(int64_t *serial, anni_commit *commit) ANN_MUST_CHECK;

/* Renames the finished .part directory to its final name, then moves `latest`. On failure nothing has
 * changed. */
ann_status anni_commit_publish(const anni_commit *commit) ANN_MUST_CHECK;

/* Takes back all that prepare and the shards' writers made, as far as possible. Every rank calls it, in case
   they do not share the directory; only the root goes beyond .part, and speaks. Leaves the error record
   alone. */
void anni_commit_abandon(const anni_commit *commit, bool root);

/* Takes back what publish did: afterwards things are as before it, and all that is left is to abandon. Leaves
   the error record in disorder. */
void anni_commit_withdraw(const anni_commit *commit);

/* ---- retain.c ---- */

/* Moves DIR/best if the one just published (and verified) is the best, and removes the replaced checkpoint of
   the same step and all that `keep` does not keep; the one just published stays in any case. Failures are
   only logged: the new checkpoint is there. */
void anni_commit_retain(const anni_commit *commit, const ann_ckpt_retention *keep,
                        const anni_manifest *manifest);

#endif
