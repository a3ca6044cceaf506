/* A linear probe: multinomial logistic regression on features. The bias is the weight of a feature that is 1.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "method/arrays.h"
#include "method/features.h"
#include "method/lbfgs.h"
#include "method/product.h"

typedef struct regression {
    const ann_features *f;
    int64_t width; /* d + 1 */
    int classes, threads;
    double l2;
    double *rows;   /* [ANNI_FEATURE_ROWS, width] features in double, and a 1 */
    double *logits; /* [ANNI_FEATURE_ROWS, classes], then their gradient */
    double *part;   /* [width, classes]: the gradient of a block of rows */
} regression;

static ann_status allocate(regression *r) {
    const size_t block = ANNI_FEATURE_ROWS, width = (size_t)r->width, classes = (size_t)r->classes;
    r->rows = malloc((block * width + block * classes + width * classes) * sizeof *r->rows);
    if (r->rows == NULL)
        return ann_error(ANN_ERR_MEMORY, "a probe of %zu features and %zu classes: out of memory", width,
                         classes);
    r->logits = r->rows + block * width;
    r->part = r->logits + block * classes;
    return ANN_OK;
}

/* logits = rows weight for samples first..first+count-1. */
static ann_status find_logits(regression *r, const double *weight, int64_t first, int64_t count) {
    anni_features_rows(r->rows, r->width, r->f, first, count, NULL);
    return anni_product(r->logits, (anni_factor){r->rows, count, r->width, false},
                        (anni_factor){weight, r->width, r->classes, false}, r->threads);
}

/* -log softmax(logit)[label]; logit becomes softmax - one_hot, its gradient. */
static double cross_entropy(double *logit, int classes, int32_t label) {
    double most = logit[0], sum = 0;
    for (int c = 1; c < classes; c++) most = fmax(most, logit[c]);
    const double chosen = logit[label] - most;
    for (int c = 0; c < classes; c++) sum += logit[c] = exp(logit[c] - most);
    for (int c = 0; c < classes; c++) logit[c] /= sum;
    logit[label] -= 1;
    return log(sum) - chosen;
}

static ann_status add_block(regression *r, double *sum, double *gradient, const double *weight,
                            int64_t first) {
    const int64_t left = r->f->n - first, count = left < ANNI_FEATURE_ROWS ? left : ANNI_FEATURE_ROWS;
    ANN_TRY(find_logits(r, weight, first, count));
    for (int64_t i = 0; i < count; i++)
        *sum += cross_entropy(r->logits + i * r->classes, r->classes, r->f->label[first + i]);
    ANN_TRY(anni_product(r->part, (anni_factor){r->rows, count, r->width, true},
                         (anni_factor){r->logits, count, r->classes, false}, r->threads));
    for (int64_t i = 0; i < r->width * r->classes; i++) gradient[i] += r->part[i];
    return ANN_OK;
}

static ann_status evaluate(void *of, double *value, double *gradient, const double *weight) {
    regression *r = of;
    const int64_t weights = (r->width - 1) * r->classes, all = weights + r->classes;
    double sum = 0, squares = 0;
    memset(gradient, 0, (size_t)all * sizeof *gradient);
    for (int64_t first = 0; first < r->f->n; first += ANNI_FEATURE_ROWS)
        ANN_TRY(add_block(r, &sum, gradient, weight, first));
    for (int64_t i = 0; i < all; i++) gradient[i] /= (double)r->f->n;
    for (int64_t i = 0; i < weights; i++) {
        gradient[i] += r->l2 * weight[i];
        squares += weight[i] * weight[i];
    }
    *value = sum / (double)r->f->n + r->l2 / 2 * squares;
    return ANN_OK;
}

static ann_status fit(ann_probe *out, regression *r, const ann_probe_options *options) {
    const anni_objective objective = {.evaluate = evaluate, .of = r, .n = r->width * r->classes};
    const int iterations = options->iterations > 0 ? options->iterations : 1000;
    const double tolerance = options->tolerance > 0 ? options->tolerance : 1e-4;
    anni_minimum at;
    ANN_TRY(anni_lbfgs(&at, out->weight, &objective, iterations, tolerance));
    out->loss = at.value;
    out->gradient = at.gradient;
    out->iterations = at.iterations;
    out->converged = at.gradient <= tolerance;
    return ANN_OK;
}

ann_status ann_probe_fit(ann_probe *out, const ann_features *train, int classes,
                         const ann_probe_options *options) {
    *out = (ann_probe){.d = train->d, .classes = classes};
    if (classes < 2 || !(options->l2 >= 0))
        return ann_error(ANN_ERR_ARG, "a linear probe of %d classes with l2 %g", classes, options->l2);
    ANN_TRY(anni_features_check(train, classes));
    regression r = {.f = train,
                    .width = train->d + 1,
                    .classes = classes,
                    .threads = options->threads,
                    .l2 = options->l2};
    ANN_TRY(allocate(&r));
    out->weight = calloc((size_t)(r.width * classes), sizeof *out->weight);
    ann_status status = out->weight != NULL ? fit(out, &r, options)
                                            : ann_error(ANN_ERR_MEMORY, "weights of a probe: out of memory");
    free(r.rows);
    if (status != ANN_OK) ann_probe_free(out);
    return status;
}

void ann_probe_free(ann_probe *probe) {
    free(probe->weight);
    *probe = (ann_probe){0};
}

/* ---- predictions ---- */

static ann_status predict(int32_t *predicted, regression *r, const double *weight) {
    for (int64_t first = 0; first < r->f->n; first += ANNI_FEATURE_ROWS) {
        const int64_t left = r->f->n - first, count = left < ANNI_FEATURE_ROWS ? left : ANNI_FEATURE_ROWS;
        ANN_TRY(find_logits(r, weight, first, count));
        for (int64_t i = 0; i < count; i++)
            predicted[first + i] = anni_largest(r->logits + i * r->classes, r->classes);
    }
    return ANN_OK;
}

ann_status ann_probe_predict(int32_t *predicted, const ann_probe *probe, const ann_features *test,
                             int threads) {
    ANN_TRY(anni_features_check(test, 0));
    if (test->d != probe->d)
        return ann_error(ANN_ERR_SHAPE, "a probe of %" PRId64 " features, samples of %" PRId64, probe->d,
                         test->d);
    regression r = {.f = test, .width = test->d + 1, .classes = probe->classes, .threads = threads};
    ANN_TRY(allocate(&r));
    const ann_status status = predict(predicted, &r, probe->weight);
    free(r.rows);
    return status;
}
