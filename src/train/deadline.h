/* When a job that will be ended at a known time must stop by itself, so that its last checkpoint is there
   before. Pure. */
#ifndef ANN_TRAIN_DEADLINE_H
#define ANN_TRAIN_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>

/* What is known of a checkpoint's cost: from its beginning until it is there. */
typedef struct anni_deadline_cost {
    double measured_s; /* the longest so far; negative: none was measured */
    size_t bytes;      /* of the state; decides before the first measurement */
} anni_deadline_cost;

/* Seconds before the deadline at which the last checkpoint must begin: ANNI_DEADLINE_SAFETY times its
   measured cost, since then all jobs of the file system may be writing theirs, and ANNI_DEADLINE_MARGIN_S for
   the end of the processes. Without a measurement: bytes at ANNI_DEADLINE_BYTES_PER_S. */
double anni_deadline_need_s(const anni_deadline_cost *cost);
/* Whether to stop now, with left_s seconds left, if one can next stop in poll_s seconds: else it might be too
   late then. */
bool anni_deadline_is_near(double left_s, double poll_s, const anni_deadline_cost *cost);

#define ANNI_DEADLINE_SAFETY 3.0
#define ANNI_DEADLINE_MARGIN_S 10.0
#define ANNI_DEADLINE_BYTES_PER_S 20e6

#endif
