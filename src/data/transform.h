/* A fixed change of images, by which a dataset of another domain is made (datasets/transform.c).

   A transform is a list of ops that are applied to a sample in the order of the list. Nothing has state: what
   an op draws is Philox of (seed; place of the op in the list, sample, element), so a sample becomes the same
   whatever else is transformed, in any order and on any number of threads. Samples are u8 [H, W, C], of which
   0..255 stands for intensities 0..1; all ops work in f32, and the result is cut to 0..1 and rounded once, at
   the end. Kernels, coordinates and borders are those of augmentation (data/augment.h). */
#ifndef ANN_DATA_TRANSFORM_H
#define ANN_DATA_TRANSFORM_H

#include "data/augment.h"

typedef enum ann_transform_kind {
    ANN_TRANSFORM_INVERT, /* v becomes 1 - v */
    /* Where the image is background it shows a texture, the same one in all channels:

           v becomes a v + (1 - a) t,   a = min(1, d / edge),   d = the channels' largest |v - background|

       t is value noise, drawn for each sample: n = sum over octaves o = 0, 1 ... of 2^-o n_o, where n_o has
       numbers uniform in 0..1 at the points of a square lattice that lies anywhere, cell / 2^o pixels wide,
       and between four of them blends with weights s(f) = f^2 (3 - 2 f). n is stretched so that its least
       value in the image is level[0] and its largest level[1]. */
    ANN_TRANSFORM_TEXTURE,
    ANN_TRANSFORM_BLUR,       /* with a Gaussian of deviation `sigma` pixels */
    ANN_TRANSFORM_BRIGHTNESS, /* v becomes min(1, factor v) */
    ANN_TRANSFORM_ROTATE,     /* by `degrees` about the centre, counter-clockwise */
    ANN_TRANSFORM_KIND_COUNT
} ann_transform_kind;

/* One op; the fields that its kind does not name are not read. Of [low, high] a number is drawn uniformly for
 * each sample. */
typedef struct ann_transform_op {
    ann_transform_kind kind;
    double level[2], background, edge, cell; /* TEXTURE; edge > 0, cell in pixels */
    int64_t octaves;
    double sigma[2];   /* BLUR: 0..10 */
    double factor[2];  /* BRIGHTNESS: 0..100 */
    double degrees[2]; /* ROTATE: -180..180 */
    ann_border border; /* ROTATE */
    double fill;
} ann_transform_op;

/* "invert", "texture" ... as in descriptors. */
const char *ann_transform_kind_name(ann_transform_kind kind);

#define ANN_TRANSFORM_MAX_OPS 64

typedef struct ann_transform ann_transform;

/* For samples of one shape [H, W, C], up to 4096 pixels a side and 64 channels. The ops are copied. Errors:
   ANN_ERR_ARG, "NAME: what it needs" (shape, a parameter out of range), ANN_ERR_MEMORY. Local. */
ann_status ann_transform_new(ann_transform **out, uint64_t seed, const ann_shape *shape,
                             const ann_transform_op *ops, int op_count) ANN_MUST_CHECK;
void ann_transform_free(ann_transform *transform);
/* What ann_transform_apply needs besides; one such block per thread, aligned to ANN_ALIGN_BYTES. */
size_t ann_transform_scratch_bytes(const ann_transform *transform);
/* Transforms one sample in place. Local, thread-safe, allocates nothing. */
void ann_transform_apply(const ann_transform *transform, uint8_t *sample, int64_t sample_id, void *scratch);

#endif
