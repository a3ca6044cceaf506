/* What the criteria of phases[].choice say of a model. */
#include <math.h>
#include "method/select.h"
#include "train/internal.h"

_Static_assert((int)ANN_CHOICE_COUNT == (int)ANN_SELECT_CRITERIA, "a score for each criterion");

static ann_select_samples samples_of(const ann_method_sight *s) {
    return (ann_select_samples){s->samples, s->classes, s->width, s->logits, s->features, s->labels};
}

/* The source's test samples are what deep embedded validation validates with. */
static ann_status score(double *scores, const ann_method_sight *train, const ann_method_sight *test,
                        int threads) {
    const ann_method_sight source = ann_method_part(train, false), target = ann_method_part(train, true),
                           validation = ann_method_part(test, false);
    const ann_select_evidence evidence = {.target = samples_of(&target),
                                          .source = samples_of(&source),
                                          .validation = samples_of(&validation),
                                          .threads = threads};
    for (int i = 0; i < ANN_SELECT_CRITERIA; i++) {
        const ann_select_criterion *criterion = &ann_select_criteria[i];
        if (criterion->needs_source && (source.samples == 0 || validation.samples == 0)) continue;
        ANN_TRY(criterion->score(&scores[i], &evidence));
    }
    return ANN_OK;
}

ann_status anni_criteria(double *scores, const anni_phase *phase, ann_store *store) {
    const anni_run *run = phase->run;
    anni_sight train, test = {0};
    for (int i = 0; i < ANN_CHOICE_COUNT; i++) scores[i] = NAN;
    ann_status status = anni_sight_new(&train, phase, phase->train, store);
    if (status == ANN_OK) status = anni_sight_new(&test, phase, phase->test, store);
    if (status == ANN_OK) status = ann_agree(run->comm, score(scores, &train.view, &test.view, run->threads));
    anni_sight_free(&train);
    anni_sight_free(&test);
    return status;
}
