/* Every op of augmentation against a direct formula in double, on u8 and f32 images of one and three
   channels; and that nothing but seed, epoch, view, op and sample decides the result. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "data/augment.h"
#include "support/check.h"

enum { MAX_ELEMS = 8 * 9 * 3, SCRATCH_BYTES = 8192, SEED = 11, EPOCH = 3 };

/* f32 arithmetic of a few dozen operations on numbers of size 1. */
static const double tolerance = 32 * FLT_EPSILON;

typedef struct picture {
    int h, w, c;
    double v[MAX_ELEMS]; /* [h, w, c] */
} picture;

static double at(const picture *p, int y, int x, int c) { return p->v[(y * p->w + x) * p->c + c]; }
static double clamp01(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

/* ---- the draws, by the documented key ---- */

typedef struct draws {
    uint64_t key, sample;
} draws;

static draws draws_of(int64_t sample, int view, int op) {
    const ann_philox4 k =
        ann_philox(SEED, EPOCH, (uint64_t)ANN_STREAM_AUGMENT << 32 | (uint32_t)view << 16 | (uint32_t)op);
    return (draws){(uint64_t)k.v[1] << 32 | k.v[0], (uint64_t)sample};
}
static double uniform(draws d, int i) {
    return ann_random_uniform(d.key, ANN_STREAM_AUGMENT, d.sample, (uint64_t)i);
}
static double between(draws d, int i, double low, double high) { return low + (high - low) * uniform(d, i); }
static double factor(draws d, int i, double s) { return between(d, i, s < 1 ? 1 - s : 0, 1 + s); }
static double element(draws d, int64_t i) {
    return ann_random_uniform(d.key, ANN_STREAM_AUGMENT_ELEMENT, d.sample, (uint64_t)i);
}

/* ---- direct formulas: out from in ---- */

typedef void formula(picture *out, const picture *in, const ann_augment_op *op, draws d);

static void flip(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    const int across = uniform(d, 1) < op->horizontal, down = uniform(d, 2) < op->vertical;
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        const int c = i % in->c, x = i / in->c % in->w, y = i / in->c / in->w;
        out->v[i] = at(in, down ? in->h - 1 - y : y, across ? in->w - 1 - x : x, c);
    }
}

/* Pixel i of a line of n that goes on as the border says: for REFLECT it bounces between its ends. */
static int bounce(int i, int n, ann_border border) {
    if (border == ANN_BORDER_EDGE) return i < 0 ? 0 : i >= n ? n - 1 : i;
    while (border == ANN_BORDER_REFLECT && n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * (n - 1) - i;
    if (border == ANN_BORDER_REFLECT && n == 1) return 0;
    return i;
}
static double outside(const picture *in, int y, int x, int c, ann_border border, double fill) {
    y = bounce(y, in->h, border);
    x = bounce(x, in->w, border);
    return y < 0 || y >= in->h || x < 0 || x >= in->w ? fill : at(in, y, x, c);
}

static void shift(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    const int dx = (int)(uniform(d, 1) * (double)(2 * op->pixels[1] + 1)) - (int)op->pixels[1];
    const int dy = (int)(uniform(d, 2) * (double)(2 * op->pixels[0] + 1)) - (int)op->pixels[0];
    for (int i = 0; i < in->h * in->w * in->c; i++)
        out->v[i] =
            outside(in, i / in->c / in->w + dy, i / in->c % in->w + dx, i % in->c, op->border, op->fill);
}

static double bilinear(const picture *in, double y, double x, int c, ann_border border, double fill) {
    const int y0 = (int)floor(y), x0 = (int)floor(x);
    const double fy = y - y0, fx = x - x0;
    const double top =
        (1 - fx) * outside(in, y0, x0, c, border, fill) + fx * outside(in, y0, x0 + 1, c, border, fill);
    const double low = (1 - fx) * outside(in, y0 + 1, x0, c, border, fill) +
                       fx * outside(in, y0 + 1, x0 + 1, c, border, fill);
    return (1 - fy) * top + fy * low;
}

static void resized_crop(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    int h = 0, w = 0, top = -1, left = -1;
    for (int i = 0; i < 10 && top < 0; i++) {
        const double area = between(d, 1 + 4 * i, op->scale[0], op->scale[1]) * in->h * in->w;
        const double ratio = op->ratio[0] * pow(op->ratio[1] / op->ratio[0], uniform(d, 2 + 4 * i));
        w = (int)lround(sqrt(area * ratio));
        h = (int)lround(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > in->w || h > in->h) continue;
        top = (int)(uniform(d, 3 + 4 * i) * (in->h - h + 1));
        left = (int)(uniform(d, 4 + 4 * i) * (in->w - w + 1));
    }
    if (top < 0) {
        const double have = (double)in->w / in->h;
        w = have > op->ratio[1] ? (int)lround(in->h * op->ratio[1]) : in->w;
        h = have < op->ratio[0] ? (int)lround(in->w / op->ratio[0]) : in->h;
        top = (in->h - h) / 2;
        left = (in->w - w) / 2;
    }
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        const int x = i / in->c % in->w, y = i / in->c / in->w;
        out->v[i] = bilinear(in, top + (y + 0.5) * h / in->h - 0.5, left + (x + 0.5) * w / in->w - 0.5,
                             i % in->c, ANN_BORDER_EDGE, 0);
    }
}

