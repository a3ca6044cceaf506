/* Leading a run from outside: what people and coordinators may ask of a running phase, and what they are
   told.

   A request is taken up on rank 0 and reaches all ranks at one step boundary, at most about a second later.
   Before it is applied it is appended to config.output/control.jsonl, with author, time, phase and step; a
   run that goes on from an earlier checkpoint repeats from there what changes training, at the same steps; a
   phase that runs again because it has changed (lineage.h) does not. */
#ifndef ANN_TRAIN_LEAD_H
#define ANN_TRAIN_LEAD_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ann_control_kind {
    ANN_CONTROL_PAUSE, /* all ranks wait, until RESUME or STOP */
    ANN_CONTROL_RESUME,
    ANN_CONTROL_CHECKPOINT, /* now; training goes on beside it */
    ANN_CONTROL_STOP,       /* after step `value` of the phase, or now; a checkpoint is written */
    ANN_CONTROL_LR,        /* the learning rate is `value` times the scheduled one, to the end of the phase */
    ANN_CONTROL_LOG_EVERY, /* a progress line every `value` steps, to the end of the phase */
    ANN_CONTROL_LEAVE, /* end at once, without a checkpoint: another job has the phase; is not written down */
    ANN_CONTROL_COUNT
} ann_control_kind;

enum { ANN_CONTROL_AUTHOR_BYTES = 64 };

typedef struct ann_control {
    int64_t id; /* the asker's own */
    ann_control_kind kind;
    double value;
    char author[ANN_CONTROL_AUTHOR_BYTES]; /* what is not a printable ASCII character is written as '?' */
    int64_t asked_ms;                      /* Unix time */
} ann_control;

/* "pause", "resume", "checkpoint", "stop", "lr", "log_every", "leave". */
const char *ann_control_name(ann_control_kind kind);
/* Whether the value is one that the kind allows: LR finite and >= 0, LOG_EVERY an integer >= 1, STOP an
   integer
   >= 0. Local. */
bool ann_control_is_valid(const ann_control *control);

/* What is to be done next. */
typedef enum ann_lead_word {
    ANN_LEAD_FREE,  /* nobody says, or nothing is left: as the run file has it */
    ANN_LEAD_PHASE, /* a certain phase */
    ANN_LEAD_WAIT,  /* other jobs work on what comes before, or there is no answer yet: ask again */
    ANN_LEAD_STOP   /* nothing: the run was stopped, or another job has taken over */
} ann_lead_word;

/* Who leads. All functions are called by rank 0's thread that trains, and must not block; each may be NULL.
 */
typedef struct ann_lead {
    void *self;
    /* Between two phases: what next? *phase: a name, for PHASE; valid until the next call. */
    ann_lead_word (*assign)(void *self, const char **phase);
    /* Takes the oldest request that waits; false: there is none. */
    bool (*next)(void *self, ann_control *out);
    /* It was applied after step `step` of the phase; step < 0: it was refused. */
    void (*applied)(void *self, const ann_control *control, const char *phase, int64_t step);
    /* A line that goes to metrics.jsonl, JSON with '\n' at its end. */
    void (*line)(void *self, const char *json);
    /* The phase begins, or goes on, behind `step`, or is found finished; `steps` it has in all. */
    void (*began)(void *self, const char *phase, int64_t step, int64_t steps);
    /* A checkpoint is there. */
    void (*committed)(void *self, const char *phase, int64_t step, const char *path);
    /* The phase is finished; its final checkpoint was told of before, by this job or an earlier one. */
    void (*done)(void *self, const char *phase, double test_loss, double test_accuracy);
} ann_lead;

#endif
