/* Weights of source samples by a domain discriminator. */
#include <math.h>
#include "method/discriminator.h"
#include "method/weigh.h"

ann_status ann_weigh_ratio(double *w, const ann_weigh_domains *of, double l2) {
    anni_discriminator d;
    ANN_TRY(anni_discriminator_fit(&d, (anni_array){of->source, of->ns, of->d},
                                   (anni_array){of->target, of->nt, of->d},
                                   l2 != 0 ? l2 : ANNI_DISCRIMINATOR_L2));
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < of->ns; i++) {
        w[i] = anni_discriminator_log_ratio(&d, of->source + i * of->d);
        top = fmax(top, w[i]);
    }
    for (int64_t i = 0; i < of->ns; i++) sum += w[i] = exp(w[i] - top);
    for (int64_t i = 0; i < of->ns; i++) w[i] *= (double)of->ns / sum;
    anni_discriminator_free(&d);
    return ANN_OK;
}
