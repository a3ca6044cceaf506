/* Figures by which a person judges a representation, as PNG: points of several classes, a confusion matrix,
   curves. Private to datasets/ and launch/.

   All functions are Local. Texts are borrowed, at most 255 bytes count; letters that are not ASCII are drawn
   as boxes, and what is too long ends in "..". Errors: ANN_ERR_ARG (nothing to draw, or too much),
   ANN_ERR_NUMERIC (a coordinate is not finite), ANN_ERR_MEMORY, ANN_ERR_IO, ANN_ERR_NOSPACE. */
#ifndef ANN_DATASETS_FIGURE_H
#define ANN_DATASETS_FIGURE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

/* How many classes have a colour of their own. */
enum { ANNI_FIGURE_CLASSES = 20 };

/* Samples in the plane, such as their t-SNE or two principal components. Both axes have the same scale and no
   numbers. They are drawn in an order drawn by lot, so that no class covers another for being first. */
typedef struct anni_scatter {
    const float *xy;               /* [n, 2] */
    const int32_t *label;          /* [n]: the class, or -1: gray; NULL: all are gray */
    const uint8_t *domain;         /* [n]: 0 a disc, 1 a cross; NULL: all are discs */
    int64_t n;                     /* >= 1 */
    int classes;                   /* at most ANNI_FIGURE_CLASSES; 0 without labels */
    const char *const *class_name; /* [classes]; NULL: their numbers */
    const char *domain_name[2];    /* where there are domains */
    const char *title;             /* NULL: none */
} anni_scatter;
ann_status anni_figure_scatter(const anni_scatter *scatter, const char *path) ANN_MUST_CHECK;

/* Rows are the truth, columns the prediction; the shade grows with the root of the share of the row. At most
   128 classes; numbers are written where there are no more than 32. */
typedef struct anni_confusion {
    const int64_t *count;          /* [classes, classes] */
    int classes;                   /* >= 1 */
    const char *const *class_name; /* [classes]; NULL: their numbers */
    const char *title;             /* NULL: none */
} anni_confusion;
ann_status anni_figure_confusion(const anni_confusion *confusion, const char *path) ANN_MUST_CHECK;

typedef struct anni_curve {
    const char *name; /* NULL: not in the legend */
    const double *x, *y;
    int64_t points; /* >= 1; one is drawn as a dot */
} anni_curve;

/* Curves over common axes with numbers, which reach from the least to the largest coordinate. At most
 * ANNI_FIGURE_CLASSES. */
typedef struct anni_chart {
    const anni_curve *curve; /* [curves] */
    int curves;              /* >= 1 */
    bool unit;               /* both axes are from 0 to 1, with the diagonal: a ROC curve */
    const char *x_name, *y_name;
    const char *title; /* NULL: none */
} anni_chart;
ann_status anni_figure_chart(const anni_chart *chart, const char *path) ANN_MUST_CHECK;

#endif
