/* What an agent has to tell its coordinator: a queue from the thread that trains to the agent's. */
#ifndef ANNULUS_LAUNCH_AGENT_NOTES_H
#define ANNULUS_LAUNCH_AGENT_NOTES_H

#include "coord/annulus.pb-c.h"
#include "train/lead.h"

typedef enum note_kind {
    NOTE_METRIC,
    NOTE_BEGAN,
    NOTE_COMMITTED,
    NOTE_APPLIED,
    NOTE_DONE,
    NOTE_NEXT
} note_kind;

typedef struct note note;
struct note {
    note *next;
    note_kind kind;
    int64_t time_ms;
    int64_t step, steps; /* BEGAN: behind which step; of how many */
    int64_t request;     /* APPLIED: its id; step < 0: refused. NEXT: the number of the question */
    double test_loss, test_accuracy; /* DONE */
    char *text;                      /* METRIC: the line; else the phase */
    char *path;                      /* COMMITTED */
};

/* Strings are copied; NULL when memory is exhausted. Owner: the caller, note_free. */
note *note_new(note_kind kind, const char *text, const char *path);
void note_free(note *n);

/* A metric as the coordinator takes it: all numbers of the line but its place. */
typedef struct note_metric {
    Annulus__V1__Metric message; /* points into the rest */
    Annulus__V1__Value values[16], *pointers[16];
    char names[16][40];
    char phase[128], stage[128];
} note_metric;
/* false if the line holds no measurement (an event, or it cannot be read). The result may not be moved. */
bool note_metric_of(note_metric *out, const note *n);

#endif