/* Rotation by `angle` counter-clockwise as seen (y points down), then enlarged by `zoom`; both about the
 * centre. */
static void turn(picture *out, const picture *in, double angle, double zoom, ann_border border, double fill) {
    const double cx = (in->w - 1) / 2.0, cy = (in->h - 1) / 2.0;
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        const double x = (i / in->c % in->w - cx) / zoom,
                     y = -(i / in->c / in->w - cy) / zoom; /* y upwards */
        const double from_x = x * cos(-angle) - y * sin(-angle), from_y = x * sin(-angle) + y * cos(-angle);
        out->v[i] = bilinear(in, cy - from_y, cx + from_x, i % in->c, border, fill);
    }
}
static double drawn_angle(const ann_augment_op *op, draws d) {
    return acos(-1) / 180 * between(d, 1, -op->degrees, op->degrees);
}
static void rotate(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    turn(out, in, drawn_angle(op, d), 1, op->border, op->fill);
}
static void zoom(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    turn(out, in, 0, between(d, 1, op->scale[0], op->scale[1]), op->border, op->fill);
}

static double grey(const picture *p, int i) {
    return p->c == 1 ? p->v[i] : 0.2989 * p->v[3 * i] + 0.587 * p->v[3 * i + 1] + 0.114 * p->v[3 * i + 2];
}
static void scale_by(picture *p, double f) {
    for (int i = 0; i < p->h * p->w * p->c; i++) p->v[i] = clamp01(p->v[i] * f);
}
static void stretch_by(picture *p, double f) {
    double mean = 0;
    for (int i = 0; i < p->h * p->w; i++) mean += grey(p, i) / (p->h * p->w);
    for (int i = 0; i < p->h * p->w * p->c; i++) p->v[i] = clamp01(f * p->v[i] + (1 - f) * mean);
}
static void brightness(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    *out = *in;
    scale_by(out, factor(d, 1, op->brightness));
}
static void contrast(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    *out = *in;
    stretch_by(out, factor(d, 1, op->contrast));
}

/* Foley, van Dam et al., Computer Graphics, figures 13.33 and 13.34. */
static void turn_hue(double rgb[3], double turns) {
    const double r = rgb[0], g = rgb[1], b = rgb[2], v = fmax(r, fmax(g, b)), delta = v - fmin(r, fmin(g, b));
    if (delta == 0) return;
    double h = (r == v ? (g - b) / delta : g == v ? 2 + (b - r) / delta : 4 + (r - g) / delta) / 6 + turns;
    h = 6 * (h - floor(h));
    const int sextant = (int)h % 6;
    const double s = delta / v, f = h - floor(h), p = v * (1 - s), q = v * (1 - s * f),
                 t = v * (1 - s * (1 - f));
    const double table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
    memcpy(rgb, table[sextant], sizeof table[sextant]);
}

