/* When checkpoints are due. Pure: time comes in as seconds on any clock that only goes forward. */
#ifndef ANN_TRAIN_CADENCE_H
#define ANN_TRAIN_CADENCE_H

#include "train/config.h"

typedef struct anni_cadence {
    ann_cadence every;
    double mtbf_s;
    int64_t last_epoch; /* at the last checkpoint, or at the start */
    double last_s;
    double cost_s, write_s; /* of a checkpoint, as measured; negative: not yet */
} anni_cadence;

/* "500 steps", "2 epochs", "30 s", "10 min", "1.5 h", "auto", "never". false: it is none of these. */
bool anni_cadence_parse(ann_cadence *out, const char *text);

void anni_cadence_begin(anni_cadence *c, const ann_cadence *every, double mtbf_s, int64_t epoch,
                        double now_s);
/* Whether one is due after `step` steps and `epoch` whole epochs: every rank finds the same. */
bool anni_cadence_due_at(const anni_cadence *c, int64_t step, int64_t epoch);
/* Whether one is due now: for one rank to decide. */
bool anni_cadence_due_now(const anni_cadence *c, double now_s);
/* One was begun, or passed over. */
void anni_cadence_restart(anni_cadence *c, int64_t epoch, double now_s);
/* One took training cost_s, and was there after write_s more. */
void anni_cadence_measured(anni_cadence *c, double cost_s, double write_s);

/* Seconds between checkpoints: as given, or for `auto` the best length for the measured cost, and never less
   than writing takes. Before the first measurement `auto` waits half a minute. INFINITY where time does not
   decide. */
double anni_cadence_interval_s(const anni_cadence *c);
/* The length of work between two checkpoints that loses the least to them and to failures: Young (1974) to
   first order, sqrt(2 cost mtbf), here with the terms of Daly (2006, equation 37). */
double anni_cadence_daly_s(double cost_s, double mtbf_s);

/* So many steps until the ranks next ask each other for requests: 8, or fewer where 8 take longer than a
   quarter of a second. */
int anni_cadence_poll_steps(double step_s);

#endif
