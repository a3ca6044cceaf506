/* What figures look like. Private to datasets/figure*.c. */
#ifndef ANN_DATASETS_FIGURE_STYLE_H
#define ANN_DATASETS_FIGURE_STYLE_H

#include "datasets/canvas.h"
#include "datasets/figure.h"

/* Pixels, and pixels per dot of a letter. */
enum {
    ANNI_FIGURE_MARGIN = 32,
    ANNI_FIGURE_GAP = 20,
    ANNI_FIGURE_PLOT = 800, /* a side of the plot, unless its contents say otherwise */
    ANNI_FIGURE_SCALE = 2,
    ANNI_FIGURE_TITLE = 3,
    ANNI_FIGURE_LETTER = ANNI_GLYPH_HEIGHT * ANNI_FIGURE_SCALE,
    ANNI_FIGURE_LETTERS = 24, /* of a name, at most */
    ANNI_FIGURE_TEXT = 256    /* bytes */
};

extern const anni_colour anni_figure_paper, anni_figure_ink, anni_figure_pale, anni_figure_faint;

/* The colour of a class, 0 <= c < ANNI_FIGURE_CLASSES, or -1: gray. Neighbours in the list differ most. */
anni_colour anni_figure_colour(int c);

/* The name of class c, shortened; returns out. */
char *anni_figure_name(char out[ANNI_FIGURE_TEXT], const char *const *names, int c);
/* The width in pixels of the widest of the names. */
int anni_figure_widest(const char *const *names, int count);

/* The height of the title and what is free below it. */
int anni_figure_title_height(const char *title);
/* A canvas with the title at the margin; it is wider than `width` where the title needs it. */
ann_status anni_figure_new(anni_canvas *out, int width, int height, const char *title) ANN_MUST_CHECK;
/* A frame of one pixel around a rectangle. */
void anni_figure_frame(anni_canvas *canvas, int x, int y, int width, int height);
/* Text whose right end is at x, or whose middle is. */
void anni_figure_text_left_of(anni_canvas *canvas, int x, int y, anni_colour colour, const char *text);
void anni_figure_text_centred(anni_canvas *canvas, int x, int y, anni_colour colour, const char *text);

/* Writes the canvas, and frees it. */
ann_status anni_figure_finish(anni_canvas *canvas, const char *path) ANN_MUST_CHECK;

#endif
