/* When a phase ends before its program is over: phases[].stop.

   An *evaluation* is one of the whole test set, due every so many steps or epochs and at the end of each
   stage. Its metrics have the same bits on every rank, so each decides by itself, and all decide alike. The
   decision is a function of the evaluations so far, whose sum is anni_stop_state: a checkpoint holds it, so a
   resumed run stops where an uninterrupted one does. Evaluations for checkpoint.best are none of them, for
   they depend on when checkpoints are due. Wall time is the exception: rank 0's clock decides (saver.h).

   Pure and Local. */
#ifndef ANN_TRAIN_STOPRULE_H
#define ANN_TRAIN_STOPRULE_H

#include "train/config.h"

typedef enum anni_stop_reason {
    ANNI_STOP_NOT_YET,
    ANNI_STOP_PROGRAM, /* it is over */
    ANNI_STOP_EARLY,
    ANNI_STOP_TARGET,
    ANNI_STOP_WALL_TIME
} anni_stop_reason;

typedef struct anni_stop_state {
    double best;       /* of early.metric; NAN: no evaluation had one */
    int64_t best_step; /* of the phase; -1: none */
    int64_t waited;    /* evaluations since then */
    int64_t evaluated; /* step of the last one; -1: none */
    anni_stop_reason reason;
} anni_stop_state;

/* Of a phase that begins. */
anni_stop_state anni_stop_first(void);

/* Whether an evaluation is due after the step that ends at `position`, having begun at `before`. */
bool anni_stop_due(const ann_stop_config *rule, int64_t step, int64_t before, int64_t position,
                   int64_t epoch_length);

/* Takes an evaluation's metrics in, and sets state->reason if they end the phase: a target that is reached
   before all others, patience only where there is no reason yet. true: by
   early.metric it is the best so far, by more than min_delta. A metric that is NAN is never better, and
   reaches nothing. */
bool anni_stop_observe(anni_stop_state *state, const ann_stop_config *rule, int64_t step, double test_loss,
                       double test_accuracy);

/* Whether the phase that has ended takes back the weights of the best evaluation. */
bool anni_stop_restores(const anni_stop_state *state, const ann_stop_config *rule);

/* "program", "early", "target", "wall_time"; "" where there is no reason yet. For metrics and checkpoints. */
const char *anni_stop_reason_name(anni_stop_reason reason);
/* Why the phase has ended, for people: "test loss has not improved on 0.31475 (step 400) for 3 evaluations".
   Returns buf. */
const char *anni_stop_explain(char *buf, size_t size, const anni_stop_state *state,
                              const ann_stop_config *rule);

#endif
