/* Flip, shift, crop, rotation and zoom: affine maps from output pixels to input pixels, and the resampling.
 */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

bool anni_is_geometry(ann_augment_kind kind) { return kind <= ANN_AUGMENT_ZOOM; }

static ann_border border_of(const ann_augment_op *op) {
    return op->kind == ANN_AUGMENT_RESIZED_CROP ? ANN_BORDER_EDGE : op->border;
}

bool anni_joins(const ann_augment_op *group, const ann_augment_op *next) {
    if (!anni_is_geometry(next->kind)) return false;
    if (group->kind == ANN_AUGMENT_FLIP || next->kind == ANN_AUGMENT_FLIP) return true;
    return border_of(group) == border_of(next) &&
           (border_of(group) != ANN_BORDER_FILL || group->fill == next->fill);
}

/* ---- the maps ---- */

/* map := map after step: first `step` says where an output pixel comes from, then `map`. */
static void compose(anni_affine *map, anni_affine step) {
    const double *a = map->m, *b = step.m;
    *map = (anni_affine){{a[0] * b[0] + a[1] * b[3], a[0] * b[1] + a[1] * b[4],
                          a[0] * b[2] + a[1] * b[5] + a[2], a[3] * b[0] + a[4] * b[3],
                          a[3] * b[1] + a[4] * b[4], a[3] * b[2] + a[4] * b[5] + a[5]}};
}

static anni_affine flip_map(const ann_augment_op *op, const anni_image *image, const anni_draws *d) {
    anni_affine map = ANNI_AFFINE_IDENTITY;
    if (anni_draw(d, ANNI_DRAW_FIRST) < op->horizontal) {
        map.m[0] = -1;
        map.m[2] = (double)(image->width - 1);
    }
    if (anni_draw(d, ANNI_DRAW_FIRST + 1) < op->vertical) {
        map.m[4] = -1;
        map.m[5] = (double)(image->height - 1);
    }
    return map;
}

static anni_affine shift_map(const ann_augment_op *op, const anni_draws *d) {
    anni_affine map = ANNI_AFFINE_IDENTITY;
    map.m[2] = (double)(anni_draw_below(d, ANNI_DRAW_FIRST, 2 * op->pixels[1] + 1) - op->pixels[1]);
    map.m[5] = (double)(anni_draw_below(d, ANNI_DRAW_FIRST + 1, 2 * op->pixels[0] + 1) - op->pixels[0]);
    return map;
}

/* The matrix [a b; c d] about the image's centre. */
static anni_affine about_centre(const anni_image *image, double a, double b, double c, double d) {
    const double x = 0.5 * (double)(image->width - 1), y = 0.5 * (double)(image->height - 1);
    return (anni_affine){{a, b, x - a * x - b * y, c, d, y - c * x - d * y}};
}

anni_affine anni_rotation(const anni_image *image, double degrees) {
    static const double degree = 0.017453292519943295769;
    const double angle = degree * degrees;
    /* y points down: the output is turned counter-clockwise, so its pixels come from clockwise of them. */
    return about_centre(image, cos(angle), -sin(angle), sin(angle), cos(angle));
}

static anni_affine rotate_map(const ann_augment_op *op, const anni_image *image, const anni_draws *d) {
    return anni_rotation(image, anni_draw_between(d, ANNI_DRAW_FIRST, -op->degrees, op->degrees));
}

static anni_affine zoom_map(const ann_augment_op *op, const anni_image *image, const anni_draws *d) {
    const double factor = anni_draw_between(d, ANNI_DRAW_FIRST, op->scale[0], op->scale[1]);
    return about_centre(image, 1 / factor, 0, 0, 1 / factor);
}

void anni_window_size(int64_t *h, int64_t *w, const anni_image *image, double area, double ratio) {
    const double pixels = area * (double)image->pixels;
    *w = llround(sqrt(pixels * ratio));
    *h = llround(sqrt(pixels / ratio));
}

/* The largest central window whose aspect is in the range. */
static void central_window(int64_t *h, int64_t *w, const anni_image *image, const double ratio[2]) {
    const double have = (double)image->width / (double)image->height;
    *w = image->width;
    *h = image->height;
    if (have < ratio[0]) *h = llround((double)image->width / ratio[0]);
    else if (have > ratio[1]) *w = llround((double)image->height * ratio[1]);
    *h = *h < 1 ? 1 : *h;
    *w = *w < 1 ? 1 : *w;
}

static anni_affine resized_crop_map(const ann_augment_op *op, const anni_image *image, const anni_draws *d) {
    enum { TRIES = 10, DRAWS = 4 };
    int64_t h = 0, w = 0, top = -1, left = -1;
    for (unsigned i = 0; i < TRIES && top < 0; i++) {
        const unsigned first = ANNI_DRAW_FIRST + DRAWS * i;
        const double area = anni_draw_between(d, first, op->scale[0], op->scale[1]);
        const double ratio = exp(anni_draw_between(d, first + 1, log(op->ratio[0]), log(op->ratio[1])));
        anni_window_size(&h, &w, image, area, ratio);
        if (h < 1 || w < 1 || h > image->height || w > image->width) continue;
        top = anni_draw_below(d, first + 2, image->height - h + 1);
        left = anni_draw_below(d, first + 3, image->width - w + 1);
    }
    if (top < 0) {
        central_window(&h, &w, image, op->ratio);
        top = (image->height - h) / 2;
        left = (image->width - w) / 2;
    }
    const double sy = (double)h / (double)image->height, sx = (double)w / (double)image->width;
    return (anni_affine){{sx, 0, (double)left + 0.5 * sx - 0.5, 0, sy, (double)top + 0.5 * sy - 0.5}};
}

