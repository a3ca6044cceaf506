/* The checkpoints in a directory, told apart by their names alone:

     step-NNNNNNNNNN        committed
     step-NNNNNNNNNN.part   being written, or left behind by a writer or a remover that was killed
     step-NNNNNNNNNN.old    committed, and about to be replaced by another one of the same step

   Other names are not ours. Local. */
#ifndef ANN_CKPT_LISTING_H
#define ANN_CKPT_LISTING_H

#include <stdint.h>
#include "base/status.h"

typedef enum anni_listed_kind { ANNI_LISTED_FINAL, ANNI_LISTED_PART, ANNI_LISTED_OLD } anni_listed_kind;

typedef struct anni_listed {
    char name[48];
    anni_listed_kind kind;
    int64_t step;
    int64_t serial; /* of the manifest; -1: none can be read */
} anni_listed;

/* Formats the name of a step's directory. */
void anni_listed_name(char name[48], int64_t step, anni_listed_kind kind);

/* All of dir's, latest made first; those whose serial is not known come before all others, by step. A
   directory that does not exist has none. Owner of *out: the caller, free. Errors: ANN_ERR_IO,
   ANN_ERR_MEMORY. */
ann_status anni_list(anni_listed **out, int *count, const char *dir) ANN_MUST_CHECK;

#endif