static void jitter(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    *out = *in;
    scale_by(out, factor(d, 1, op->brightness));
    stretch_by(out, factor(d, 2, op->contrast));
    if (in->c == 1) return;
    const double f = factor(d, 3, op->saturation), turns = between(d, 4, -op->hue, op->hue);
    for (int i = 0; i < in->h * in->w; i++) {
        const double g = grey(out, i);
        for (int c = 0; c < 3; c++) out->v[3 * i + c] = clamp01(f * out->v[3 * i + c] + (1 - f) * g);
        turn_hue(out->v + 3 * i, turns);
    }
}

static void grayscale(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    (void)op, (void)d;
    for (int i = 0; i < in->h * in->w * 3; i++) out->v[i] = grey(in, i / 3);
}

static const ann_colour_pca pca = {{0.4, 0.2, 0.1}, {{0.6, 0.64, 0.48}, {0.8, -0.48, -0.36}, {0, -0.6, 0.8}}};

static void pca_colour(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    for (int i = 0; i < in->h * in->w * 3; i++) {
        double v = in->v[i];
        for (int k = 0; k < 3; k++) {
            const double z = ann_random_normal(d.key, ANN_STREAM_AUGMENT, d.sample, (uint64_t)(1 + k));
            v += pca.component[k][i % 3] * pca.deviation[k] * op->sigma * z;
        }
        out->v[i] = clamp01(v);
    }
}

/* Elements are numbered channel by channel. */
static int64_t number_of(const picture *p, int i) { return i % p->c * (int64_t)(p->h * p->w) + i / p->c; }

/* Of each 64 numbers, i and i + 32 are a pair of Box and Muller's. */
static void gaussian(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        const int64_t n = number_of(in, i), first = n / 64 * 64 + n % 32;
        const double u = element(d, first) + 0x1p-24, t = 2 * acos(-1) * element(d, first + 32);
        out->v[i] = in->v[i] + op->sigma * sqrt(-2 * log(u)) * (n % 64 < 32 ? cos(t) : sin(t));
    }
}
static void mask(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    for (int i = 0; i < in->h * in->w * in->c; i++)
        out->v[i] = element(d, number_of(in, i)) < op->fraction ? 0 : in->v[i];
}
static void salt_pepper(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        const double u = element(d, i / in->c);
        out->v[i] = u < op->fraction / 2 ? 0 : u < op->fraction ? 1 : in->v[i];
    }
}

static void erase(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    *out = *in;
    for (int i = 0; i < 10; i++) {
        const double area = between(d, 1 + 4 * i, op->scale[0], op->scale[1]) * in->h * in->w;
        const double ratio = op->ratio[0] * pow(op->ratio[1] / op->ratio[0], uniform(d, 2 + 4 * i));
        const int w = (int)lround(sqrt(area * ratio)), h = (int)lround(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > in->w || h > in->h) continue;
        const int top = (int)(uniform(d, 3 + 4 * i) * (in->h - h + 1));
        const int left = (int)(uniform(d, 4 + 4 * i) * (in->w - w + 1));
        for (int c = 0; c < in->c; c++)
            for (int k = 0; k < h * w; k++)
                out->v[((top + k / w) * in->w + left + k % w) * in->c + c] =
                    op->random_fill ? element(d, c * h * w + k) : op->fill;
        return;
    }
}

static void blur(picture *out, const picture *in, const ann_augment_op *op, draws d) {
    const double sigma = between(d, 1, op->blur[0], op->blur[1]);
    const int radius = (int)ceil(3 * sigma);
    for (int i = 0; i < in->h * in->w * in->c; i++) {
        double sum = 0, weights = 0;
        for (int dy = -radius; dy <= radius; dy++)
            for (int dx = -radius; dx <= radius; dx++) {
                const double weight = exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
                weights += weight;
                sum += weight * outside(in, i / in->c / in->w + dy, i / in->c % in->w + dx, i % in->c,
                                        ANN_BORDER_REFLECT, 0);
            }
        out->v[i] = sum / weights;
    }
}

/* ---- running ---- */

