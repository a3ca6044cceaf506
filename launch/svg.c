/* Plots as SVG: panels of lines over a logarithmic axis. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "svg.h"

enum { PANEL_W = 460, PANEL_H = 400, LEFT = 70, RIGHT = 20, TOP = 70, BOTTOM = 60 };

typedef struct frame {
    FILE *file;
    int offset; /* of the panel */
    double x_low, x_high, y_low, y_high;
    bool logarithmic; /* y */
} frame;

static double at_x(const frame *f, double x) {
    const double range = f->x_high - f->x_low;
    return f->offset + LEFT + (PANEL_W - LEFT - RIGHT) * (range > 0 ? (log2(x) - f->x_low) / range : 0.5);
}

static double at_y(const frame *f, double y) {
    const double value = f->logarithmic ? log2(y) : y, range = f->y_high - f->y_low;
    return TOP + (PANEL_H - TOP - BOTTOM) * (1 - (range > 0 ? (value - f->y_low) / range : 0.5));
}

static void escaped(FILE *file, const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c == '&') fputs("&amp;", file);
        else if (*c == '<') fputs("&lt;", file);
        else if (*c == '>') fputs("&gt;", file);
        else if ((unsigned char)*c >= ' ') fputc(*c, file);
    }
}

void svg_label(FILE *file, double x, double y, const char *anchor, int size, const char *text) {
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">", x, y, anchor, size);
    escaped(file, text);
    fputs("</text>\n", file);
}

static void line(const frame *f, double x1, double y1, double x2, double y2) {
    fprintf(f->file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n", x1, y1,
            x2, y2);
}

/* A number of samples per second, or the like: 1500000 is 1.5M. */
static void short_number(char *buf, size_t size, double value) {
    if (value >= 1e9) snprintf(buf, size, "%.3gG", value / 1e9);
    else if (value >= 1e6) snprintf(buf, size, "%.3gM", value / 1e6);
    else if (value >= 1e4) snprintf(buf, size, "%.3gk", value / 1e3);
    else snprintf(buf, size, "%.4g", value);
}

static void grid(const frame *f) {
    char text[32];
    const double left = f->offset + LEFT, right = f->offset + PANEL_W - RIGHT;
    const int each = (int)ceil((f->x_high - f->x_low + 1) / 12);
    for (int i = (int)ceil(f->x_low - 1e-9); i <= f->x_high + 1e-9; i += each) {
        const double x = at_x(f, exp2(i));
        line(f, x, TOP, x, PANEL_H - BOTTOM);
        short_number(text, sizeof text, exp2(i));
        svg_label(f->file, x, PANEL_H - BOTTOM + 18, "middle", 11, text);
    }
    const double step = f->logarithmic ? ceil((f->y_high - f->y_low) / 8) : (f->y_high - f->y_low) / 5;
    for (double y = f->y_low; step > 0 && y <= f->y_high + 1e-9; y += step) {
        const double value = f->logarithmic ? exp2(y) : y;
        line(f, left, at_y(f, value), right, at_y(f, value));
        short_number(text, sizeof text, value);
        svg_label(f->file, left - 8, at_y(f, value) + 4, "end", 11, text);
    }
    fprintf(f->file,
            "<rect x=\"%.1f\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444444\"/>\n", left,
            TOP, PANEL_W - LEFT - RIGHT, PANEL_H - TOP - BOTTOM);
}

static void curve(const frame *f, const svg_series *s, const double *x, int count) {
    fprintf(f->file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"", s->colour,
            s->dashed ? " stroke-dasharray=\"6 4\"" : "");
    for (int i = 0; i < count; i++)
        if (isfinite(s->y[i])) fprintf(f->file, "%.1f,%.1f ", at_x(f, x[i]), at_y(f, s->y[i]));
    fputs("\"/>\n", f->file);
    for (int i = 0; i < count && !s->dashed; i++)
        if (isfinite(s->y[i]))
            fprintf(f->file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", at_x(f, x[i]),
                    at_y(f, s->y[i]), s->colour);
}

/* In the corner that curves leave free: below for what falls from 1, above on the left for what grows. */
static void legend(const frame *f, const svg_panel *p) {
    const double x = f->offset + LEFT + 12;
    double y = f->logarithmic ? TOP + 20 : PANEL_H - BOTTOM - 18 * p->series_count;
    for (int i = 0; i < p->series_count; i++, y += 18) {
        fprintf(
            f->file,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"2\"%s/>\n", x,
            y, x + 26, y, p->series[i].colour, p->series[i].dashed ? " stroke-dasharray=\"6 4\"" : "");
        svg_label(f->file, x + 32, y + 4, "start", 12, p->series[i].name);
    }
}

static void find_range(frame *f, const svg_panel *p, const double *x, int count) {
    f->x_low = log2(x[0]);
    f->x_high = log2(x[count - 1]);
    f->logarithmic = p->y_max <= 0;
    f->y_low = f->logarithmic ? INFINITY : 0;
    f->y_high = f->logarithmic ? -INFINITY : p->y_max;
    for (int s = 0; s < p->series_count && f->logarithmic; s++)
        for (int i = 0; i < count; i++) {
            if (!isfinite(p->series[s].y[i])) continue;
            f->y_low = fmin(f->y_low, floor(log2(p->series[s].y[i])));
            f->y_high = fmax(f->y_high, ceil(log2(p->series[s].y[i])));
        }
}

static void panel(FILE *file, int index, const double *x, int count, const svg_panel *p) {
    frame f = {.file = file, .offset = index * PANEL_W};
    const double middle = f.offset + LEFT + (PANEL_W - LEFT - RIGHT) / 2.0;
    find_range(&f, p, x, count);
    grid(&f);
    for (int s = 0; s < p->series_count; s++) curve(&f, &p->series[s], x, count);
    legend(&f, p);
    svg_label(file, middle, TOP - 12, "middle", 14, p->title);
    svg_label(file, middle, PANEL_H - 18, "middle", 12, p->x_label);
    fprintf(file, "<g transform=\"translate(%d %d) rotate(-90)\">", f.offset + 18,
            (PANEL_H + TOP - BOTTOM) / 2);
    svg_label(file, 0, 0, "middle", 12, p->y_label);
    fputs("</g>\n", file);
}

ann_status svg_begin(FILE **out, const char *path, int width, int height) {
    *out = fopen(path, "w");
    if (!*out) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    fprintf(
        *out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
        "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" fill=\"#222222\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
        width, height, width, height, width, height);
    return ANN_OK;
}

ann_status svg_end(FILE *file, const char *path) {
    fputs("</svg>\n", file);
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return ann_error(ANN_ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    return ANN_OK;
}

ann_status svg_write(const char *path, const char *title, const double *x, int count, const svg_panel *panels,
                     int panel_count) {
    FILE *file;
    const int width = panel_count * PANEL_W;
    ANN_TRY(svg_begin(&file, path, width, PANEL_H));
    svg_label(file, width / 2.0, 26, "middle", 16, title);
    for (int i = 0; i < panel_count; i++) panel(file, i, x, count, &panels[i]);
    return svg_end(file, path);
}
