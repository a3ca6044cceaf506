/* Brightness, contrast, saturation, hue, grey and the principal components of colour. */
#include "data/augment_ops.h"

/* Weights of red, green and blue in grey (ITU-R BT.601), as torchvision rounds them. */
static const float grey_r = 0.2989f, grey_g = 0.587f, grey_b = 0.114f;

static bool is_colour(const anni_image *image) { return image->channels == 3; }

static float grey_at(const anni_image *image, int64_t i) {
    const float *x = image->now;
    return grey_r * x[i] + grey_g * x[image->pixels + i] + grey_b * x[2 * image->pixels + i];
}

/* ---- brightness and contrast ---- */

void anni_brighten(anni_image *image, float factor) {
    float *x = image->now;
    for (int64_t i = 0; i < image->channels * image->pixels; i++) x[i] = anni_clamp01(x[i] * factor);
}

static float mean_grey(const anni_image *image) {
    double sum = 0;
    int64_t count = image->pixels;
    if (is_colour(image))
        for (int64_t i = 0; i < count; i++) sum += (double)grey_at(image, i);
    else
        for (int64_t i = 0; i < (count = image->channels * image->pixels); i++) sum += (double)image->now[i];
    return (float)(sum / (double)count);
}

static void stretch(anni_image *image, float factor) {
    float *x = image->now;
    const float rest = mean_grey(image) * (1.0f - factor);
    for (int64_t i = 0; i < image->channels * image->pixels; i++) x[i] = anni_clamp01(x[i] * factor + rest);
}

void anni_brightness(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                     const anni_draws *d) {
    (void)pca;
    anni_brighten(image, (float)anni_draw_factor(d, ANNI_DRAW_FIRST, op->brightness));
}

void anni_contrast(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                   const anni_draws *d) {
    (void)pca;
    stretch(image, (float)anni_draw_factor(d, ANNI_DRAW_FIRST, op->contrast));
}

/* ---- saturation and hue ---- */

static void saturate(anni_image *image, float factor) {
    float *r = image->now, *g = r + image->pixels, *b = g + image->pixels;
    for (int64_t i = 0; i < image->pixels; i++) {
        const float rest = (grey_r * r[i] + grey_g * g[i] + grey_b * b[i]) * (1.0f - factor);
        r[i] = anni_clamp01(r[i] * factor + rest);
        g[i] = anni_clamp01(g[i] * factor + rest);
        b[i] = anni_clamp01(b[i] * factor + rest);
    }
}

static inline float smaller(float a, float b) { return a < b ? a : b; }
static inline float larger(float a, float b) { return a > b ? a : b; }

/* One channel of the colour of hue h (in sixths of a turn, 0 <= h < 6), value v and chroma c; n is 5, 3, 1
 * for red, green, blue: v - c max(0, min(k, 4 - k, 1)), k = (n + h) mod 6. */
static inline float channel_of_hue(float n, float h, float v, float c) {
    const float sum = n + h, k = sum >= 6.0f ? sum - 6.0f : sum;
    return v - c * larger(0.0f, smaller(1.0f, smaller(k, 4.0f - k)));
}

/* The hexagonal model of hue, saturation and value (Smith 1978), without branches. */
static void turn_hue(anni_image *image, float turns) {
    float *red = image->now, *green = red + image->pixels, *blue = green + image->pixels;
    for (int64_t i = 0; i < image->pixels; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float v = larger(r, larger(g, b)), c = v - smaller(r, smaller(g, b));
        const float unit = c > 0 ? 1.0f / c : 0.0f;
        float h = v == r ? (g - b) * unit : v == g ? 2.0f + (b - r) * unit : 4.0f + (r - g) * unit;
        h += 6.0f * turns; /* -1..5 and -3..3 */
        h = h < 0.0f ? h + 6.0f : h;
        h = h >= 6.0f ? h - 6.0f : h;
        red[i] = channel_of_hue(5.0f, h, v, c);
        green[i] = channel_of_hue(3.0f, h, v, c);
        blue[i] = channel_of_hue(1.0f, h, v, c);
    }
}

void anni_jitter(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                 const anni_draws *d) {
    (void)pca;
    if (op->brightness > 0) anni_brighten(image, (float)anni_draw_factor(d, ANNI_DRAW_FIRST, op->brightness));
    if (op->contrast > 0) stretch(image, (float)anni_draw_factor(d, ANNI_DRAW_FIRST + 1, op->contrast));
    if (op->saturation > 0) saturate(image, (float)anni_draw_factor(d, ANNI_DRAW_FIRST + 2, op->saturation));
    if (op->hue > 0) turn_hue(image, (float)anni_draw_between(d, ANNI_DRAW_FIRST + 3, -op->hue, op->hue));
}

/* ---- all of the colour ---- */

void anni_grayscale(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                    const anni_draws *d) {
    (void)op, (void)pca, (void)d;
    float *r = image->now, *g = r + image->pixels, *b = g + image->pixels;
    for (int64_t i = 0; i < image->pixels; i++) r[i] = g[i] = b[i] = anni_clamp01(grey_at(image, i));
}

void anni_pca_colour(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                     const anni_draws *d) {
    double shift[3] = {0, 0, 0};
    for (unsigned k = 0; k < 3; k++) {
        const double along = op->sigma * anni_draw_normal(d, ANNI_DRAW_FIRST + k) * pca->deviation[k];
        for (int c = 0; c < 3; c++) shift[c] += along * pca->component[k][c];
    }
    for (int c = 0; c < 3; c++) {
        float *x = image->now + c * image->pixels;
        const float add = (float)shift[c];
        for (int64_t i = 0; i < image->pixels; i++) x[i] = anni_clamp01(x[i] + add);
    }
}