static ann_augment *make(const ann_augment_op *ops, int count, ann_dtype dtype, ann_shape shape) {
    const ann_augment_options o = {
        .seed = SEED, .dtype = dtype, .shape = shape, .ops = ops, .op_count = count, .pca = &pca};
    ann_augment *augment;
    check_ok(ann_augment_new(&augment, &o));
    assert_true(ann_augment_scratch_bytes(augment) <= SCRATCH_BYTES);
    return augment;
}

/* A picture whose values are multiples of 1/255, with pixels of equal channels among them. */
static picture make_picture(int h, int w, int c, int64_t sample) {
    picture p = {.h = h, .w = w, .c = c};
    for (int i = 0; i < h * w * c; i++)
        p.v[i] = ann_random_u32(5, 0, (uint64_t)sample, (uint64_t)(i / c % 5 == 0 ? i / c : i)) % 256 / 255.0;
    return p;
}

static void apply(picture *p, const ann_augment *augment, ann_dtype dtype, int64_t sample, int view) {
    _Alignas(64) char scratch[SCRATCH_BYTES];
    uint8_t u8[MAX_ELEMS];
    float f32[MAX_ELEMS];
    const int n = p->h * p->w * p->c;
    for (int i = 0; i < n; i++) {
        u8[i] = (uint8_t)lround(255 * p->v[i]);
        f32[i] = (float)p->v[i];
    }
    ann_augment_apply(augment, dtype == ANN_U8 ? (void *)u8 : f32, EPOCH, sample, view, scratch);
    for (int i = 0; i < n; i++) p->v[i] = dtype == ANN_U8 ? u8[i] / 255.0 : (double)f32[i];
}

/* u8: half a step of rounding, and what the f32 arithmetic may be off. */
static void check_picture(const picture *got, const picture *want, ann_dtype dtype, int64_t sample) {
    for (int i = 0; i < got->h * got->w * got->c; i++) {
        const double expected = dtype == ANN_U8 ? clamp01(want->v[i]) : want->v[i];
        const double allowed = tolerance * fmax(1, fabs(expected)) + (dtype == ANN_U8 ? 0.5 / 255 : 0);
        if (fabs(got->v[i] - expected) <= allowed) continue;
        fail_msg("%s %dx%dx%d, sample %d, element %d: %.9g, wanted %.9g", ann_dtype_name(dtype), got->h,
                 got->w, got->c, (int)sample, i, got->v[i], expected);
    }
}

/* The op, in second place behind one that does nothing, against its formula. */
static void check_op(ann_augment_op op, formula *direct, bool needs_colour) {
    static const int sizes[][2] = {{5, 7}, {8, 8}, {6, 2}, {1, 9}};
    const ann_augment_op ops[] = {{.kind = ANN_AUGMENT_MASK, .p = 0, .fraction = 1}, op};
    for (int s = 0; s < 4; s++)
        for (int c = needs_colour ? 3 : 1; c <= 3; c += 2)
            for (int f = 0; f < 2; f++) {
                const ann_dtype dtype = f ? ANN_F32 : ANN_U8;
                ann_augment *augment = make(ops, 2, dtype, ANN_SHAPE(sizes[s][0], sizes[s][1], c));
                for (int64_t sample = 0; sample < 50; sample++) {
                    const picture in = make_picture(sizes[s][0], sizes[s][1], c, sample);
                    picture want = in, got = in;
                    direct(&want, &in, &op, draws_of(sample, 1, 1));
                    apply(&got, augment, dtype, sample, 1);
                    check_picture(&got, &want, dtype, sample);
                }
                ann_augment_free(augment);
            }
}

