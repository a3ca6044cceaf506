#include "datasets/sheet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "datasets/canvas.h"

/* Pixels. Small images are enlarged by a whole number to about TILE, large ones reduced by one. */
enum { MARGIN = 28, GAP = 14, GROUP_GAP = 14, CAPTION_GAP = 7, TITLE_GAP = 22, TILE = 112, MAX_TILE = 256 };
enum { CAPTION_SCALE = 2, TITLE_SCALE = 2, MAX_CAPTION = 160 };

static const anni_colour paper = {250, 250, 248}, ink = {40, 44, 52}, pale = {110, 116, 128},
                         frame = {214, 216, 220};

typedef struct layout {
    int enlarge, reduce; /* one of them is 1 */
    int tile_width, tile_height;
    int cell_width, cell_height; /* without gaps */
    int letters;                 /* of a caption, at most */
    int columns, rows;
    int group_columns; /* a wider gap after each so many columns; 0: none */
    int width, height;
} layout;

bool anni_sheet_can_show(const ann_shape *shape) {
    const int64_t *dim = shape->dim;
    if (shape->rank != 2 && shape->rank != 3) return false;
    if (dim[0] < 2 || dim[1] < 2 || dim[0] > 1 << 14 || dim[1] > 1 << 14) return false;
    return shape->rank == 2 || dim[2] == 1 || dim[2] == 3 || dim[2] == 4;
}

/* ---- layout ---- */

static int most(int a, int b) { return a > b ? a : b; }
static int least(int a, int b) { return a < b ? a : b; }

static int longest_caption(const anni_tiles *t) {
    int letters = 0;
    for (int i = 0; i < t->count && t->captions != NULL; i++)
        letters = most(letters, anni_canvas_letters(t->captions[i]));
    return letters;
}

/* About 3 : 2, and whole groups in a row or whole rows in a group. */
static int choose_columns(const anni_tiles *t, const layout *l) {
    if (t->columns > 0) return t->columns;
    const double area = 1.5 * t->count * (l->cell_height + GAP) / (l->cell_width + GAP);
    int best = most(1, least(t->count, (int)lround(sqrt(area))));
    if (t->group <= 1) return best;
    for (int away = 0; away <= t->count; away++) {
        for (int sign = 1; sign >= -1; sign -= 2) {
            const int columns = best + sign * away;
            const bool fits = columns >= 1 && columns <= t->count;
            if (fits && (columns % t->group == 0 || t->group % columns == 0)) return columns;
        }
    }
    return best;
}

static int column_x(const layout *l, int column) {
    const int groups = l->group_columns > 0 ? column / l->group_columns : 0;
    return MARGIN + column * (l->cell_width + GAP) + groups * GROUP_GAP;
}

static int title_height(const anni_tiles *t) {
    return t->title == NULL ? 0 : ANNI_GLYPH_HEIGHT * TITLE_SCALE + TITLE_GAP;
}

/* Captions belong to the tile above them. */
static int row_gap(const anni_tiles *t) { return t->captions == NULL ? GAP : 2 * GAP; }

static layout plan(const anni_tiles *t) {
    const int height = (int)t->shape.dim[0], width = (int)t->shape.dim[1], side = most(height, width);
    layout l = {.enlarge = most(1, (TILE + side / 2) / side), .reduce = (side + MAX_TILE - 1) / MAX_TILE};
    l.tile_width = most(1, width * l.enlarge / l.reduce);
    l.tile_height = most(1, height * l.enlarge / l.reduce);
    const int advance = ANNI_GLYPH_ADVANCE * CAPTION_SCALE;
    l.letters = least(longest_caption(t), most(l.tile_width, MAX_CAPTION) / advance);
    l.cell_width = most(l.tile_width + 2, l.letters * advance);
    l.cell_height = l.tile_height + 2;
    if (t->captions != NULL) l.cell_height += CAPTION_GAP + ANNI_GLYPH_HEIGHT * CAPTION_SCALE;
    l.columns = choose_columns(t, &l);
    l.rows = (t->count + l.columns - 1) / l.columns;
    if (t->group > 1 && l.columns > t->group) l.group_columns = t->group;
    const int title = t->title == NULL ? 0 : anni_canvas_letters(t->title) * ANNI_GLYPH_ADVANCE * TITLE_SCALE;
    l.width = most(column_x(&l, l.columns - 1) + l.cell_width, MARGIN + title) + MARGIN;
    l.height = 2 * MARGIN + title_height(t) + l.rows * l.cell_height + (l.rows - 1) * row_gap(t);
    return l;
}

/* ---- values ---- */

typedef struct range {
    double low, high;
} range;

