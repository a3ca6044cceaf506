/* Pseudo-labels by confidence. */
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/weigh.h"

static ann_status check(const ann_label_samples *of, double share) {
    if (!(share >= 0 && share <= 1)) return ann_error(ANN_ERR_ARG, "%g is not between 0 and 1", share);
    return anni_array_check((anni_array){of->logits, of->n, of->classes}, "logits");
}

ann_status ann_label_confident(int32_t *label, const ann_label_samples *of, double threshold) {
    double *p;
    ANN_TRY(check(of, threshold));
    ANN_TRY(anni_doubles_new(&p, of->classes));
    for (int64_t i = 0; i < of->n; i++) {
        anni_softmax(p, of->logits + i * of->classes, of->classes);
        const int32_t best = anni_largest(p, of->classes);
        label[i] = p[best] >= threshold ? best : -1;
    }
    free(p);
    return ANN_OK;
}

/* ---- class-balanced ---- */

typedef struct guess {
    double confidence;
    int32_t class;
} guess;

/* By class, then the most confident first. */
static int in_order(const void *a, const void *b) {
    const guess *x = a, *y = b;
    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    return (x->confidence < y->confidence) - (x->confidence > y->confidence);
}

/* threshold[classes], infinite for classes without guesses. */
static void find_thresholds(double *threshold, int64_t classes, guess *guesses, int64_t n, double share) {
    qsort(guesses, (size_t)n, sizeof *guesses, in_order);
    for (int64_t c = 0; c < classes; c++) threshold[c] = INFINITY;
    for (int64_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && guesses[end].class == guesses[first].class;) end++;
        const int64_t rank = (int64_t)ceil(share * (double)(end - first));
        threshold[guesses[first].class] = guesses[first + rank - 1].confidence;
    }
}

/* p: [2 classes], scratch. */
static void label_balanced(int32_t *label, double *p, guess *guesses, const ann_label_samples *of,
                           double share) {
    double *threshold = p + of->classes;
    for (int64_t i = 0; i < of->n; i++) {
        anni_softmax(p, of->logits + i * of->classes, of->classes);
        const int32_t best = anni_largest(p, of->classes);
        guesses[i] = (guess){p[best], best};
    }
    find_thresholds(threshold, of->classes, guesses, of->n, share);
    for (int64_t i = 0; i < of->n; i++) {
        anni_softmax(p, of->logits + i * of->classes, of->classes);
        for (int64_t c = 0; c < of->classes; c++) p[c] /= threshold[c];
        const int32_t best = anni_largest(p, of->classes);
        label[i] = p[best] >= 1 ? best : -1;
    }
}

ann_status ann_label_balanced(int32_t *label, const ann_label_samples *of, double share) {
    ANN_TRY(check(of, share));
    if (share == 0) return ann_error(ANN_ERR_ARG, "class-balanced labels for a share of 0");
    double *p;
    ANN_TRY(anni_doubles_new(&p, 2 * of->classes));
    guess *guesses = malloc((size_t)of->n * sizeof *guesses);
    if (guesses != NULL) label_balanced(label, p, guesses, of, share);
    free(p);
    free(guesses);
    return guesses != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "class-balanced labels: out of memory");
}
