/* From which evaluation the weights of an adapted model are to be taken, where the target domain has no
   labels: phases[].choice. At each evaluation (stoprule.h) every criterion looks at the model's features and
   predictions of the unlabelled target; the report at the end of the phase has, beside each criterion's
   choice, the last evaluation and the best one, which only an oracle could choose. Pure and Local. */
#ifndef ANN_TRAIN_CHOICE_H
#define ANN_TRAIN_CHOICE_H

#include <stdint.h>
#include "train/config.h"

typedef struct anni_pick {
    double score;    /* NAN: none yet */
    double accuracy; /* on the target's test split, by labels that nothing else sees; NAN: it has none */
    int64_t step;
} anni_pick;

/* The sum of the evaluations so far; a checkpoint holds it. */
typedef struct anni_choice {
    anni_pick picks[ANN_CHOICE_COUNT], last, oracle; /* score of the last two: the accuracy */
} anni_choice;

anni_choice anni_choice_first(void);
/* Takes an evaluation in. scores: [ANN_CHOICE_COUNT], NAN where a criterion has none. true: `criterion`
 * chooses it. */
bool anni_choice_observe(anni_choice *choice, const double *scores, double accuracy, int64_t step,
                         ann_criterion criterion);
const char *anni_choice_name(ann_criterion criterion);

#endif