static void ops_of_geometry(void **state) {
    (void)state;
    check_op((ann_augment_op){.kind = ANN_AUGMENT_FLIP, .horizontal = 0.5, .vertical = 0.3}, flip, false);
    for (int b = ANN_BORDER_FILL; b <= ANN_BORDER_REFLECT; b++) {
        const ann_border border = (ann_border)b;
        check_op(
            (ann_augment_op){
                .kind = ANN_AUGMENT_SHIFT, .p = 1, .pixels = {3, 11}, .border = border, .fill = 0.25},
            shift, false);
        check_op((ann_augment_op){.kind = ANN_AUGMENT_CROP, .p = 1, .pixels = {2, 2}, .border = border},
                 shift, false);
        check_op(
            (ann_augment_op){
                .kind = ANN_AUGMENT_ROTATE, .p = 1, .degrees = 180, .border = border, .fill = 0.5},
            rotate, false);
        check_op(
            (ann_augment_op){
                .kind = ANN_AUGMENT_ZOOM, .p = 1, .scale = {0.3, 2.5}, .border = border, .fill = 1},
            zoom, false);
    }
    check_op(
        (ann_augment_op){
            .kind = ANN_AUGMENT_RESIZED_CROP, .p = 1, .scale = {0.08, 1}, .ratio = {0.75, 4.0 / 3}},
        resized_crop, false);
    /* No window of nearly all of the area is three times as wide as high: the central one. */
    check_op((ann_augment_op){.kind = ANN_AUGMENT_RESIZED_CROP, .p = 1, .scale = {0.99, 1}, .ratio = {3, 3}},
             resized_crop, false);
}

static void ops_of_colour(void **state) {
    (void)state;
    check_op((ann_augment_op){.kind = ANN_AUGMENT_BRIGHTNESS, .p = 1, .brightness = 1.5}, brightness, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_CONTRAST, .p = 1, .contrast = 0.8}, contrast, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_JITTER, .p = 1, .brightness = 0.4, .contrast = 0.4}, jitter,
             false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_JITTER,
                              .p = 1,
                              .brightness = 0.4,
                              .contrast = 0.3,
                              .saturation = 1.2,
                              .hue = 0.5},
             jitter, true);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_JITTER, .p = 1, .hue = 0.1}, jitter, true);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_GRAYSCALE, .p = 1}, grayscale, true);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_PCA_COLOUR, .p = 1, .sigma = 0.3}, pca_colour, true);
}

static void ops_of_noise(void **state) {
    (void)state;
    check_op((ann_augment_op){.kind = ANN_AUGMENT_GAUSSIAN, .p = 1, .sigma = 0.2}, gaussian, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_MASK, .p = 1, .fraction = 0.4}, mask, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_SALT_PEPPER, .p = 1, .fraction = 0.3}, salt_pepper, false);
}

static void ops_of_regions(void **state) {
    (void)state;
    check_op((ann_augment_op){.kind = ANN_AUGMENT_ERASE,
                              .p = 1,
                              .scale = {0.02, 0.4},
                              .ratio = {0.3, 3.3},
                              .random_fill = true},
             erase, false);
    check_op(
        (ann_augment_op){
            .kind = ANN_AUGMENT_ERASE, .p = 1, .scale = {0.1, 0.9}, .ratio = {0.5, 2}, .fill = 0.75},
        erase, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_BLUR, .p = 1, .blur = {0.1, 2}}, blur, false);
    check_op((ann_augment_op){.kind = ANN_AUGMENT_BLUR, .p = 1, .blur = {4, 6}}, blur, false);
}

/* ---- several ops ---- */

/* What a shift takes out of the image comes back with the opposite one, and a turn is interpolated once. */
static void geometry_is_composed(void **state) {
    (void)state;
    const ann_augment_op ops[] = {
        {.kind = ANN_AUGMENT_FLIP, .horizontal = 0.5},
        {.kind = ANN_AUGMENT_ROTATE, .p = 1, .degrees = 40, .fill = 0.5},
        {.kind = ANN_AUGMENT_ZOOM, .p = 1, .scale = {0.5, 2}, .fill = 0.5},
    };
    ann_augment *augment = make(ops, 3, ANN_F32, ANN_SHAPE(8, 9, 3));
    for (int64_t sample = 0; sample < 50; sample++) {
        const picture in = make_picture(8, 9, 3, sample);
        picture flipped = in, want = in, got = in;
        flip(&flipped, &in, &ops[0], draws_of(sample, 0, 0));
        turn(&want, &flipped, drawn_angle(&ops[1], draws_of(sample, 0, 1)),
             between(draws_of(sample, 0, 2), 1, 0.5, 2), ANN_BORDER_FILL, 0.5);
        apply(&got, augment, ANN_F32, sample, 0);
        check_picture(&got, &want, ANN_F32, sample);
    }
    ann_augment_free(augment);
}

