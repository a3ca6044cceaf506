/* What communication costs a training step: measured on a phase's own plan, data and messages. */
#ifndef ANN_TRAIN_OVERLAP_H
#define ANN_TRAIN_OVERLAP_H

#include "comm/tuning.h"
#include "train/config.h"

typedef struct ann_overlap_options {
    int threads; /* per rank; 0: cores of this host / ranks on it */
    int steps;   /* that are measured, > 0 */
} ann_overlap_options;

/* Times are medians over the steps, in seconds; of what differs between ranks, those of the slowest rank for
   whole steps, and means over ranks for the rest. */
typedef struct ann_overlap_message {
    const char *label;
    int64_t bytes;
    ann_algorithm algorithm;
    double start_s, done_s; /* since the step began: it was started; its sum was there */
    double wait_s;          /* what the wait for it took */
} ann_overlap_message;

typedef struct ann_overlap {
    int steps;
    double step_s;    /* as in training, without the wait for data */
    double compute_s; /* the same plan without communication */
    double alone_s;   /* the messages without the plan, all of a plan started at once */
    double overlap;   /* (alone + compute - step) / the smaller of alone and compute, the median over steps */
    double wait_s;    /* of the step, in waits for messages and for the vote: exposed communication */
    double late_s;    /* of it, what the rank that waited least did not wait: ranks that came late */
    double vote_s;    /* of it, for the vote */
    double start_s, progress_s; /* of the step, in starts of messages and in moving them on */
    double longest_s;           /* the longest instruction, between two polls, */
    const char *longest;        /* and its label on this rank */
    int message_count;
    const ann_overlap_message *messages;
    /* The last steps on this rank; times plus clock_offset_ns are those of rank 0's clock. */
    const ann_event *events;
    int event_count;
    int64_t clock_offset_ns;
} ann_overlap;

/* Runs steps of the first stage of a phase from its initial parameters, which it does not change, in turns
   with and without communication. `show` is called once on every rank, with the same report but for
   `longest`, the events and the offset, and may be collective; it returns the same status on every rank. The
   report is valid in it only. Errors: ANN_ERR_CONFIG (one rank, or ranks that train apart, or no whole
   batches), ANN_ERR_NOT_FOUND (no such phase), those of opening a phase and of steps. Collective. */
ann_status ann_train_overlap(ann_comm *comm, const ann_run_config *config, const char *phase,
                             const ann_overlap_options *options,
                             ann_status (*show)(void *to, const ann_overlap *report),
                             void *to) ANN_MUST_CHECK;

#endif
