#include "train/choice.h"

#include <math.h>
#include "method/select.h"

anni_choice anni_choice_first(void) {
    const anni_pick none = {NAN, NAN, -1};
    anni_choice choice = {.last = none, .oracle = none};
    for (int i = 0; i < ANN_CHOICE_COUNT; i++) choice.picks[i] = none;
    return choice;
}

/* Of equal ones the first stays. */
static bool take(anni_pick *pick, anni_pick seen, bool higher) {
    if (isnan(seen.score)) return false;
    const bool better = isnan(pick->score) || (higher ? seen.score > pick->score : seen.score < pick->score);
    if (better) *pick = seen;
    return better;
}

bool anni_choice_observe(anni_choice *choice, const double *scores, double accuracy, int64_t step,
                         ann_criterion criterion) {
    bool chosen = false;
    for (int i = 0; i < ANN_CHOICE_COUNT; i++) {
        const bool better = take(&choice->picks[i], (anni_pick){scores[i], accuracy, step},
                                 ann_select_criteria[i].higher_is_better);
        if (i == (int)criterion) chosen = better;
    }
    choice->last = (anni_pick){accuracy, accuracy, step};
    take(&choice->oracle, choice->last, true);
    return chosen;
}

const char *anni_choice_name(ann_criterion criterion) { return ann_select_criteria[criterion].name; }
