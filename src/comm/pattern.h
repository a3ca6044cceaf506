/* Who sends what to whom: the algorithms of tuning.h as pure functions, without MPI and without state.

   P ranks stand at positions 0..P-1. A pattern is a list of steps; in a step a position sends one range of
   the message to one other position and receives one range from one. What is received is added to the range,
   or replaces it. Ranges travel in segments, and the steps of a position overlap: `send_after` and
   `recv_after` say what must wait for what. */
#ifndef ANN_COMM_PATTERN_H
#define ANN_COMM_PATTERN_H

#include "comm/tuning.h"

typedef struct ann_pattern_step {
    int to, from; /* positions; -1: nothing is sent, nothing is received */
    int64_t send_begin, send_count, recv_begin, recv_count; /* elements */
    bool reduce;                                            /* add what is received; else overwrite */
    /* The step whose receipt completes the range that is sent; -1: none. */
    int send_after;
    /* The step whose sending must be over before what is received may be written; -1: none. */
    int recv_after;
    /* The two ranges are the same, so segment waits for segment; else for all of them. */
    bool send_after_same, recv_after_same;
} ann_pattern_step;

/* DOUBLING, HALVING and LINEAR know ALLREDUCE alone. */
bool ann_pattern_can(ann_pattern pattern, ann_collective collective);
int ann_pattern_steps(ann_pattern pattern, ann_collective collective, int size);
ann_pattern_step ann_pattern_at(ann_pattern pattern, ann_collective collective, int64_t elems, int position,
                                int size, int step);

#endif
