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

#endif