void anni_geometry_draw(anni_affine *map, const ann_augment_op *op, const anni_image *image,
                        const anni_draws *d) {
    if (op->kind == ANN_AUGMENT_FLIP) {
        compose(map, flip_map(op, image, d));
        return;
    }
    if (anni_draw(d, ANNI_DRAW_APPLY) >= op->p) return;
    switch (op->kind) {
    case ANN_AUGMENT_RESIZED_CROP: compose(map, resized_crop_map(op, image, d)); break;
    case ANN_AUGMENT_ROTATE: compose(map, rotate_map(op, image, d)); break;
    case ANN_AUGMENT_ZOOM: compose(map, zoom_map(op, image, d)); break;
    default: compose(map, shift_map(op, d)); break;
    }
}

/* ---- the resampling ---- */

/* The pixel that stands for coordinate i of n; -1: the fill. */
static int64_t pixel_at(int64_t i, int64_t n, ann_border border) {
    if (i >= 0 && i < n) return i;
    if (border == ANN_BORDER_EDGE) return i < 0 ? 0 : n - 1;
    return border == ANN_BORDER_REFLECT ? anni_reflect(i, n) : -1;
}

static void fill_run(float *out, int64_t n, float value) {
    for (int64_t i = 0; i < n; i++) out[i] = value;
}

/* One row of a map by whole pixels: out[x] = row[step x + from], step 1 or -1. */
static void copy_row(float *out, const float *row, int64_t width, int64_t step, int64_t from,
                     ann_border border, float fill) {
    /* [first, last): the outputs that come from inside. */
    int64_t first = step > 0 ? -from : from - width + 1, last = step > 0 ? width - from : from + 1;
    first = first < 0 ? 0 : first > width ? width : first;
    last = last < first ? first : last > width ? width : last;
    if (step > 0) memcpy(out + first, row + from + first, (size_t)(last - first) * sizeof *out);
    else
        for (int64_t x = first; x < last; x++) out[x] = row[from - x];
    if (border == ANN_BORDER_FILL) {
        fill_run(out, first, fill);
        fill_run(out + last, width - last, fill);
        return;
    }
    for (int64_t x = 0; x < width; x++)
        if (x < first || x >= last) out[x] = row[pixel_at(step * x + from, width, border)];
}

static bool is_whole(double v) { return v == floor(v) && fabs(v) < 1e9; }

/* A map that only mirrors and shifts by whole pixels. */
static bool copies(const anni_affine *map) {
    const double *m = map->m;
    return m[1] == 0 && m[3] == 0 && fabs(m[0]) == 1 && fabs(m[4]) == 1 && is_whole(m[2]) && is_whole(m[5]);
}

static bool is_identity(const double *m) {
    return m[0] == 1 && m[1] == 0 && m[2] == 0 && m[3] == 0 && m[4] == 1 && m[5] == 0;
}

static void copy_plane(float *out, const float *in, const anni_image *image, const double *m,
                       ann_border border, float fill) {
    for (int64_t y = 0; y < image->height; y++, out += image->width) {
        const int64_t from = pixel_at((int64_t)(m[4] * (double)y + m[5]), image->height, border);
        if (from < 0) fill_run(out, image->width, fill);
        else
            copy_row(out, in + from * image->width, image->width, (int64_t)m[0], (int64_t)m[2], border, fill);
    }
}

/* The four pixels around a point and their weights, for all channels. */
typedef struct corner {
    int64_t at; /* -1: the fill */
    float weight;
} corner;

static void find_corners(corner corners[4], double x, double y, const anni_image *image, ann_border border) {
    const double x0 = floor(x), y0 = floor(y);
    const float fx = (float)(x - x0), fy = (float)(y - y0);
    for (int i = 0; i < 4; i++) {
        const int64_t cx = pixel_at((int64_t)x0 + (i & 1), image->width, border);
        const int64_t cy = pixel_at((int64_t)y0 + (i >> 1), image->height, border);
        corners[i].at = cx < 0 || cy < 0 ? -1 : cy * image->width + cx;
        corners[i].weight = (i & 1 ? fx : 1 - fx) * (i >> 1 ? fy : 1 - fy);
    }
}

static float blend(const float *plane, const corner corners[4], float fill) {
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += corners[i].weight * (corners[i].at < 0 ? fill : plane[corners[i].at]);
    return sum;
}

static void interpolate(anni_image *image, const double *m, ann_border border, float fill) {
    for (int64_t y = 0; y < image->height; y++)
        for (int64_t x = 0; x < image->width; x++) {
            corner corners[4];
            find_corners(corners, m[0] * (double)x + m[1] * (double)y + m[2],
                         m[3] * (double)x + m[4] * (double)y + m[5], image, border);
            for (int64_t c = 0; c < image->channels; c++)
                image->spare[c * image->pixels + y * image->width + x] =
                    blend(image->now + c * image->pixels, corners, fill);
        }
}

void anni_resample(anni_image *image, const anni_affine *map, const ann_augment_op *group) {
    const ann_border border = border_of(group);
    const float fill = (float)group->fill;
    if (is_identity(map->m)) return;
    if (!copies(map)) interpolate(image, map->m, border, fill);
    else
        for (int64_t c = 0; c < image->channels; c++)
            copy_plane(image->spare + c * image->pixels, image->now + c * image->pixels, image, map->m,
                       border, fill);
    anni_image_swap(image);
}
