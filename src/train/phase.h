/* A phase from its opening to its result. */
#ifndef ANN_TRAIN_PHASE_H
#define ANN_TRAIN_PHASE_H

#include "train/internal.h"

/* Opens the phase's data and checks that they suit it. To be closed even after a failure. Local. */
ann_status anni_phase_open(anni_phase *out, anni_run *run, int index) ANN_MUST_CHECK;
void anni_phase_close(anni_phase *phase);
/* Trains from the cursor on, evaluates, writes the final checkpoint and the place of it in run->results.
   restore: a checkpoint of this phase, or "". Collective. */
ann_status anni_phase_run(anni_phase *phase, anni_cursor *cursor, const char *restore) ANN_MUST_CHECK;

/* ---- untrained.c ---- */

/* Evaluates or exports, and makes the store without tensors of the phase's checkpoint, which the caller
   frees. Collective. */
ann_status anni_untrained_run(anni_phase *phase, anni_cursor *cursor, ann_store **store) ANN_MUST_CHECK;
/* Whether what a finished phase has written beside its checkpoint is still there. Collective. */
ann_status anni_untrained_is_there(bool *out, const anni_phase *phase) ANN_MUST_CHECK;

#endif
