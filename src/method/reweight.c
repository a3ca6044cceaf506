/* Source samples by importance, under covariate shift: Shimodaira, "Improving predictive inference under
   covariate shift by weighting the log-likelihood function", JSPI 2000.

       E_s[v(x) CE(z, y)],   v(x) = (p_t(x) / p_s(x))^power, scaled to mean 1

   The ratio is estimated once, from the features that the model has at the start of the stage, by KLIEP
   (Sugiyama et al. 2008), kernel mean matching (Huang et al. 2007), or a discriminator of the domains (Bickel
   et al. 2007): weigh.h. */
#include <stdlib.h>
#include "method/method.h"
#include "method/weigh.h"

static ann_node build(ann_method *m) {
    ann_graph *g = m->nn->graph;
    const ann_node logits = ann_method_model(m, m->nn, m->x);
    const ann_node each =
        ann_mul(g, ann_cross_entropy(g, logits, m->labels), ann_cast(g, m->table, m->nn->dtype));
    m->logits = logits;
    return ann_method_mean(m, each, ann_method_is_labelled(m));
}

static ann_status estimate(double *w, const ann_method_config *config, const ann_weigh_domains *of) {
    const ann_method_ratio by = config->ratio_by;
    if (by == ANN_METHOD_KLIEP) return ann_weigh_kliep(w, NULL, of, &(ann_weigh_kliep_options){0});
    if (by == ANN_METHOD_KMM)
        return ann_weigh_kmm(w, NULL, of, &(ann_weigh_kmm_options){.bound = config->bound});
    return ann_weigh_ratio(w, of, 0);
}

static ann_status fill(float *values, const ann_method_config *config, const ann_method_sight *sight) {
    const ann_method_sight source = ann_method_part(sight, false), target = ann_method_part(sight, true);
    const ann_weigh_domains of = {source.features, target.features, source.samples,
                                  target.samples,  source.width,    0};
    double *w = calloc((size_t)source.samples + 1, sizeof *w);
    if (!w) return ann_error(ANN_ERR_MEMORY, "no memory for weights");
    const ann_status status = estimate(w, config, &of);
    if (status == ANN_OK) ann_weigh_flatten(w, source.samples, config->power);
    for (int64_t i = 0; i < sight->samples; i++) values[i] = i < source.samples ? (float)w[i] : 0;
    free(w);
    return status;
}

static const ann_method_table table = {.fill = fill};
const ann_method_info anni_method_reweight = {.name = "reweight",
                                              .needs = ANN_METHOD_LABELS | ANN_METHOD_TARGET,
                                              .steps = 1,
                                              .build = build,
                                              .table = &table};
