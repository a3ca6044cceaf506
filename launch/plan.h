/* The commands of `annulus plan`, and what they share. */
#ifndef ANNULUS_LAUNCH_PLAN_H
#define ANNULUS_LAUNCH_PLAN_H

#include "comm/model.h"
#include "train/config.h"

int plan_scaling(int argc, char **argv);

/* ---- computing, measured here: plan_measure.c ---- */

typedef struct plan_message {
    double bytes;   /* that travel */
    double ready_s; /* when computing has come to it */
    bool rounded;   /* it travels in 16 bits */
    bool gathered;  /* `bytes` of each rank go to every rank, nothing is summed on the way */
} plan_message;

/* A step of one rank as if nothing were sent, in seconds of wall time. */
typedef struct plan_compute {
    int64_t batch;   /* of a rank */
    double before_s; /* forward and backward pass */
    double update_s; /* the optimizer */
    plan_message *messages;
    int message_count;
} plan_compute;

/* Cores that this process may use. */
int plan_cores(void);
/* Measures a step of a stage: rank 0's part of a batch cut over `ranks` ranks, on all ranks of `comm` at the
   same time. Owner of out->messages: the caller, free(). A phase of kind evaluate: a batch of its evaluation.
   Errors: those of the phase and its plan. Collective. */
ann_status plan_measure(ann_comm *comm, plan_compute *out, const ann_run_config *config,
                        const ann_phase_config *phase, int stage, int ranks, int threads) ANN_MUST_CHECK;
/* Seconds in which this processor adds a byte to another, and copies one, in memory that no cache holds. */
ann_status plan_measure_bytes(double *add_s, double *copy_s) ANN_MUST_CHECK;

/* ---- the network: plan_network.c ---- */

/* "alpha_us=50,gbit=10" into the model. False, with what is wrong in `complaint`, if it is something else. */
bool plan_network_parse(ann_model *model, const char *text, char *complaint, size_t size);

#endif
