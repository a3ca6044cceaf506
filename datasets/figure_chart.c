/* Curves over common axes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "datasets/figure_style.h"

enum { WIDTH = 900, HEIGHT = 560, LINE = 28, SAMPLE = 30, SPACE = 10, STEPS = 6 };

/* Coordinates may be so large; where all are within LEAST, or equal to nine digits, the axis is about them.
 */
static const double LARGEST = 1e300, LEAST = 1e-290;

/* An axis: values from low to high over `pixels`, with numbers at the multiples of step. */
typedef struct axis {
    double low, high, step;
    int pixels;
} axis;

typedef struct layout {
    axis x, y;
    int left, top; /* of the plot */
} layout;

/* 1, 2 or 5 times a power of ten, of which about STEPS fit. */
static double nice_step(double span) {
    const double rough = span / STEPS, power = pow(10, floor(log10(rough))), digits = rough / power;
    return power * (digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10);
}

/* From the least to the largest coordinate; a y axis ends at multiples of its step. */
static axis find_axis(const anni_chart *c, bool of_y, int pixels) {
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < c->curves; i++) {
        const double *values = of_y ? c->curve[i].y : c->curve[i].x;
        for (int64_t k = 0; k < c->curve[i].points; k++) {
            low = fmin(low, values[k]);
            high = fmax(high, values[k]);
        }
    }
    if (c->unit) return (axis){0, 1, 0.2, pixels};
    const double size = fmax(fabs(low), fabs(high));
    if (!(high - low > fmax(1e-9 * size, LEAST))) low -= fmax(size, 1) / 2, high += fmax(size, 1) / 2;
    const double step = nice_step(high - low);
    if (of_y) low = floor(low / step) * step, high = ceil(high / step) * step;
    return (axis){low, high, step, pixels};
}

static double place(const axis *a, double value) { return (value - a->low) / (a->high - a->low) * a->pixels; }

/* ---- numbers ---- */

/* The i-th number of the axis as text; false past the end. */
static bool tick(char text[32], double *value, const axis *a, int i) {
    *value = (ceil(a->low / a->step - 1e-9) + i) * a->step;
    if (fabs(*value) < a->step / 2) *value = 0;
    const int decimals = (int)fmax(0, ceil(-log10(a->step) - 1e-9));
    if (decimals > 6 || fabs(a->high) >= 1e7 || fabs(a->low) >= 1e7) snprintf(text, 32, "%.3g", *value);
    else snprintf(text, 32, "%.*f", decimals, *value);
    return *value <= a->high + a->step * 1e-9;
}

static int widest_tick(const axis *a) {
    char text[32];
    double value;
    int widest = 0;
    for (int i = 0; tick(text, &value, a, i); i++) {
        const int width = anni_canvas_text_width(text, ANNI_FIGURE_SCALE);
        if (width > widest) widest = width;
    }
    return widest;
}

static void draw_ticks(anni_canvas *canvas, const layout *l) {
    char text[32];
    double value;
    for (int i = 0; tick(text, &value, &l->y, i); i++) {
        const int y = l->top + l->y.pixels - (int)lround(place(&l->y, value));
        anni_canvas_fill(canvas, l->left, y, l->x.pixels, 1, anni_figure_faint);
        anni_figure_text_left_of(canvas, l->left - SPACE, y - 7, anni_figure_pale, text);
    }
    for (int i = 0; tick(text, &value, &l->x, i); i++) {
        const int x = l->left + (int)lround(place(&l->x, value)), bottom = l->top + l->y.pixels;
        anni_canvas_fill(canvas, x, l->top, 1, l->y.pixels, anni_figure_faint);
        anni_figure_text_centred(canvas, x, bottom + SPACE, anni_figure_pale, text);
    }
}

/* ---- curves ---- */

static void draw_curve(anni_canvas *canvas, const layout *l, const anni_curve *c, anni_colour colour) {
    double from_x = 0, from_y = 0;
    for (int64_t i = 0; i < c->points; i++) {
        const double x = l->left + place(&l->x, c->x[i]), y = l->top + l->y.pixels - place(&l->y, c->y[i]);
        if (i > 0) anni_canvas_line(canvas, from_x, from_y, x, y, 2.5, colour);
        else if (c->points == 1) anni_canvas_disc(canvas, x, y, 5, colour, 1);
        from_x = x;
        from_y = y;
    }
}

