/* How well classes can be told: by the phase's own classifier, and by others from its features. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "datasets/figure.h"
#include "look.h"

/* Samples that judges see of each split, at most; neighbours that vote; classes of a confusion matrix. */
enum { JUDGED = 10000, NEIGHBOURS = 20, SHOWN = 128 };
/* Of the probe. */
enum { ITERATIONS = 300 };
#define PENALTY 1e-4
#define TOLERANCE 1e-3

static int64_t count_right(const int32_t *truth, const int32_t *predicted, int64_t n) {
    int64_t right = 0;
    for (int64_t i = 0; i < n; i++) right += truth[i] == predicted[i];
    return right;
}

/* ---- the phase's own classifier ---- */

static int32_t largest(const float *logits, int64_t classes) {
    int32_t best = 0;
    for (int32_t c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* Of the samples with labels that the phase is tested on. Returns how many they are. */
static int64_t predict(int32_t *truth, int32_t *predicted, const look *l) {
    const ann_method_sight *seen = &l->test.seen;
    const ann_look_facts *f = l->facts;
    int64_t n = 0;
    for (int64_t i = f->tested_first; i < f->tested_first + f->tested; i++) {
        if (seen->labels[i] < 0) continue;
        truth[n] = seen->labels[i];
        predicted[n++] = largest(seen->logits + i * seen->classes, seen->classes);
    }
    return n;
}

static const char *class_name(char buf[32], const ann_dataset *dataset, int label) {
    const char *name = ann_dataset_class_name(dataset, label);
    snprintf(buf, 32, "%d", label);
    return name ? name : buf;
}

/* "78.0 %"; "-" where there are no such samples. */
static const char *share_text(char buf[16], double share) {
    snprintf(buf, 16, "-");
    if (isfinite(share)) snprintf(buf, 16, "%.1f %%", 100 * share);
    return buf;
}

static void print_rates(const look *l, const int64_t *count, int classes, double *rates) {
    char number[32], recall[16], precision[16];
    ann_confusion_rates(rates, rates + classes, count, classes);
    printf("  recall  precision  class\n");
    for (int c = 0; c < classes; c++)
        printf(" %7s    %7s  %s\n", share_text(recall, rates[c]), share_text(precision, rates[classes + c]),
               class_name(number, l->facts->train, c));
}

static ann_status draw_confusion(const look *l, const int64_t *count, int classes, int64_t n) {
    char path[LOOK_PATH_BYTES], title[256];
    const char *names[SHOWN] = {NULL};
    if (classes > SHOWN) {
        printf("confusion.png is left out: it has room for %d classes\n", SHOWN);
        return ANN_OK;
    }
    for (int c = 0; c < classes; c++) names[c] = ann_dataset_class_name(l->facts->train, c);
    snprintf(title, sizeof title, "%s: %.2f %% of %" PRId64 " test samples", l->facts->phase->name,
             100 * ann_confusion_accuracy(count, classes), n);
    const anni_confusion drawn = {
        .count = count, .classes = classes, .class_name = names[0] ? names : NULL, .title = title};
    ANN_TRY(anni_figure_confusion(&drawn, look_path(path, l, "confusion.png")));
    look_wrote(path);
    return ANN_OK;
}

static ann_status count_and_draw(const look *l, int32_t *truth, int32_t *predicted, int64_t *count,
                                 double *rates) {
    const int classes = (int)l->test.seen.classes;
    if (!truth || !predicted || !count || !rates) return ann_error(ANN_ERR_MEMORY, "out of memory");
    const int64_t n = predict(truth, predicted, l);
    if (n == 0) return ANN_OK;
    ANN_TRY(ann_confusion_count(count, classes, truth, predicted, n));
    printf("test accuracy %.2f %% of %" PRId64 " samples\n", 100 * ann_confusion_accuracy(count, classes), n);
    print_rates(l, count, classes, rates);
    return draw_confusion(l, count, classes, n);
}

ann_status look_confusion(const look *l) {
    const size_t n = (size_t)l->facts->tested + 1, classes = (size_t)l->test.seen.classes;
    if (!l->facts->classifies) return ANN_OK;
    int32_t *truth = calloc(n, sizeof *truth), *predicted = calloc(n, sizeof *predicted);
    int64_t *count = calloc(classes * classes, sizeof *count);
    double *rates = calloc(2 * classes, sizeof *rates);
    const ann_status status = count_and_draw(l, truth, predicted, count, rates);
    free(truth);
    free(predicted);
    free(count);
    free(rates);
    return status;
}

/* ---- others ---- */

/* Each feature of both gets mean 0 and deviation 1 over the training samples; one that is always the same
   becomes 0. */
static void standardize(look_rows *train, look_rows *test) {
    const int64_t d = train->d;
    for (int64_t j = 0; j < d; j++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < train->n; i++) sum += (double)train->x[i * d + j];
        const double mean = sum / (double)train->n;
        for (int64_t i = 0; i < train->n; i++) squares += pow((double)train->x[i * d + j] - mean, 2);
        const double deviation = sqrt(squares / (double)train->n), scale = deviation > 0 ? 1 / deviation : 0;
        for (int64_t i = 0; i < train->n; i++)
            train->x[i * d + j] = (float)(((double)train->x[i * d + j] - mean) * scale);
        for (int64_t i = 0; i < test->n; i++)
            test->x[i * d + j] = (float)(((double)test->x[i * d + j] - mean) * scale);
    }
}

static void print_accuracy(const char *judge, const look_rows *test, const int32_t *predicted,
                           const char *remark) {
    const int64_t right = count_right(test->label, predicted, test->n);
    printf("%s %.2f %%%s\n", judge, 100 * (double)right / (double)test->n, remark);
}

static ann_status neighbours(const look *l, const look_rows *train, const look_rows *test, int classes,
                             int32_t *predicted) {
    const ann_features from = look_features(train), of = look_features(test);
    const ann_knn_options options = {.k = train->n < NEIGHBOURS ? (int)train->n : NEIGHBOURS,
                                     .metric = ANN_KNN_COSINE,
                                     .threads = l->facts->threads};
    char judge[32];
    ANN_TRY(ann_knn_predict(predicted, &from, classes, &of, &options));
    snprintf(judge, sizeof judge, "  %d nearest neighbours", options.k);
    print_accuracy(judge, test, predicted, "");
    return ANN_OK;
}

static ann_status probe(const look *l, const look_rows *train, const look_rows *test, int classes,
                        int32_t *predicted) {
    const ann_features from = look_features(train), of = look_features(test);
    const ann_probe_options options = {
        .l2 = PENALTY, .iterations = ITERATIONS, .tolerance = TOLERANCE, .threads = l->facts->threads};
    ann_probe fitted;
    ANN_TRY(ann_probe_fit(&fitted, &from, classes, &options));
    const ann_status status = ann_probe_predict(predicted, &fitted, &of, options.threads);
    if (status == ANN_OK)
        print_accuracy("  linear probe", test, predicted,
                       fitted.converged ? "" : " (before it has converged)");
    ann_probe_free(&fitted);
    return status;
}

static ann_status judge(const look *l, look_rows *train, look_rows *test) {
    const int classes = ann_dataset_classes(l->facts->train);
    if (train->n == 0 || test->n == 0) return ANN_OK;
    int32_t *predicted = calloc((size_t)test->n, sizeof *predicted);
    if (!predicted) return ann_error(ANN_ERR_MEMORY, "out of memory");
    printf("classes by %" PRId64 " features, of %" PRId64 " training samples with labels, %" PRId64
           " test samples:\n",
           train->d, train->n, test->n);
    ann_status status = neighbours(l, train, test, classes, predicted);
    standardize(train, test);
    if (status == ANN_OK) status = probe(l, train, test, classes, predicted);
    free(predicted);
    return status;
}

ann_status look_probe(const look *l) {
    look_rows train = {.n = 0}, test = {.n = 0};
    look_which learned = look_whole(&l->train),
               tested = {.first = l->facts->tested_first, .count = l->facts->tested, .most = JUDGED};
    learned.most = JUDGED;
    learned.labelled = tested.labelled = true;
    if (ann_dataset_classes(l->facts->train) == 0) return ANN_OK;
    ann_status status = look_rows_add(&train, &l->train, &learned);
    if (status == ANN_OK) status = look_rows_add(&test, &l->test, &tested);
    if (status == ANN_OK) status = judge(l, &train, &test);
    look_rows_free(&train);
    look_rows_free(&test);
    return status;
}
