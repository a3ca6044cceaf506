/* Deep embedded validation. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/discriminator.h"
#include "method/select.h"

static ann_status check(const ann_select_samples *v, const ann_select_samples *source,
                        const ann_select_samples *target) {
    ANN_TRY(
        anni_array_check((anni_array){v->logits, v->samples, v->classes}, "logits of validation samples"));
    ANN_TRY(
        anni_array_check((anni_array){v->features, v->samples, v->width}, "features of validation samples"));
    if (source->width != v->width || target->width != v->width)
        return ann_error(ANN_ERR_ARG,
                         "%" PRId64 " features of the source, %" PRId64 " of the target, %" PRId64
                         " of validation samples",
                         source->width, target->width, v->width);
    if (v->labels == NULL) return ann_error(ANN_ERR_ARG, "validation samples have no labels");
    for (int64_t i = 0; i < v->samples; i++)
        if (v->labels[i] < 0 || v->labels[i] >= v->classes)
            return ann_error(ANN_ERR_ARG,
                             "validation sample %" PRId64 " has label %" PRId32 " of %" PRId64 " classes", i,
                             v->labels[i], v->classes);
    return ANN_OK;
}

static double mean_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

/* mean(l) + eta mean(w) - eta of weighted losses l and weights w. */
static double with_control_variate(const double *l, const double *w, int64_t n) {
    const double mean_l = mean_of(l, n), mean_w = mean_of(w, n);
    double covariance = 0, variance = 0;
    for (int64_t i = 0; i < n; i++) {
        covariance += (l[i] - mean_l) * (w[i] - mean_w);
        variance += (w[i] - mean_w) * (w[i] - mean_w);
    }
    const double eta = variance > 0 ? -covariance / variance : 0;
    return mean_l + eta * (mean_w - 1);
}

static ann_status estimate(double *out, const anni_discriminator *d, const ann_select_samples *v) {
    double *memory;
    ANN_TRY(anni_doubles_new(&memory, 2 * v->samples + v->classes));
    double *l = memory, *w = l + v->samples, *log_p = w + v->samples;
    for (int64_t i = 0; i < v->samples; i++) {
        anni_log_softmax(log_p, v->logits + i * v->classes, v->classes);
        w[i] = exp(anni_discriminator_log_ratio(d, v->features + i * v->width));
        l[i] = -w[i] * log_p[v->labels[i]];
    }
    const double risk = with_control_variate(l, w, v->samples);
    free(memory);
    if (!isfinite(risk))
        return ann_error(ANN_ERR_NUMERIC, "deep embedded validation: the risk is not finite");
    *out = risk;
    return ANN_OK;
}

ann_status ann_select_dev(double *out, const ann_select_evidence *evidence) {
    const ann_select_samples *v = &evidence->validation, *source = &evidence->source;
    const ann_select_samples *target = &evidence->target;
    anni_discriminator d;
    ANN_TRY(check(v, source, target));
    ANN_TRY(anni_discriminator_fit(&d, (anni_array){source->features, source->samples, source->width},
                                   (anni_array){target->features, target->samples, target->width},
                                   ANNI_DISCRIMINATOR_L2));
    const ann_status status = estimate(out, &d, v);
    anni_discriminator_free(&d);
    return status;
}
