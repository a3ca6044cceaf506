/* What figures have in common. */
#include "datasets/figure_style.h"

#include <stdio.h>

const anni_colour anni_figure_paper = {250, 250, 248}, anni_figure_ink = {40, 44, 52},
                  anni_figure_pale = {110, 116, 128}, anni_figure_faint = {224, 226, 230};

/* The first nine are the customary ones of plots; of the others each was chosen as the one whose least
   distance to those before it, in CIE L*a*b*, is largest, not too light for the paper and not gray. */
static const anni_colour palette[ANNI_FIGURE_CLASSES] = {
    {31, 119, 180}, {255, 127, 14},  {44, 160, 44},  {214, 39, 40},   {148, 103, 189},
    {140, 86, 75},  {227, 119, 194}, {23, 190, 207}, {188, 189, 34},  {35, 35, 45},
    {0, 0, 255},    {255, 30, 255},  {0, 60, 0},     {45, 0, 150},    {240, 180, 120},
    {255, 0, 120},  {120, 0, 75},    {120, 105, 15}, {150, 195, 135}, {0, 105, 255},
};
static const anni_colour gray = {150, 150, 150};

anni_colour anni_figure_colour(int c) { return c >= 0 && c < ANNI_FIGURE_CLASSES ? palette[c] : gray; }

char *anni_figure_name(char out[ANNI_FIGURE_TEXT], const char *const *names, int c) {
    if (names != NULL) anni_canvas_shorten(out, ANNI_FIGURE_TEXT, names[c], ANNI_FIGURE_LETTERS);
    else snprintf(out, ANNI_FIGURE_TEXT, "%d", c);
    return out;
}

int anni_figure_widest(const char *const *names, int count) {
    char name[ANNI_FIGURE_TEXT];
    int widest = 0;
    for (int c = 0; c < count; c++) {
        const int width = anni_canvas_text_width(anni_figure_name(name, names, c), ANNI_FIGURE_SCALE);
        if (width > widest) widest = width;
    }
    return widest;
}

int anni_figure_title_height(const char *title) {
    return title != NULL ? ANNI_GLYPH_HEIGHT * ANNI_FIGURE_TITLE + ANNI_FIGURE_GAP : 0;
}

ann_status anni_figure_new(anni_canvas *out, int width, int height, const char *title) {
    enum { MOST = 2 * ANNI_FIGURE_PLOT / (ANNI_GLYPH_ADVANCE * ANNI_FIGURE_TITLE) };
    char text[ANNI_FIGURE_TEXT] = "";
    if (title != NULL) anni_canvas_shorten(text, sizeof text, title, MOST);
    const int least = anni_canvas_text_width(text, ANNI_FIGURE_TITLE) + 2 * ANNI_FIGURE_MARGIN;
    ANN_TRY(anni_canvas_new(out, width > least ? width : least, height, anni_figure_paper));
    anni_canvas_text(out, ANNI_FIGURE_MARGIN, ANNI_FIGURE_MARGIN, ANNI_FIGURE_TITLE, anni_figure_ink, text);
    return ANN_OK;
}

void anni_figure_frame(anni_canvas *canvas, int x, int y, int width, int height) {
    const anni_colour colour = {190, 194, 200};
    anni_canvas_fill(canvas, x - 1, y - 1, width + 2, 1, colour);
    anni_canvas_fill(canvas, x - 1, y + height, width + 2, 1, colour);
    anni_canvas_fill(canvas, x - 1, y, 1, height, colour);
    anni_canvas_fill(canvas, x + width, y, 1, height, colour);
}

void anni_figure_text_left_of(anni_canvas *canvas, int x, int y, anni_colour colour, const char *text) {
    anni_canvas_text(canvas, x - anni_canvas_text_width(text, ANNI_FIGURE_SCALE), y, ANNI_FIGURE_SCALE,
                     colour, text);
}

void anni_figure_text_centred(anni_canvas *canvas, int x, int y, anni_colour colour, const char *text) {
    anni_figure_text_left_of(canvas, x + anni_canvas_text_width(text, ANNI_FIGURE_SCALE) / 2, y, colour,
                             text);
}

ann_status anni_figure_finish(anni_canvas *canvas, const char *path) {
    const ann_status status = anni_canvas_write(canvas, path);
    anni_canvas_free(canvas);
    return status;
}
