/* Classification by the nearest neighbours. Blocks of test samples meet blocks of training samples in one
 * product. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "method/arrays.h"
#include "method/features.h"
#include "method/product.h"
#include "method/vector.h"

typedef struct neighbour {
    double likeness; /* the cosine; or 2 a.b - |b|^2, which falls as the distance of b from a grows */
    int32_t label;
} neighbour;

typedef struct search {
    const ann_features *train, *test;
    const ann_knn_options *options;
    int classes;
    double *test_rows, *train_rows; /* [ANNI_FEATURE_ROWS, d] */
    double *products;               /* [ANNI_FEATURE_ROWS, ANNI_FEATURE_ROWS]: test, train */
    double *votes;                  /* [classes] */
    neighbour *nearest;             /* [ANNI_FEATURE_ROWS, k], most alike first */
} search;

/* Rows of f in double, of length 1 if the metric is the cosine. */
static void take_rows(double *rows, const ann_features *f, int64_t first, int64_t count,
                      ann_knn_metric metric) {
    anni_features_rows(rows, f->d, f, first, count, NULL);
    for (int64_t i = 0; i < count && metric == ANN_KNN_COSINE; i++) {
        double *row = rows + i * f->d;
        const double length = sqrt(anni_dot(row, row, f->d));
        for (int64_t j = 0; j < f->d && length > 0; j++) row[j] /= length;
    }
}

/* Takes a place among the k if it is more alike than the last of them. */
static void offer(neighbour *nearest, int k, neighbour candidate) {
    if (!(candidate.likeness > nearest[k - 1].likeness)) return;
    int at = k - 1;
    for (; at > 0 && candidate.likeness > nearest[at - 1].likeness; at--) nearest[at] = nearest[at - 1];
    nearest[at] = candidate;
}

/* The training samples from `first` on are offered to `tests` test samples. */
static ann_status meet(search *s, int64_t first, int64_t tests) {
    const int64_t d = s->train->d, left = s->train->n - first;
    const int64_t count = left < ANNI_FEATURE_ROWS ? left : ANNI_FEATURE_ROWS;
    const bool euclidean = s->options->metric == ANN_KNN_EUCLIDEAN;
    take_rows(s->train_rows, s->train, first, count, s->options->metric);
    ANN_TRY(anni_product(s->products, (anni_factor){s->test_rows, tests, d, false},
                         (anni_factor){s->train_rows, count, d, true}, s->options->threads));
    for (int64_t j = 0; j < count; j++) {
        const double *row = s->train_rows + j * d, square = euclidean ? anni_dot(row, row, d) : 0;
        for (int64_t i = 0; i < tests; i++) {
            const double product = s->products[i * count + j];
            const neighbour candidate = {euclidean ? 2 * product - square : product,
                                         s->train->label[first + j]};
            offer(s->nearest + i * s->options->k, s->options->k, candidate);
        }
    }
    return ANN_OK;
}

static int32_t vote(search *s, const neighbour *nearest) {
    const double temperature = s->options->temperature;
    for (int c = 0; c < s->classes; c++) s->votes[c] = 0;
    for (int i = 0; i < s->options->k; i++)
        s->votes[nearest[i].label] +=
            temperature > 0 ? exp((nearest[i].likeness - nearest[0].likeness) / temperature) : 1;
    return anni_largest(s->votes, s->classes);
}

static ann_status predict(int32_t *predicted, search *s) {
    const int k = s->options->k;
    for (int64_t first = 0; first < s->test->n; first += ANNI_FEATURE_ROWS) {
        const int64_t left = s->test->n - first, tests = left < ANNI_FEATURE_ROWS ? left : ANNI_FEATURE_ROWS;
        take_rows(s->test_rows, s->test, first, tests, s->options->metric);
        for (int64_t i = 0; i < tests * k; i++) s->nearest[i] = (neighbour){-INFINITY, 0};
        for (int64_t at = 0; at < s->train->n; at += ANNI_FEATURE_ROWS) ANN_TRY(meet(s, at, tests));
        for (int64_t i = 0; i < tests; i++) predicted[first + i] = vote(s, s->nearest + i * k);
    }
    return ANN_OK;
}

static ann_status check(const search *s) {
    const ann_knn_options *o = s->options;
    ANN_TRY(anni_features_check(s->train, s->classes));
    ANN_TRY(anni_features_check(s->test, 0));
    if (s->train->d != s->test->d)
        return ann_error(ANN_ERR_SHAPE, "neighbours of %" PRId64 " features for samples of %" PRId64,
                         s->train->d, s->test->d);
    if (o->k < 1 || o->k > s->train->n || s->classes < 1)
        return ann_error(ANN_ERR_ARG, "%d neighbours among %" PRId64 " samples of %d classes", o->k,
                         s->train->n, s->classes);
    if (!(o->temperature >= 0) || (o->temperature > 0 && o->metric != ANN_KNN_COSINE))
        return ann_error(ANN_ERR_ARG, "votes of temperature %g: it is for the cosine, and not negative",
                         o->temperature);
    return ANN_OK;
}

ann_status ann_knn_predict(int32_t *predicted, const ann_features *train, int classes,
                           const ann_features *test, const ann_knn_options *options) {
    search s = {.train = train, .test = test, .options = options, .classes = classes};
    ANN_TRY(check(&s));
    const size_t block = ANNI_FEATURE_ROWS, rows = block * (size_t)train->d;
    double *numbers = malloc((2 * rows + block * block + (size_t)classes) * sizeof *numbers);
    neighbour *nearest = calloc(block * (size_t)options->k, sizeof *nearest);
    ann_status status;
    if (numbers != NULL && nearest != NULL) {
        s.nearest = nearest;
        s.test_rows = numbers;
        s.train_rows = numbers + rows;
        s.products = numbers + 2 * rows;
        s.votes = s.products + block * block;
        status = predict(predicted, &s);
    } else {
        status =
            ann_error(ANN_ERR_MEMORY, "nearest neighbours in %" PRId64 " features: out of memory", train->d);
    }
    free(numbers);
    free(nearest);
    return status;
}