/* Two ops whose borders differ are done one after the other. */
static void borders_are_kept_apart(void **state) {
    (void)state;
    const ann_augment_op ops[] = {
        {.kind = ANN_AUGMENT_SHIFT, .p = 1, .pixels = {2, 2}, .fill = 1},
        {.kind = ANN_AUGMENT_CROP, .p = 1, .pixels = {2, 3}, .border = ANN_BORDER_REFLECT},
        {.kind = ANN_AUGMENT_BRIGHTNESS, .p = 1, .brightness = 0.5},
    };
    ann_augment *augment = make(ops, 3, ANN_U8, ANN_SHAPE(6, 7, 1));
    for (int64_t sample = 0; sample < 50; sample++) {
        const picture in = make_picture(6, 7, 1, sample);
        picture a = in, b = in, want = in, got = in;
        shift(&a, &in, &ops[0], draws_of(sample, 0, 0));
        shift(&b, &a, &ops[1], draws_of(sample, 0, 1));
        brightness(&want, &b, &ops[2], draws_of(sample, 0, 2));
        apply(&got, augment, ANN_U8, sample, 0);
        check_picture(&got, &want, ANN_U8, sample);
    }
    ann_augment_free(augment);
}

static const ann_augment_op nothing[] = {
    {.kind = ANN_AUGMENT_FLIP},
    {.kind = ANN_AUGMENT_SHIFT, .p = 1},
    {.kind = ANN_AUGMENT_CROP, .p = 1, .border = ANN_BORDER_REFLECT},
    {.kind = ANN_AUGMENT_RESIZED_CROP, .p = 1, .scale = {1, 1}, .ratio = {1, 1}},
    {.kind = ANN_AUGMENT_ROTATE, .p = 1},
    {.kind = ANN_AUGMENT_ZOOM, .p = 1, .scale = {1, 1}},
    {.kind = ANN_AUGMENT_BRIGHTNESS, .p = 1},
    {.kind = ANN_AUGMENT_CONTRAST, .p = 1},
    {.kind = ANN_AUGMENT_JITTER, .p = 1},
    {.kind = ANN_AUGMENT_GRAYSCALE},
    {.kind = ANN_AUGMENT_PCA_COLOUR, .p = 1},
    {.kind = ANN_AUGMENT_GAUSSIAN, .p = 1},
    {.kind = ANN_AUGMENT_MASK, .p = 1},
    {.kind = ANN_AUGMENT_SALT_PEPPER, .p = 1},
    {.kind = ANN_AUGMENT_ERASE, .scale = {0.5, 0.5}, .ratio = {1, 1}},
    {.kind = ANN_AUGMENT_BLUR, .p = 1},
};
enum { NOTHINGS = sizeof nothing / sizeof nothing[0] };

/* Not a bit changes, by each op alone and by all of them. */
static void strength_zero_changes_nothing(void **state) {
    (void)state;
    const picture in = make_picture(8, 8, 3, 1);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i <= NOTHINGS; i++) {
            const bool all = i == NOTHINGS;
            ann_augment *augment = make(all ? nothing : &nothing[i], all ? NOTHINGS : 1, f ? ANN_F32 : ANN_U8,
                                        ANN_SHAPE(8, 8, 3));
            picture got = in;
            apply(&got, augment, f ? ANN_F32 : ANN_U8, i, 0);
            for (int e = 0; e < 8 * 8 * 3; e++)
                if (f ? (float)got.v[e] != (float)in.v[e] : got.v[e] != in.v[e])
                    fail_msg("%s changes element %d", all ? "all" : ann_augment_kind_name(nothing[i].kind),
                             e);
            ann_augment_free(augment);
        }
}

/* ---- draws ---- */