static range find_range(const anni_tiles *t) {
    if (t->dtype == ANN_U8) return (range){0, 255};
    const int64_t elems = t->count * ann_shape_elems(&t->shape);
    range r = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < elems; i++) {
        const double value = ann_elem_get(t->x, t->dtype, i);
        if (value < r.low) r.low = value;
        if (value > r.high) r.high = value;
    }
    if (r.low >= 0 && r.high <= 1) return (range){0, 1};
    if (r.low >= -1 && r.high <= 1) return (range){-1, 1};
    return r;
}

static uint8_t level(double value, range r) {
    const double part = r.high > r.low ? (value - r.low) / (r.high - r.low) : 0;
    return (uint8_t)lround(255 * fmin(1, fmax(0, part))); /* NaN is black */
}

/* The mean of the reduce x reduce values under one pixel. */
static uint8_t sample_level(const anni_tiles *t, const layout *l, range r, int64_t image, int row, int column,
                            int channel) {
    const int64_t height = t->shape.dim[0], width = t->shape.dim[1];
    const int64_t channels = t->shape.rank == 2 ? 1 : t->shape.dim[2];
    double sum = 0;
    int n = 0;
    for (int64_t y = row * l->reduce; y < (row + 1) * l->reduce && y < height; y++) {
        for (int64_t x = column * l->reduce; x < (column + 1) * l->reduce && x < width; x++, n++)
            sum += ann_elem_get(t->x, t->dtype, ((image * height + y) * width + x) * channels + channel);
    }
    return level(sum / n, r);
}

static void draw_image(anni_canvas *canvas, const anni_tiles *t, const layout *l, range r, int image, int x,
                       int y) {
    const bool colour = t->shape.rank == 3 && t->shape.dim[2] >= 3;
    for (int row = 0; row < l->tile_height / l->enlarge; row++) {
        for (int column = 0; column < l->tile_width / l->enlarge; column++) {
            anni_colour c = {.r = sample_level(t, l, r, image, row, column, 0)};
            c.g = colour ? sample_level(t, l, r, image, row, column, 1) : c.r;
            c.b = colour ? sample_level(t, l, r, image, row, column, 2) : c.r;
            anni_canvas_fill(canvas, x + column * l->enlarge, y + row * l->enlarge, l->enlarge, l->enlarge,
                             c);
        }
    }
}

/* ---- drawing ---- */

/* A caption that is too long ends in "..". */
static void draw_caption(anni_canvas *canvas, const layout *l, const char *caption, int x, int y) {
    char text[256];
    anni_canvas_shorten(text, sizeof text, caption, l->letters);
    const int width = anni_canvas_text_width(text, CAPTION_SCALE);
    anni_canvas_text(canvas, x + (l->cell_width - width) / 2, y, CAPTION_SCALE, ink, text);
}

static void draw_tile(anni_canvas *canvas, const anni_tiles *t, const layout *l, range r, int i) {
    const int x = column_x(l, i % l->columns), image_x = x + (l->cell_width - l->tile_width) / 2;
    const int y = MARGIN + title_height(t) + i / l->columns * (l->cell_height + row_gap(t));
    anni_canvas_fill(canvas, image_x - 1, y, l->tile_width + 2, l->tile_height + 2, frame);
    draw_image(canvas, t, l, r, i, image_x, y + 1);
    if (t->captions != NULL) draw_caption(canvas, l, t->captions[i], x, y + l->tile_height + 2 + CAPTION_GAP);
}

ann_status anni_sheet_write(const anni_tiles *tiles, const char *path) {
    if (!anni_sheet_can_show(&tiles->shape) || tiles->count < 1) {
        char shape[128];
        return ann_error(ANN_ERR_SHAPE,
                         "samples of shape %s are no images, accepted: [H,W] or [H,W,C] with 1, "
                         "3 or 4 channels",
                         ann_shape_str(shape, sizeof shape, &tiles->shape));
    }
    const layout l = plan(tiles);
    if ((int64_t)l.width * l.height > 1 << 28)
        return ann_error(ANN_ERR_ARG, "%s: a picture of %d x %d, show fewer samples", path, l.width,
                         l.height);
    const range r = find_range(tiles);
    anni_canvas canvas;
    ANN_TRY(anni_canvas_new(&canvas, l.width, l.height, paper));
    if (tiles->title != NULL) anni_canvas_text(&canvas, MARGIN, MARGIN, TITLE_SCALE, pale, tiles->title);
    for (int i = 0; i < tiles->count; i++) draw_tile(&canvas, tiles, &l, r, i);
    const ann_status status = anni_canvas_write(&canvas, path);
    anni_canvas_free(&canvas);
    return status;
}
