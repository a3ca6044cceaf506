/* Entropy and information of predictions. */
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/select.h"

typedef struct entropies {
    double conditional; /* the mean of the predictions' entropies */
    double marginal;    /* the entropy of the mean prediction */
} entropies;

static double entropy_of(const double *p, int64_t classes) {
    double sum = 0;
    for (int64_t c = 0; c < classes; c++)
        if (p[c] > 0) sum -= p[c] * log(p[c]);
    return sum;
}

static ann_status measure(entropies *out, const ann_select_samples *s) {
    double *p;
    *out = (entropies){0, 0};
    ANN_TRY(anni_array_check((anni_array){s->logits, s->samples, s->classes}, "logits of the target"));
    ANN_TRY(anni_doubles_new(&p, 2 * s->classes));
    double *mean = p + s->classes;
    for (int64_t i = 0; i < s->samples; i++) {
        anni_softmax(p, s->logits + i * s->classes, s->classes);
        out->conditional += entropy_of(p, s->classes);
        for (int64_t c = 0; c < s->classes; c++) mean[c] += p[c];
    }
    out->conditional /= (double)s->samples;
    for (int64_t c = 0; c < s->classes; c++) mean[c] /= (double)s->samples;
    out->marginal = entropy_of(mean, s->classes);
    free(p);
    return ANN_OK;
}

ann_status ann_select_entropy(double *out, const ann_select_evidence *evidence) {
    entropies e;
    ANN_TRY(measure(&e, &evidence->target));
    *out = e.conditional;
    return ANN_OK;
}

ann_status ann_select_information(double *out, const ann_select_evidence *evidence) {
    entropies e;
    ANN_TRY(measure(&e, &evidence->target));
    *out = e.marginal - e.conditional;
    return ANN_OK;
}
