/* Points of several classes and two domains, with a legend. */
#include <inttypes.h>
#include <math.h>
#include "base/philox.h"
#include "datasets/figure_style.h"

enum {
    SIDE = ANNI_FIGURE_PLOT,
    INSET = 20,
    LINE = 28,
    MARK = 7,
    NAME = 24
}; /* NAME: from a mark's left to its name */

typedef struct frame {
    double x, y;  /* the middle of the points */
    double scale; /* pixels per unit */
    int top;      /* of the plot */
} frame;

static ann_status check(const anni_scatter *s) {
    if (s->n < 1) return ann_error(ANN_ERR_ARG, "a scatter plot of no samples");
    if (s->classes > ANNI_FIGURE_CLASSES)
        return ann_error(ANN_ERR_ARG, "a scatter plot of %d classes: there are %d colours", s->classes,
                         ANNI_FIGURE_CLASSES);
    for (int64_t i = 0; i < s->n; i++) {
        if (!isfinite(s->xy[2 * i]) || !isfinite(s->xy[2 * i + 1]))
            return ann_error(ANN_ERR_NUMERIC, "sample %" PRId64 " of a scatter plot is at %g, %g", i,
                             (double)s->xy[2 * i], (double)s->xy[2 * i + 1]);
        if (s->label != NULL && s->label[i] >= s->classes)
            return ann_error(ANN_ERR_ARG,
                             "sample %" PRId64 " of a scatter plot is of class %" PRId32 " of %d", i,
                             s->label[i], s->classes);
    }
    return ANN_OK;
}

/* The plot is as wide as the wider of both axes. */
static frame find_frame(const anni_scatter *s) {
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < 2 * s->n; i++) {
        low[i % 2] = fmin(low[i % 2], (double)s->xy[i]);
        high[i % 2] = fmax(high[i % 2], (double)s->xy[i]);
    }
    const double span = fmax(high[0] - low[0], high[1] - low[1]);
    return (frame){.x = (low[0] + high[0]) / 2,
                   .y = (low[1] + high[1]) / 2,
                   .scale = span > 0 ? (SIDE - 2 * INSET) / span : 0,
                   .top = ANNI_FIGURE_MARGIN + anni_figure_title_height(s->title)};
}

static void draw_mark(anni_canvas *canvas, double x, double y, double radius, int domain, anni_colour colour,
                      double opacity) {
    if (domain == 0) anni_canvas_disc(canvas, x, y, radius, colour, opacity);
    else anni_canvas_cross(canvas, x, y, radius * 1.4, radius * 0.6, colour, opacity);
}

static void draw_points(anni_canvas *canvas, const anni_scatter *s, const frame *f) {
    const double radius = fmin(7, fmax(2, 150 / sqrt((double)s->n)));
    for (int64_t at = 0; at < s->n; at++) {
        const int64_t i = (int64_t)ann_permute_index(0, ANN_STREAM_JUDGE, 0, (uint64_t)s->n, (uint64_t)at);
        const double x = ANNI_FIGURE_MARGIN + SIDE / 2.0 + ((double)s->xy[2 * i] - f->x) * f->scale;
        const double y = f->top + SIDE / 2.0 - ((double)s->xy[2 * i + 1] - f->y) * f->scale;
        const anni_colour colour = anni_figure_colour(s->label != NULL ? s->label[i] : -1);
        draw_mark(canvas, x, y, radius, s->domain != NULL ? s->domain[i] : 0, colour, 0.75);
    }
}

static void draw_entry(anni_canvas *canvas, int x, int y, int domain, anni_colour colour, const char *name) {
    draw_mark(canvas, x + MARK, y + ANNI_FIGURE_LETTER / 2.0 - 1, MARK, domain, colour, 1);
    anni_canvas_text(canvas, x + NAME, y, ANNI_FIGURE_SCALE, anni_figure_ink, name);
}

static void draw_legend(anni_canvas *canvas, const anni_scatter *s, int x, int y) {
    char name[ANNI_FIGURE_TEXT];
    for (int c = 0; c < s->classes; c++, y += LINE)
        draw_entry(canvas, x, y, 0, anni_figure_colour(c), anni_figure_name(name, s->class_name, c));
    if (s->domain == NULL) return;
    y += s->classes > 0 ? LINE / 2 : 0;
    for (int i = 0; i < 2; i++, y += LINE)
        draw_entry(canvas, x, y, i, anni_figure_pale, anni_figure_name(name, s->domain_name, i));
}

static int legend_width(const anni_scatter *s) {
    const int classes = anni_figure_widest(s->class_name, s->classes);
    const int domains = s->domain != NULL ? anni_figure_widest(s->domain_name, 2) : 0;
    const int widest = classes > domains ? classes : domains;
    return widest > 0 ? ANNI_FIGURE_GAP + NAME + widest : 0;
}

ann_status anni_figure_scatter(const anni_scatter *scatter, const char *path) {
    ANN_TRY(check(scatter));
    const frame f = find_frame(scatter);
    const int left = ANNI_FIGURE_MARGIN, width = 2 * left + SIDE + legend_width(scatter);
    anni_canvas canvas;
    ANN_TRY(anni_figure_new(&canvas, width, f.top + SIDE + ANNI_FIGURE_MARGIN, scatter->title));
    anni_canvas_fill(&canvas, left, f.top, SIDE, SIDE, (anni_colour){255, 255, 255});
    anni_figure_frame(&canvas, left, f.top, SIDE, SIDE);
    draw_points(&canvas, scatter, &f);
    draw_legend(&canvas, scatter, left + SIDE + ANNI_FIGURE_GAP, f.top);
    return anni_figure_finish(&canvas, path);
}
