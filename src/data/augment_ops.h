/* What the files of augmentation share: the image being worked on, and its draws. Private to augment*.c and
   transform*.c, which uses the same kernels. */
#ifndef ANN_DATA_AUGMENT_OPS_H
#define ANN_DATA_AUGMENT_OPS_H

#include "base/philox.h"
#include "data/augment.h"

enum { ANNI_AUGMENT_MAX_CHANNELS = 64, ANNI_BLUR_MAX = 10 /* pixels of deviation */ };

struct ann_augment {
    uint64_t seed;
    ann_dtype dtype;
    ann_shape shape;
    int64_t channels, height, width; /* a sample that is no image has one row of one channel */
    ann_colour_pca pca;
    double mixup_p, mixup_alpha; /* alpha 0: no mixup */
    int op_count;                /* without it */
    ann_augment_op ops[];
};

/* Is it for samples of this kind? */
bool anni_augment_fits(const ann_augment *augment, ann_dtype dtype, const ann_shape *shape);

/* One sample as f32, channel by channel: element (c, y, x) is now[c * pixels + y * width + x]. Ops that
 * cannot work in place write to `spare` and swap the two. */
typedef struct anni_image {
    int64_t channels, height, width, pixels;
    float *now, *spare;
} anni_image;

/* Bytes of one of its planes, a multiple of ANN_ALIGN_BYTES. */
size_t anni_image_bytes(int64_t channels, int64_t height, int64_t width);
/* An image in memory of two planes. */
anni_image anni_image_in(void *planes, int64_t channels, int64_t height, int64_t width);
/* From and to u8 [H, W, C], of which 255 stands for 1; what is outside of 0..1 is cut, and rounded to the
 * nearest. */
void anni_image_load_u8(anni_image *image, const uint8_t *in);
void anni_image_store_u8(uint8_t *out, const anni_image *image);

static inline void anni_image_swap(anni_image *image) {
    float *now = image->now;
    image->now = image->spare;
    image->spare = now;
}

static inline float anni_clamp01(float x) { return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x; }

/* The draws of one op for one view of one sample. */
typedef struct anni_draws {
    uint64_t key, sample;
} anni_draws;

/* Numbered draws of an op: 0 decides whether it is applied; its own are 1, 2, ... */
enum { ANNI_DRAW_APPLY = 0, ANNI_DRAW_FIRST = 1 };

/* Uniform in [0, 1). */
static inline double anni_draw(const anni_draws *d, unsigned i) {
    return ann_random_uniform(d->key, ANN_STREAM_AUGMENT, d->sample, i);
}
static inline double anni_draw_normal(const anni_draws *d, unsigned i) {
    return ann_random_normal(d->key, ANN_STREAM_AUGMENT, d->sample, i);
}
/* Uniform in [low, high). */
static inline double anni_draw_between(const anni_draws *d, unsigned i, double low, double high) {
    return low + (high - low) * anni_draw(d, i);
}
static inline double anni_draw_factor(const anni_draws *d, unsigned i, double strength) {
    return anni_draw_between(d, i, strength < 1 ? 1 - strength : 0, 1 + strength);
}
/* Uniform in 0..n-1. */
static inline int64_t anni_draw_below(const anni_draws *d, unsigned i, int64_t n) {
    return (int64_t)(anni_draw(d, i) * (double)n);
}

enum { ANNI_ELEMENT_DRAWS = 64 };
/* Words first..first+63 of the draws per element; first is a multiple of 4. */
void anni_draw_elements(uint32_t words[ANNI_ELEMENT_DRAWS], const anni_draws *d, int64_t first);

/* Height and width of a window of share `area` of the image and of aspect w / h `ratio`, whole pixels. */
void anni_window_size(int64_t *h, int64_t *w, const anni_image *image, double area, double ratio);
/* Mirror image of coordinate i about the first and the last of n pixels. */
static inline int64_t anni_reflect(int64_t i, int64_t n) {
    if (n == 1) return 0;
    const int64_t period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

/* ---- augment_geometry.c ---- */

/* Where an output pixel (x, y) comes from: m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]. */
typedef struct anni_affine {
    double m[6];
} anni_affine;

#define ANNI_AFFINE_IDENTITY ((anni_affine){{1, 0, 0, 0, 1, 0}})

bool anni_is_geometry(ann_augment_kind kind);
/* Can `next` join the resampling whose border is that of `group`, an op of geometry? FLIP joins any. */
bool anni_joins(const ann_augment_op *group, const ann_augment_op *next);
/* Puts the op behind those that `map` stands for. */
void anni_geometry_draw(anni_affine *map, const ann_augment_op *op, const anni_image *image,
                        const anni_draws *d);
/* Counter-clockwise about the centre. */
anni_affine anni_rotation(const anni_image *image, double degrees);
/* `group` says what lies outside. */
void anni_resample(anni_image *image, const anni_affine *map, const ann_augment_op *group);

/* ---- the other ops: each works on the image alone ---- */

typedef void anni_augment_fn(anni_image *image, const ann_augment_op *op, const ann_colour_pca *pca,
                             const anni_draws *d);

anni_augment_fn anni_brightness, anni_contrast, anni_jitter, anni_grayscale, anni_pca_colour; /* _colour.c */
anni_augment_fn anni_gaussian, anni_mask, anni_salt_pepper;                                   /* _noise.c */
anni_augment_fn anni_erase, anni_blur;                                                        /* _region.c */

/* What some of them do once they have drawn. */
void anni_brighten(anni_image *image, float factor); /* of brightness */
void anni_blur_by(anni_image *image, double sigma);  /* 0..ANNI_BLUR_MAX pixels */

#endif
