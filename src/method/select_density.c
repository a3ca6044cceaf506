/* Soft neighbourhood density. Similarities of a block of samples with all others are one product. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/product.h"
#include "method/select.h"

static const double temperature = 0.05;
enum { BLOCK = 256 };

/* u[n, classes]: predictions of n samples, evenly spread, of length 1. */
static void take_predictions(double *u, int64_t n, const ann_select_samples *s) {
    for (int64_t i = 0; i < n; i++, u += s->classes) {
        double square = 0;
        anni_softmax(u, s->logits + i * s->samples / n * s->classes, s->classes);
        for (int64_t c = 0; c < s->classes; c++) square += u[c] * u[c];
        for (int64_t c = 0; c < s->classes; c++) u[c] /= sqrt(square);
    }
}

/* The entropy of softmax(cosine / temperature) without element `own`. */
static double entropy_without(const double *cosine, int64_t n, int64_t own) {
    double top = -INFINITY, sum = 0, weighted = 0;
    for (int64_t j = 0; j < n; j++)
        if (j != own) top = fmax(top, cosine[j]);
    for (int64_t j = 0; j < n; j++) {
        if (j == own) continue;
        const double below = (cosine[j] - top) / temperature, e = exp(below);
        sum += e;
        weighted += e * below;
    }
    return log(sum) - weighted / sum;
}

/* cosine: [BLOCK, n], scratch. */
static ann_status mean_entropy(double *out, double *cosine, const double *u, int64_t n, int64_t classes,
                               int threads) {
    double sum = 0;
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        ANN_TRY(anni_product(cosine, (anni_factor){u + first * classes, count, classes, false},
                             (anni_factor){u, n, classes, true}, threads));
        for (int64_t i = 0; i < count; i++) sum += entropy_without(cosine + i * n, n, first + i);
    }
    *out = sum / (double)n;
    return ANN_OK;
}

ann_status ann_select_density(double *out, const ann_select_evidence *evidence) {
    const ann_select_samples *s = &evidence->target;
    ANN_TRY(anni_array_check((anni_array){s->logits, s->samples, s->classes}, "logits of the target"));
    if (s->samples < 2) return ann_error(ANN_ERR_ARG, "the density of neighbours of one sample");
    const int64_t most = ANN_SELECT_DENSITY_SAMPLES, n = s->samples < most ? s->samples : most;
    double *u;
    ANN_TRY(anni_doubles_new(&u, n * s->classes + BLOCK * n));
    take_predictions(u, n, s);
    const ann_status status = mean_entropy(out, u + n * s->classes, u, n, s->classes, evidence->threads);
    free(u);
    return status;
}
