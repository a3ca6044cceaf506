/* How far an import has come, in a small file beside its output: OUT.import. Private to datasets/.

   The file is locked while an import runs. It holds two places that are written in turn, each with a hash: an
   interruption in mid-write leaves the other one. */
#ifndef ANN_DATASETS_JOURNAL_H
#define ANN_DATASETS_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/mem.h"

/* A place in the import: everything before it is written. */
typedef struct anni_place {
    int64_t split;      /* index in the source's splits */
    int64_t record;     /* the next one of this split */
    int64_t rows;       /* samples of this split that are written */
    int64_t skipped;    /* bad records so far, of all splits */
    int64_t done;       /* records so far, of all splits */
    int64_t written[8]; /* samples of the splits before */
} anni_place;

typedef struct anni_progress_state {
    anni_place now;
    anni_place file; /* where the file or shard begins that is being written */
} anni_progress_state;

typedef struct anni_journal {
    char *path;
    int fd;
    uint64_t key; /* of the import: a state of another key is not taken up */
    uint64_t sequence;
} anni_journal;

/* Opens and locks the journal of an import to `out`. *found: whether it holds a state of this key, in *state.
   Errors: ANN_ERR_IO (another import is running), ANN_ERR_NOSPACE, ANN_ERR_MEMORY. Owner: the caller,
   anni_journal_close. */
ann_status anni_journal_open(anni_journal *journal, const char *out, uint64_t key, ann_arena *arena,
                             bool *found, anni_progress_state *state) ANN_MUST_CHECK;
/* Returns when it is on the disk. */
ann_status anni_journal_write(anni_journal *journal, const anni_progress_state *state) ANN_MUST_CHECK;
/* remove: the import is complete, or nothing of it is worth keeping. */
void anni_journal_close(anni_journal *journal, bool remove);

#endif
