/* Erasing of a rectangle, and blur. */
#include "data/augment_ops.h"

#include <math.h>

/* ---- random erasing ---- */

typedef struct window {
    int64_t top, left, h, w;
} window;

/* False: none was found. */
static bool draw_window(window *out, const ann_augment_op *op, const anni_image *image, const anni_draws *d) {
    enum { TRIES = 10, DRAWS = 4 };
    for (unsigned i = 0; i < TRIES; i++) {
        const unsigned first = ANNI_DRAW_FIRST + DRAWS * i;
        const double area = anni_draw_between(d, first, op->scale[0], op->scale[1]);
        const double ratio = exp(anni_draw_between(d, first + 1, log(op->ratio[0]), log(op->ratio[1])));
        anni_window_size(&out->h, &out->w, image, area, ratio);
        if (out->h < 1 || out->w < 1 || out->h > image->height || out->w > image->width) continue;
        out->top = anni_draw_below(d, first + 2, image->height - out->h + 1);
        out->left = anni_draw_below(d, first + 3, image->width - out->w + 1);
        return true;
    }
    return false;
}

/* One row of the rectangle; `element` numbers its first one among those that are erased. */
static void erase_row(float *x, const ann_augment_op *op, int64_t n, const anni_draws *d, int64_t element) {
    for (int64_t i = 0; i < n; i++)
        x[i] = op->random_fill ? (float)ann_random_uniform(d->key, ANN_STREAM_AUGMENT_ELEMENT, d->sample,
                                                           (uint64_t)(element + i))
                               : (float)op->fill;
}

void anni_erase(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca, const anni_draws *d) {
    (void)pca;
    window win;
    int64_t element = 0;
    if (!draw_window(&win, op, image, d)) return;
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t y = 0; y < win.h; y++, element += win.w)
            erase_row(image->now + c * image->pixels + (win.top + y) * image->width + win.left, op, win.w, d,
                      element);
}

/* ---- blur ---- */

enum { MAX_RADIUS = 3 * ANNI_BLUR_MAX };

/* Weights of the pixels at distance 0..radius, whose sum over both sides is 1. Returns the radius. */
static int64_t gaussian_weights(float weight[MAX_RADIUS + 1], double sigma) {
    const int64_t radius = (int64_t)ceil(3 * sigma);
    double each[MAX_RADIUS + 1], sum = 0;
    for (int64_t i = 0; i <= radius; i++) {
        each[i] = i == 0 ? 1.0 : exp(-0.5 * (double)(i * i) / (sigma * sigma));
        sum += i == 0 ? each[i] : 2 * each[i];
    }
    for (int64_t i = 0; i <= radius; i++) weight[i] = (float)(each[i] / sum);
    return radius;
}

/* out += weight * (the line `distance` before + the line `distance` after), each of n elements. */
static void add_lines(float *out, const float *before, const float *after, int64_t n, float weight) {
    for (int64_t i = 0; i < n; i++) out[i] += weight * (before[i] + after[i]);
}

static void blur_columns(float *out, const float *in, const anni_image *image, const float *weight,
                         int64_t radius) {
    const int64_t h = image->height, w = image->width;
    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++) out[y * w + x] = weight[0] * in[y * w + x];
        for (int64_t k = 1; k <= radius; k++)
            add_lines(out + y * w, in + anni_reflect(y - k, h) * w, in + anni_reflect(y + k, h) * w, w,
                      weight[k]);
    }
}

/* Pixels [first, last) of a row, some of whose neighbours are mirrored. */
static void add_mirrored(float *out, const float *in, int64_t w, int64_t first, int64_t last, int64_t k,
                         float weight) {
    for (int64_t x = first; x < last; x++)
        out[x] += weight * (in[anni_reflect(x - k, w)] + in[anni_reflect(x + k, w)]);
}

static void blur_row(float *out, const float *in, int64_t w, const float *weight, int64_t radius) {
    const int64_t ends =
        w > 2 * radius ? radius : w; /* pixels at the left that may see the border; as many at the right */
    for (int64_t x = 0; x < w; x++) out[x] = weight[0] * in[x];
    for (int64_t k = 1; k <= radius; k++) {
        add_mirrored(out, in, w, 0, ends, k, weight[k]);
        if (ends == w) continue;
        add_lines(out + ends, in + ends - k, in + ends + k, w - 2 * ends, weight[k]);
        add_mirrored(out, in, w, w - ends, w, k, weight[k]);
    }
}

void anni_blur_by(anni_image *image, double sigma) {
    float weight[MAX_RADIUS + 1] = {0};
    const int64_t radius = gaussian_weights(weight, sigma);
    if (radius == 0) return;
    for (int64_t c = 0; c < image->channels; c++) {
        float *now = image->now + c * image->pixels, *spare = image->spare + c * image->pixels;
        blur_columns(spare, now, image, weight, radius);
        for (int64_t y = 0; y < image->height; y++)
            blur_row(now + y * image->width, spare + y * image->width, image->width, weight, radius);
    }
}

void anni_blur(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca, const anni_draws *d) {
    (void)pca;
    anni_blur_by(image, anni_draw_between(d, ANNI_DRAW_FIRST, op->blur[0], op->blur[1]));
}