static const ann_augment_op list[] = {
    {.kind = ANN_AUGMENT_FLIP, .horizontal = 0.5},
    {.kind = ANN_AUGMENT_CROP, .p = 1, .pixels = {2, 2}, .border = ANN_BORDER_REFLECT},
    {.kind = ANN_AUGMENT_JITTER, .p = 0.8, .brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1},
    {.kind = ANN_AUGMENT_ERASE, .p = 0.5, .scale = {0.1, 0.3}, .ratio = {0.5, 2}, .random_fill = true},
    {.kind = ANN_AUGMENT_GAUSSIAN, .p = 1, .sigma = 0.05},
};
enum { LIST = sizeof list / sizeof list[0], MANY = 200, THREADS = 4 };

typedef struct worker {
    const ann_augment *augment;
    picture *out;
    int first, step, count;
} worker;

/* The same samples in another order, each thread some of them. */
static void *work(void *argument) {
    const worker *w = argument;
    for (int i = 0; i < w->count; i++) {
        const int sample = (w->first + i * w->step) % MANY;
        w->out[sample] = make_picture(8, 8, 3, sample);
        apply(&w->out[sample], w->augment, ANN_F32, sample, 0);
    }
    return NULL;
}

static bool same(const picture *a, const picture *b) { return memcmp(a->v, b->v, sizeof a->v) == 0; }

static void order_and_threads_do_not_matter(void **state) {
    (void)state;
    ann_augment *augment = make(list, LIST, ANN_F32, ANN_SHAPE(8, 8, 3));
    picture *one = calloc(MANY, sizeof *one), *many = calloc(MANY, sizeof *many);
    assert_true(one && many);
    pthread_t threads[THREADS];
    worker workers[THREADS], alone = {augment, one, 0, 1, MANY};
    work(&alone);
    for (int t = 0; t < THREADS; t++) { /* backwards, and interleaved */
        workers[t] = (worker){augment, many, MANY - 1 - t, MANY - THREADS, MANY / THREADS};
        assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    for (int i = 0; i < MANY; i++) assert_true(same(&one[i], &many[i]));
    free(one);
    free(many);
    ann_augment_free(augment);
}

/* A sample's version changes with each part of the key, and with nothing else. */
static void key_decides(void **state) {
    (void)state;
    ann_augment *augment = make(list, LIST, ANN_F32, ANN_SHAPE(8, 8, 3));
    _Alignas(64) char scratch[SCRATCH_BYTES];
    static const struct {
        int64_t epoch, sample;
        int view;
    } keys[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1LL << 33, 0, 0}, {0, 1LL << 33, 0}, {0, 0, 0}};
    float out[7][192];
    for (int k = 0; k < 7; k++) {
        for (int i = 0; i < 192; i++) out[k][i] = (float)i / 191;
        ann_augment_apply(augment, out[k], keys[k].epoch, keys[k].sample, keys[k].view, scratch);
    }
    for (int a = 0; a < 7; a++)
        for (int b = 0; b < a; b++)
            assert_int_equal(memcmp(out[a], out[b], sizeof out[a]) == 0, a == 6 && b == 0);
    ann_augment_free(augment);
}

/* The place of a pixel of value 1 in an otherwise black picture tells the shift. Counts of all shifts, of
 * both sides of a flip, of ops that are applied with p: each within 5 deviations of a binomial number's mean.
 */
static void check_count(int64_t count, int64_t trials, double p) {
    assert_true(fabs((double)count - (double)trials * p) <= 5 * sqrt((double)trials * p * (1 - p)));
}

static void draws_have_their_distribution(void **state) {
    (void)state;
    enum { TRIALS = 20000 };
    static const ann_augment_op ops[] = {{.kind = ANN_AUGMENT_SHIFT, .p = 0.7, .pixels = {1, 2}},
                                         {.kind = ANN_AUGMENT_GAUSSIAN, .p = 0.25, .sigma = 0.01}};
    ann_augment *augment = make(ops, 2, ANN_F32, ANN_SHAPE(5, 7, 1));
    _Alignas(64) char scratch[SCRATCH_BYTES];
    int64_t places[5][7] = {{0}}, noisy = 0;
    double sum = 0, squares = 0, n = 0;
    for (int64_t s = 0; s < TRIALS; s++) {
        float x[35] = {[2 * 7 + 3] = 1};
        ann_augment_apply(augment, x, EPOCH, s, 0, scratch);
        int most = 0;
        for (int i = 1; i < 35; i++)
            if (x[i] > x[most]) most = i;
        places[most / 7][most % 7]++;
        if (x[(most + 1) % 35] == 0) continue;
        noisy++;
        for (int i = 0; i < 35; i++) {
            const double z = ((double)x[i] - (i == most)) / 0.01;
            sum += z;
            squares += z * z;
            n++;
        }
    }
    check_count(noisy, TRIALS, 0.25);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 7; x++) {
            const bool inside = y >= 1 && y <= 3 && x >= 1 && x <= 5, still = y == 2 && x == 3;
            check_count(places[y][x], TRIALS, inside ? 0.7 / 15 + (still ? 0.3 : 0) : 0);
        }
    assert_true(fabs(sum / n) <= 5 / sqrt(n));
    assert_true(fabs(squares / n - 1) <= 5 * sqrt(2 / n));
    ann_augment_free(augment);
}

