/* Which classes are taken for which. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "method/judge.h"

static bool in_range(int32_t label, int classes) { return label >= 0 && label < classes; }

ann_status ann_confusion_count(int64_t *count, int classes, const int32_t *truth, const int32_t *predicted,
                               int64_t n) {
    memset(count, 0, (size_t)classes * (size_t)classes * sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        if (!in_range(truth[i], classes) || !in_range(predicted[i], classes))
            return ann_error(ANN_ERR_ARG,
                             "sample %" PRId64 " of class %" PRId32 ", predicted as %" PRId32
                             ": there are %d classes",
                             i, truth[i], predicted[i], classes);
        count[(int64_t)truth[i] * classes + predicted[i]]++;
    }
    return ANN_OK;
}

double ann_confusion_accuracy(const int64_t *count, int classes) {
    int64_t right = 0, all = 0;
    for (int64_t i = 0; i < (int64_t)classes * classes; i++) {
        all += count[i];
        right += i % (classes + 1) == 0 ? count[i] : 0;
    }
    return all > 0 ? (double)right / (double)all : NAN;
}

void ann_confusion_rates(double *recall, double *precision, const int64_t *count, int classes) {
    for (int64_t c = 0; c < classes; c++) {
        int64_t of_class = 0, as_class = 0;
        for (int64_t other = 0; other < classes; other++) {
            of_class += count[c * classes + other];
            as_class += count[other * classes + c];
        }
        const double right = (double)count[c * classes + c];
        recall[c] = of_class > 0 ? right / (double)of_class : NAN;
        precision[c] = as_class > 0 ? right / (double)as_class : NAN;
    }
}
