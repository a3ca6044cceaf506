/* Checkpoints of one stage while it runs: when one is due, who asked for one, and how it is written beside
   training. */
#ifndef ANN_TRAIN_SAVER_H
#define ANN_TRAIN_SAVER_H

#include "train/cadence.h"
#include "train/internal.h"
#include "train/steer.h"

typedef enum anni_want {
    ANNI_WANT_NOTHING,
    ANNI_WANT_SAVE,
    ANNI_WANT_STOP, /* save, and end the run */
    ANNI_WANT_END   /* the phase's wall time is over; nothing was saved */
} anni_want;

typedef struct anni_saver {
    anni_phase *phase;
    const ann_store *store;
    ann_ckpt_writer *writer; /* NULL: none was needed so far */
    anni_cadence cadence;
    int64_t next_poll;              /* a step; the same on every rank */
    int64_t polled_step, polled_ns; /* the last one */
    int64_t looked_ns;              /* when rank 0 last looked for control files */
    int64_t said_skip_step;         /* the checkpoint because of which it was last told that one is skipped */
    bool missed;                    /* one was due since then, where none could be taken */
    double over_s;    /* when the phase's wall time is over, by rank 0's clock; INFINITY: never */
    bool at_deadline; /* the request to stop is the job's deadline */
    double cost_s, said_interval_s; /* of the last checkpoint; the last one that was told */
} anni_saver;

/* Where checkpoints are to be expected, their memory is allocated now. Collective. */
ann_status anni_saver_begin(anni_saver *saver, anni_phase *phase, const anni_cursor *cursor,
                            const ann_store *store) ANN_MUST_CHECK;
/* After each step, and again and again while the stage is paused: moves on what is being written, applies
   what was asked for, and says what is wanted now. Collective; without communication but every few steps. */
ann_status anni_saver_poll(anni_saver *saver, anni_want *want, anni_steer *steer,
                           anni_cursor *cursor) ANN_MUST_CHECK;
/* Instead of a poll, after a step from which training cannot be resumed: what is due there is due at the next
   poll. Local. */
void anni_saver_pass(anni_saver *saver, const anni_cursor *cursor);
/* Begins a checkpoint; with ANNI_WANT_STOP, waits for it, and only then is a failure an error. since_ns: when
   training began to wait for it. Collective. */
ann_status anni_saver_save(anni_saver *saver, anni_want want, const anni_cursor *cursor,
                           int64_t since_ns) ANN_MUST_CHECK;
/* Waits for what is being written, whose failure is only logged. `status`: how the stage ended, the same on
   every rank, which is returned if it is a failure; the checkpoint is good all the same, unless ranks were
   lost. Collective. */
ann_status anni_saver_end(anni_saver *saver, ann_status status) ANN_MUST_CHECK;
/* Local. */
void anni_saver_fini(anni_saver *saver);

/* Whether checkpoints need the metrics of the test set. */
bool anni_saver_needs_test(const anni_run *run);

/* Writes the checkpoint at the end of a phase. Collective. */
ann_status anni_saver_final(anni_phase *phase, const anni_cursor *cursor,
                            const ann_store *store) ANN_MUST_CHECK;

/* ---- control.c: files by which people ask ---- */

/* Removes requests of earlier jobs; rank 0. */
void anni_control_clear(const anni_run *run);
/* Whether the file config.output/NAME is there; it is removed. */
bool anni_control_take(const anni_run *run, const char *name);

#endif
