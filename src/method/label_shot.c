/* SHOT's pseudo-labels: the nearest of centroids that the predictions weigh, refined once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "method/arrays.h"
#include "method/weigh.h"

/* centroid[classes, width] of the features of each class, here up to a factor, which a cosine does not see;
   mass[classes] is 0 for a class without samples. */
typedef struct centroids {
    double *centroid, *mass;
} centroids;

static void clear(const centroids *c, const ann_label_samples *of) {
    memset(c->centroid, 0, (size_t)(of->classes * of->width) * sizeof *c->centroid);
    memset(c->mass, 0, (size_t)of->classes * sizeof *c->mass);
}

static void add(const centroids *c, int64_t class, double share, const float *f, int64_t width) {
    double *to = c->centroid + class * width;
    for (int64_t k = 0; k < width; k++) to[k] += share * (double)f[k];
    c->mass[class] += share;
}

/* Centroids get length 1; one of zeros stays. */
static void normalize(const centroids *c, const ann_label_samples *of) {
    for (int64_t k = 0; k < of->classes; k++) {
        double *row = c->centroid + k * of->width, top = 0, square = 0;
        for (int64_t j = 0; j < of->width; j++) top = fmax(top, fabs(row[j]));
        for (int64_t j = 0; j < of->width && top > 0; j++) square += (row[j] / top) * (row[j] / top);
        for (int64_t j = 0; j < of->width && top > 0; j++) row[j] = row[j] / top / sqrt(square);
    }
}

/* The class whose centroid has the greatest cosine with f: f's own length does not matter. */
static int32_t nearest(const centroids *c, const float *f, const ann_label_samples *of) {
    int32_t best = -1;
    double most = -INFINITY;
    for (int32_t k = 0; k < of->classes; k++) {
        const double *row = c->centroid + k * of->width;
        double product = 0;
        if (!(c->mass[k] > 0)) continue;
        for (int64_t j = 0; j < of->width; j++) product += row[j] * (double)f[j];
        if (product > most) {
            most = product;
            best = k;
        }
    }
    return best;
}

static void label_all(int32_t *label, const centroids *c, const ann_label_samples *of) {
    normalize(c, of);
    for (int64_t i = 0; i < of->n; i++) label[i] = nearest(c, of->features + i * of->width, of);
}

ann_status ann_label_shot(int32_t *label, const ann_label_samples *of) {
    double *memory;
    ANN_TRY(anni_array_check((anni_array){of->logits, of->n, of->classes}, "logits"));
    ANN_TRY(anni_array_check((anni_array){of->features, of->n, of->width}, "features"));
    ANN_TRY(anni_doubles_new(&memory, of->classes * (of->width + 2)));
    const centroids c = {memory, memory + of->classes * of->width};
    double *p = c.mass + of->classes;
    for (int64_t i = 0; i < of->n; i++) {
        anni_softmax(p, of->logits + i * of->classes, of->classes);
        for (int64_t k = 0; k < of->classes; k++) add(&c, k, p[k], of->features + i * of->width, of->width);
    }
    label_all(label, &c, of);
    clear(&c, of);
    for (int64_t i = 0; i < of->n; i++) add(&c, label[i], 1, of->features + i * of->width, of->width);
    label_all(label, &c, of);
    free(memory);
    return ANN_OK;
}
