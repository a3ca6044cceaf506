/* The ROC curve, and the area under it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/judge.h"

typedef struct scored {
    float score;
    bool positive;
} scored;

static int descending(const void *a, const void *b) {
    const float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y);
}

static ann_status sort(scored *sample, const float *score, const bool *positive, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(score[i]))
            return ann_error(ANN_ERR_NUMERIC, "the score of sample %" PRId64 " is not finite", i);
        sample[i] = (scored){score[i], positive[i]};
    }
    qsort(sample, (size_t)n, sizeof *sample, descending);
    return ANN_OK;
}

/* Goes down the scores, one point per distinct one. A trapezium's area between two points counts each pair of
   a positive and a negative sample of equal score half. */
static void walk(ann_roc *roc, const scored *sample, int64_t n, int64_t positives) {
    const double all_true = (double)positives, all_false = (double)(n - positives);
    int64_t hits = 0, alarms = 0, i = 0;
    double pairs = 0;
    roc->threshold[roc->points++] = INFINITY;
    while (i < n) {
        const float score = sample[i].score;
        const int64_t hits_before = hits, alarms_before = alarms;
        for (; i < n && sample[i].score == score; i++) {
            hits += sample[i].positive;
            alarms += !sample[i].positive;
        }
        pairs += (double)(alarms - alarms_before) * (double)(hits + hits_before) / 2;
        roc->false_rate[roc->points] = (double)alarms / all_false;
        roc->true_rate[roc->points] = (double)hits / all_true;
        roc->threshold[roc->points++] = (double)score;
    }
    roc->area = pairs / (all_true * all_false);
}

ann_status ann_roc_make(ann_roc *out, const float *score, const bool *positive, int64_t n) {
    *out = (ann_roc){0};
    int64_t positives = 0;
    for (int64_t i = 0; i < n; i++) positives += positive[i];
    if (positives == 0 || positives == n)
        return ann_error(ANN_ERR_ARG,
                         "a ROC curve of %" PRId64 " positive and %" PRId64
                         " negative samples: it needs both",
                         positives, n - positives);
    const size_t points = (size_t)n + 1;
    scored *sample = malloc((size_t)n * sizeof *sample);
    out->false_rate = calloc(points, sizeof *out->false_rate);
    out->true_rate = calloc(points, sizeof *out->true_rate);
    out->threshold = calloc(points, sizeof *out->threshold);
    const bool there =
        sample != NULL && out->false_rate != NULL && out->true_rate != NULL && out->threshold != NULL;
    const ann_status status =
        there ? sort(sample, score, positive, n)
              : ann_error(ANN_ERR_MEMORY, "a ROC curve of %" PRId64 " samples: out of memory", n);
    if (status == ANN_OK) walk(out, sample, n, positives);
    else ann_roc_free(out);
    free(sample);
    return status;
}

void ann_roc_free(ann_roc *roc) {
    free(roc->false_rate);
    free(roc->true_rate);
    free(roc->threshold);
    *roc = (ann_roc){0};
}
