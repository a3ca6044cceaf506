/* A confusion matrix as a map of shades, with counts and names. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "datasets/figure_style.h"

enum { MOST = 128, MOST_NUMBERS = 32, SPACE = 10 };

typedef struct layout {
    int cell;      /* its side */
    int left, top; /* of the cells */
    int side;      /* of all cells */
    bool names_up; /* of columns, from the bottom up */
    bool numbers;  /* are written */
} layout;

static int most(int a, int b) { return a > b ? a : b; }
static int least(int a, int b) { return a < b ? a : b; }

static int64_t row_sum(const anni_confusion *c, int row) {
    int64_t sum = 0;
    for (int column = 0; column < c->classes; column++) sum += c->count[(int64_t)row * c->classes + column];
    return sum;
}

static int widest_number(const anni_confusion *c) {
    char text[32];
    int widest = 0;
    for (int64_t i = 0; i < (int64_t)c->classes * c->classes; i++) {
        snprintf(text, sizeof text, "%" PRId64, c->count[i]);
        widest = most(widest, anni_canvas_text_width(text, ANNI_FIGURE_SCALE));
    }
    return widest;
}

/* Cells have room for their numbers, or for the names beside them. */
static int cell_side(const anni_confusion *c) {
    if (c->classes > MOST_NUMBERS) return ANNI_FIGURE_LETTER + 2;
    const int customary = least(66, 2 * ANNI_FIGURE_PLOT / c->classes),
              few = ANNI_FIGURE_PLOT / 2 / c->classes;
    return most(widest_number(c) + 16, most(customary, few));
}

static layout plan(const anni_confusion *c) {
    layout l = {.cell = cell_side(c), .numbers = c->classes <= MOST_NUMBERS};
    const int widest = anni_figure_widest(c->class_name, c->classes);
    l.side = l.cell * c->classes;
    l.names_up = widest + SPACE > l.cell;
    l.left = ANNI_FIGURE_MARGIN + ANNI_FIGURE_LETTER + ANNI_FIGURE_GAP + widest + SPACE;
    l.top = ANNI_FIGURE_MARGIN + anni_figure_title_height(c->title) + ANNI_FIGURE_LETTER + ANNI_FIGURE_GAP +
            (l.names_up ? widest : ANNI_FIGURE_LETTER) + SPACE;
    return l;
}

/* From white to a dark blue. By the root of the share, since mistakes are mostly rare. */
static anni_colour shade(double share) {
    const double depth = sqrt(share);
    return (anni_colour){(uint8_t)lround(255 - 235 * depth), (uint8_t)lround(255 - 190 * depth),
                         (uint8_t)lround(255 - 115 * depth)};
}

static void draw_row(anni_canvas *canvas, const anni_confusion *c, const layout *l, int row) {
    const int64_t sum = row_sum(c, row), *count = c->count + (int64_t)row * c->classes;
    const int y = l->top + row * l->cell;
    for (int column = 0; column < c->classes; column++) {
        const int x = l->left + column * l->cell;
        const double share = sum > 0 ? (double)count[column] / (double)sum : 0;
        char text[32];
        anni_canvas_fill(canvas, x, y, l->cell, l->cell, shade(share));
        if (!l->numbers) continue;
        snprintf(text, sizeof text, "%" PRId64, count[column]);
        const anni_colour light = {255, 255, 255},
                          dark = count[column] > 0 ? anni_figure_ink : (anni_colour){200, 203, 208};
        anni_figure_text_centred(canvas, x + l->cell / 2, y + (l->cell - 7 * ANNI_FIGURE_SCALE) / 2,
                                 share > 0.3 ? light : dark, text);
    }
}

static void draw_names(anni_canvas *canvas, const anni_confusion *c, const layout *l) {
    char name[ANNI_FIGURE_TEXT];
    for (int i = 0; i < c->classes; i++) {
        const int middle = i * l->cell + l->cell / 2, x = l->left + middle, y = l->top - SPACE;
        anni_figure_name(name, c->class_name, i);
        anni_figure_text_left_of(canvas, l->left - SPACE, l->top + middle - 7, anni_figure_ink, name);
        if (l->names_up) anni_canvas_text_up(canvas, x - 7, y, ANNI_FIGURE_SCALE, anni_figure_ink, name);
        else anni_figure_text_centred(canvas, x, y - ANNI_FIGURE_LETTER, anni_figure_ink, name);
    }
    const int middle = l->left + l->side / 2, height = anni_canvas_text_width("truth", ANNI_FIGURE_SCALE);
    anni_figure_text_centred(canvas, middle, ANNI_FIGURE_MARGIN + anni_figure_title_height(c->title),
                             anni_figure_pale, "prediction");
    anni_canvas_text_up(canvas, ANNI_FIGURE_MARGIN, l->top + (l->side + height) / 2, ANNI_FIGURE_SCALE,
                        anni_figure_pale, "truth");
}

ann_status anni_figure_confusion(const anni_confusion *confusion, const char *path) {
    const int classes = confusion->classes;
    if (classes < 1 || classes > MOST)
        return ann_error(ANN_ERR_ARG, "a picture of a confusion matrix of %d classes: 1 to %d can be drawn",
                         classes, MOST);
    const layout l = plan(confusion);
    const int width = l.left + l.side + ANNI_FIGURE_MARGIN, height = l.top + l.side + ANNI_FIGURE_MARGIN;
    anni_canvas canvas;
    ANN_TRY(anni_figure_new(&canvas, width, height, confusion->title));
    for (int row = 0; row < classes; row++) draw_row(&canvas, confusion, &l, row);
    anni_figure_frame(&canvas, l.left, l.top, l.side, l.side);
    draw_names(&canvas, confusion, &l);
    return anni_figure_finish(&canvas, path);
}