static void draw_legend(anni_canvas *canvas, const anni_chart *c, int x, int y) {
    char name[ANNI_FIGURE_TEXT];
    for (int i = 0; i < c->curves; i++) {
        if (c->curve[i].name == NULL) continue;
        anni_canvas_shorten(name, sizeof name, c->curve[i].name, ANNI_FIGURE_LETTERS);
        anni_canvas_line(canvas, x + 2, y + 7, x + SAMPLE - 10, y + 7, 4, anni_figure_colour(i));
        anni_canvas_text(canvas, x + SAMPLE, y, ANNI_FIGURE_SCALE, anni_figure_ink, name);
        y += LINE;
    }
}

static int legend_width(const anni_chart *c) {
    int widest = 0;
    for (int i = 0; i < c->curves; i++) {
        const int width = c->curve[i].name != NULL ? anni_figure_widest(&c->curve[i].name, 1) : 0;
        if (width > widest) widest = width;
    }
    return widest > 0 ? ANNI_FIGURE_GAP + SAMPLE + widest : 0;
}

/* ---- the whole ---- */

static ann_status check(const anni_chart *c) {
    if (c->curves < 1 || c->curves > ANNI_FIGURE_CLASSES)
        return ann_error(ANN_ERR_ARG, "a chart of %d curves: 1 to %d can be drawn", c->curves,
                         ANNI_FIGURE_CLASSES);
    for (int i = 0; i < c->curves; i++) {
        const anni_curve *curve = &c->curve[i];
        if (curve->points < 1) return ann_error(ANN_ERR_ARG, "curve %d of a chart has no points", i);
        for (int64_t k = 0; k < curve->points; k++)
            if (!(fabs(curve->x[k]) <= LARGEST && fabs(curve->y[k]) <= LARGEST))
                return ann_error(ANN_ERR_NUMERIC, "point %" PRId64 " of curve %d is at %g, %g", k, i,
                                 curve->x[k], curve->y[k]);
    }
    return ANN_OK;
}

static layout plan(const anni_chart *c) {
    layout l = {.x = find_axis(c, false, c->unit ? HEIGHT : WIDTH), .y = find_axis(c, true, HEIGHT)};
    l.left = ANNI_FIGURE_MARGIN + widest_tick(&l.y) + SPACE;
    l.top = ANNI_FIGURE_MARGIN + anni_figure_title_height(c->title) + ANNI_FIGURE_LETTER + SPACE;
    return l;
}

/* The y axis's name stands above it, where it need not be turned. */
static void draw(anni_canvas *canvas, const anni_chart *c, const layout *l) {
    const int right = l->left + l->x.pixels, bottom = l->top + l->y.pixels;
    anni_canvas_fill(canvas, l->left, l->top, l->x.pixels, l->y.pixels, (anni_colour){255, 255, 255});
    draw_ticks(canvas, l);
    anni_figure_frame(canvas, l->left, l->top, l->x.pixels, l->y.pixels);
    if (c->unit) anni_canvas_line(canvas, l->left, bottom, right, l->top, 1.5, (anni_colour){190, 194, 200});
    for (int i = 0; i < c->curves; i++) draw_curve(canvas, l, &c->curve[i], anni_figure_colour(i));
    anni_canvas_text(canvas, l->left, l->top - SPACE - ANNI_FIGURE_LETTER, ANNI_FIGURE_SCALE, anni_figure_ink,
                     c->y_name);
    anni_figure_text_left_of(canvas, right, bottom + 2 * SPACE + ANNI_FIGURE_LETTER, anni_figure_ink,
                             c->x_name);
    draw_legend(canvas, c, right + ANNI_FIGURE_GAP, l->top);
}

ann_status anni_figure_chart(const anni_chart *chart, const char *path) {
    ANN_TRY(check(chart));
    const layout l = plan(chart);
    const int below = 2 * (SPACE + ANNI_FIGURE_LETTER), width = l.left + l.x.pixels + legend_width(chart);
    anni_canvas canvas;
    ANN_TRY(anni_figure_new(&canvas, width + ANNI_FIGURE_MARGIN,
                            l.top + l.y.pixels + below + ANNI_FIGURE_MARGIN, chart->title));
    draw(&canvas, chart, &l);
    return anni_figure_finish(&canvas, path);
}
