/* What the criteria of phases[].choice say of a model. */
#include <math.h>
#include "method/select.h"
#include "train/internal.h"

/* The scores of what has been seen; validation: of the source's test samples. */
static ann_status score(double *scores, const ann_method_sight *train, const ann_method_sight *test) {
    const ann_method_sight source = ann_method_part(train, false), target = ann_method_part(train, true),
                           validation = ann_method_part(test, false);
    scores[ANN_CHOICE_ENTROPY] = ann_select_entropy(&target);
    scores[ANN_CHOICE_IM] = ann_select_information(&target);
    ANN_TRY(ann_select_density(&scores[ANN_CHOICE_SND], &target));
    return ann_select_dev(&scores[ANN_CHOICE_DEV], &source, &target, &validation);
}

ann_status anni_criteria(double *scores, const anni_phase *phase, ann_store *store) {
    anni_sight train, test = {0};
    for (int i = 0; i < ANN_CHOICE_COUNT; i++) scores[i] = NAN;
    ann_status status = anni_sight_new(&train, phase, phase->train, store);
    if (status == ANN_OK) status = anni_sight_new(&test, phase, phase->test, store);
    if (status == ANN_OK) status = ann_agree(phase->run->comm, score(scores, &train.view, &test.view));
    anni_sight_free(&train);
    anni_sight_free(&test);
    return status;
}
