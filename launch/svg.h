/* Drawings as SVG files. */
#ifndef ANNULUS_LAUNCH_SVG_H
#define ANNULUS_LAUNCH_SVG_H

#include <stdbool.h>
#include <stdio.h>
#include "base/status.h"

/* ---- a file ---- */

/* Opens a drawing of that size in pixels, white. Errors: ANN_ERR_IO. */
ann_status svg_begin(FILE **out, const char *path, int width, int height) ANN_MUST_CHECK;
/* Closes it. Errors: ANN_ERR_IO (something was not written). */
ann_status svg_end(FILE *file, const char *path) ANN_MUST_CHECK;
/* A line of text; anchor: start, middle or end. */
void svg_label(FILE *file, double x, double y, const char *anchor, int size, const char *text);

/* ---- plots ---- */

typedef struct svg_series {
    const char *name, *colour;
    const double *y; /* [count] of the plot; NAN: no point */
    bool dashed;
} svg_series;

/* x is on a logarithmic axis of base 2; y from 0 to y_max, or logarithmic of base 2 with y_max 0. */
typedef struct svg_panel {
    const char *title, *x_label, *y_label;
    double y_max;
    const svg_series *series;
    int series_count;
} svg_panel;

/* Writes panels side by side. Errors: ANN_ERR_IO. */
ann_status svg_write(const char *path, const char *title, const double *x, int count, const svg_panel *panels,
                     int panel_count) ANN_MUST_CHECK;

#endif
