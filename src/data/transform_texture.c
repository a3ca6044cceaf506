/* Value noise, and its blending into what is background. */
#include "data/transform_ops.h"

#include <math.h>

/* ---- the lattice of one octave ---- */

enum { DRAW_Y = ANNI_DRAW_FIRST, DRAW_X, DRAWS_OF_OCTAVE = 2 };

/* Points y = 0, 1 ... of the lattice lie `cell` pixels from each other; pixel i is at (i + 0.5) / cell +
 * offset.
 */
typedef struct lattice {
    int64_t rows, columns;
    double cell, offset[2]; /* y, x; in 0..1 */
    const float *points;
} lattice;

static int64_t points_along(int64_t pixels, double cell, double offset) {
    return (int64_t)floor(((double)pixels - 0.5) / cell + offset) + 2;
}

size_t anni_texture_lattice(const ann_transform_op *op, int64_t height, int64_t width) {
    const double cell = op->cell / (double)(1 << (op->octaves - 1));
    return (size_t)points_along(height, cell, 1) * (size_t)points_along(width, cell, 1);
}

/* `first` numbers the octave's first point among those of all octaves. */
static lattice draw_lattice(float *points, const ann_transform_op *op, const anni_image *image,
                            const anni_draws *d, unsigned octave, uint64_t first) {
    lattice l = {.cell = op->cell / (double)(1 << octave), .points = points};
    l.offset[0] = anni_draw(d, DRAW_Y + DRAWS_OF_OCTAVE * octave);
    l.offset[1] = anni_draw(d, DRAW_X + DRAWS_OF_OCTAVE * octave);
    l.rows = points_along(image->height, l.cell, l.offset[0]);
    l.columns = points_along(image->width, l.cell, l.offset[1]);
    for (int64_t i = 0; i < l.rows * l.columns; i++)
        points[i] =
            (float)ann_random_uniform(d->key, ANN_STREAM_AUGMENT_ELEMENT, d->sample, first + (uint64_t)i);
    return l;
}

/* ---- the noise ---- */

/* The point before a pixel, and the weight of the one behind it. */
static int64_t place(float *weight, const lattice *l, int axis, int64_t pixel) {
    const double at = ((double)pixel + 0.5) / l->cell + l->offset[axis], before = floor(at);
    const float f = (float)(at - before);
    *weight = f * f * (3.0f - 2.0f * f);
    return (int64_t)before;
}

static void add_octave(float *noise, const lattice *l, int64_t height, int64_t width, float share) {
    for (int64_t y = 0; y < height; y++) {
        float down, right;
        const float *above = l->points + place(&down, l, 0, y) * l->columns, *below = above + l->columns;
        for (int64_t x = 0; x < width; x++) {
            const int64_t c = place(&right, l, 1, x);
            const float a = above[c] + right * (above[c + 1] - above[c]);
            const float b = below[c] + right * (below[c + 1] - below[c]);
            noise[y * width + x] += share * (a + down * (b - a));
        }
    }
}

static void stretch(float *noise, int64_t pixels, const double level[2]) {
    float least = noise[0], largest = noise[0];
    for (int64_t i = 1; i < pixels; i++) {
        least = noise[i] < least ? noise[i] : least;
        largest = noise[i] > largest ? noise[i] : largest;
    }
    const float low = (float)level[0], span = (float)(level[1] - level[0]);
    const float unit = largest > least ? span / (largest - least) : 0;
    for (int64_t i = 0; i < pixels; i++) noise[i] = low + unit * (noise[i] - least);
}

/* ---- the blending ---- */

static float largest_distance(const anni_image *image, int64_t pixel, float background) {
    float largest = 0;
    for (int64_t c = 0; c < image->channels; c++) {
        const float distance = fabsf(image->now[c * image->pixels + pixel] - background);
        largest = distance > largest ? distance : largest;
    }
    return largest;
}

static void blend(anni_image *image, const float *noise, const ann_transform_op *op) {
    const float background = (float)op->background, edge = (float)op->edge;
    for (int64_t i = 0; i < image->pixels; i++) {
        const float share = fminf(1.0f, largest_distance(image, i, background) / edge);
        for (int64_t c = 0; c < image->channels; c++) {
            float *v = &image->now[c * image->pixels + i];
            *v = share * *v + (1.0f - share) * noise[i];
        }
    }
}

void anni_texture(anni_image *image, const ann_transform_op *op, const anni_draws *d, float *points) {
    float *noise = image->spare, share = 1;
    uint64_t first = 0;
    for (int64_t i = 0; i < image->pixels; i++) noise[i] = 0;
    for (unsigned octave = 0; octave < (unsigned)op->octaves; octave++, share *= 0.5f) {
        const lattice l = draw_lattice(points, op, image, d, octave, first);
        add_octave(noise, &l, image->height, image->width, share);
        first += (uint64_t)(l.rows * l.columns);
    }
    stretch(noise, image->pixels, op->level);
    blend(image, noise, op);
}
