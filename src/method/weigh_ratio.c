/* Weights of source samples by a domain discriminator, and flattened. */
#include <math.h>
#include "method/discriminator.h"
#include "method/weigh.h"

void ann_weigh_flatten(double *w, int64_t n, double power) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += w[i] = pow(w[i], power);
    for (int64_t i = 0; i < n; i++) w[i] *= (double)n / sum;
}

ann_status ann_weigh_ratio(double *w, const ann_weigh_domains *of, double l2) {
    anni_discriminator d;
    ANN_TRY(anni_discriminator_fit(&d, (anni_array){of->source, of->ns, of->d},
                                   (anni_array){of->target, of->nt, of->d},
                                   l2 != 0 ? l2 : ANNI_DISCRIMINATOR_L2));
    double top = -INFINITY;
    for (int64_t i = 0; i < of->ns; i++) {
        w[i] = anni_discriminator_log_ratio(&d, of->source + i * of->d);
        top = fmax(top, w[i]);
    }
    for (int64_t i = 0; i < of->ns; i++) w[i] = exp(w[i] - top);
    ann_weigh_flatten(w, of->ns, 1);
    anni_discriminator_free(&d);
    return ANN_OK;
}