/* ---- shapes and errors ---- */

static void noise_on_any_shape(void **state) {
    (void)state;
    static const ann_augment_op op = {.kind = ANN_AUGMENT_MASK, .p = 1, .fraction = 0.5};
    ann_augment *augment = make(&op, 1, ANN_F32, ANN_SHAPE(100));
    _Alignas(64) char scratch[SCRATCH_BYTES];
    float x[100];
    for (int i = 0; i < 100; i++) x[i] = -7;
    ann_augment_apply(augment, x, EPOCH, 1, 0, scratch);
    for (int i = 0; i < 100; i++) assert_true(x[i] == (element(draws_of(1, 0, 0), i) < 0.5 ? 0 : -7));
    ann_augment_free(augment);
}

static void check_refused(ann_augment_op op, ann_shape shape, ann_dtype dtype, const char *words) {
    const ann_augment_op ops[] = {op, {.kind = ANN_AUGMENT_MASK, .p = 1}};
    const ann_augment_options o = {.dtype = dtype, .shape = shape, .ops = ops, .op_count = 2};
    ann_augment *augment;
    assert_int_equal(ann_augment_new(&augment, &o), ANN_ERR_ARG);
    assert_null(augment);
    if (!strstr(ann_error_text(), words)) fail_msg("\"%s\", wanted \"%s\"", ann_error_text(), words);
}

static void what_is_refused(void **state) {
    (void)state;
    const ann_shape image = ANN_SHAPE(8, 8, 1);
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_FLIP}, ANN_SHAPE(64), ANN_U8,
                  "flip: needs images [H, W, C]");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_GRAYSCALE}, image, ANN_U8,
                  "grayscale: needs images of 3 channels");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_JITTER, .hue = 0.1}, image, ANN_U8,
                  "jitter: needs images of 3");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_PCA_COLOUR}, ANN_SHAPE(8, 8, 3), ANN_U8,
                  "principal components");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_MIXUP, .p = 1, .alpha = 1}, image, ANN_U8,
                  "mixup: is the last");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_MASK}, image, ANN_I32,
                  "x is i32, accepted are u8 and f32");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_MASK, .p = 1.5}, image, ANN_U8,
                  "mask: p is from 0 to 1");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_MASK, .p = NAN}, image, ANN_U8,
                  "mask: p is from 0 to 1");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_BLUR, .blur = {2, 1}}, image, ANN_U8,
                  "blur: sigma is a range");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_ZOOM, .scale = {0, 1}}, image, ANN_U8,
                  "zoom: scale is a range");
    check_refused((ann_augment_op){.kind = ANN_AUGMENT_KIND_COUNT}, image, ANN_U8, "there is no op 17");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_of_geometry),
        cmocka_unit_test(ops_of_colour),
        cmocka_unit_test(ops_of_noise),
        cmocka_unit_test(ops_of_regions),
        cmocka_unit_test(geometry_is_composed),
        cmocka_unit_test(borders_are_kept_apart),
        cmocka_unit_test(strength_zero_changes_nothing),
        cmocka_unit_test(order_and_threads_do_not_matter),
        cmocka_unit_test(key_decides),
        cmocka_unit_test(draws_have_their_distribution),
        cmocka_unit_test(noise_on_any_shape),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
