/* Requests to a running stage (lead.h): from rank 0 to all ranks, into the log, and from the log again. */
#ifndef ANN_TRAIN_STEER_H
#define ANN_TRAIN_STEER_H

#include "train/internal.h"
#include "train/lead.h"

enum { ANNI_CONTROLS_MAX = 16 }; /* taken up at a time */

typedef struct anni_steer {
    anni_phase *phase;
    ann_control taken[ANNI_CONTROLS_MAX]; /* by rank 0, not yet known to the others */
    int n_taken;
    ann_request *repeats; /* of the log; ascending; the same on every rank */
    int n_repeats, next_repeat;
    int64_t stop_after; /* a step; 0: none */
    bool paused;
    bool unasked; /* somebody leads, and was not asked since the stage began; the same on every rank */
} anni_steer;

/* Finds what is to be repeated behind the cursor, and whether somebody leads. Collective. */
ann_status anni_steer_begin(anni_steer *steer, anni_phase *phase, const anni_cursor *cursor) ANN_MUST_CHECK;
void anni_steer_fini(anni_steer *steer);
/* Rank 0 asks its lead; returns how many requests wait now. Local. */
int anni_steer_ask(anni_steer *steer);
/* Applies what waits on rank 0, where some does. *save becomes true if a checkpoint is
   asked for. Collective. */
ann_status anni_steer_apply(anni_steer *steer, anni_cursor *cursor, bool *save) ANN_MUST_CHECK;
/* Writes into the log that the phase begins anew: what it has of it before that is not repeated. Rank 0;
 * Local.
 */
ann_status anni_steer_anew(const anni_run *run, const char *phase) ANN_MUST_CHECK;
/* After each step: applies what the log has for it. Local. */
void anni_steer_repeat(anni_steer *steer, anni_cursor *cursor);

#endif
