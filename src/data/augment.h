/* Augmentation of the field "x" on the ranks, while it is loaded.

   An augmentation is a list of ops that are applied to one sample in the order of the list, each with its own
   probability. Nothing has state: every number that is drawn is Philox of (seed; epoch, view, place of the op
   in the list, sample, element). So the same sample at the same epoch is augmented the same way on any number
   of ranks and threads, in any order of calls, and after any resume; on processors of different kinds up to
   what their mathematical functions (sine, logarithm ...) differ by in the last bit.

   Images are [H, W, C], u8 or f32, with intensities from 0 to 1 (u8: 0 to 255 stand for 0 to 1). A sample is
   worked on in f32 and rounded once at the end, so a u8 image is kept within 0 to 1, and a f32 image by those
   ops that say so. An op of strength 0 changes no bit of an image
   within 0 to 1. Neighbouring ops of geometry that treat what lies outside of the image alike are composed
   into one resampling: the image is interpolated once, and what one of them moves out another may bring back.
   Steps by whole pixels (flip, shift, crop) copy and do not interpolate. Coordinates are those of pixel
   centres. */
#ifndef ANN_DATA_AUGMENT_H
#define ANN_DATA_AUGMENT_H

#include "tensor/tensor.h"

typedef enum ann_augment_kind {
    /* geometry, on images */
    ANN_AUGMENT_FLIP,  /* mirrors, left to right with probability `horizontal`, top to bottom with `vertical`
                        */
    ANN_AUGMENT_SHIFT, /* by whole pixels, uniform in -pixels..pixels */
    ANN_AUGMENT_CROP,  /* a window of the image's size out of the image padded by `pixels`: the same draw as
                          SHIFT */
    ANN_AUGMENT_RESIZED_CROP, /* a window of `scale` of the area and aspect `ratio` (log-uniform), resized to
                                 the image's size (Szegedy et al. 2015; up to 10 tries to fit in, then the
                                 largest central one) */
    ANN_AUGMENT_ROTATE,       /* about the centre, uniform in -degrees..degrees, counter-clockwise */
    ANN_AUGMENT_ZOOM,         /* about the centre, by a factor uniform in `scale`; above 1 enlarges */
    /* colour, on images; the results are kept within 0..1. Definitions are torchvision's; factors are uniform
       in max(0, 1 - strength)..1 + strength, and grey is 0.2989 R + 0.587 G + 0.114 B, or the mean where
       there are not three channels */
    ANN_AUGMENT_BRIGHTNESS, /* x * factor */
    ANN_AUGMENT_CONTRAST,   /* x * factor + mean grey of the image * (1 - factor) */
    ANN_AUGMENT_JITTER, /* brightness, contrast, saturation (towards grey), hue (shift of -hue..hue turns), in
                           this order */
    ANN_AUGMENT_GRAYSCALE,  /* all three channels become grey */
    ANN_AUGMENT_PCA_COLOUR, /* adds, to each pixel of the image, the principal components of the training
                               set's colours, each times its standard deviation and a normal number of
                               deviation `sigma` (Krizhevsky et al. 2012, where the unit of the "eigenvalue"
                               is left open; deviations do not depend on it) */
    /* noise, on samples of any shape */
    ANN_AUGMENT_GAUSSIAN,    /* adds normal numbers of deviation `sigma` to the elements */
    ANN_AUGMENT_MASK,        /* sets each element to 0 with probability `fraction` (Vincent et al. 2010) */
    ANN_AUGMENT_SALT_PEPPER, /* sets each pixel with probability `fraction` to 0 or 1, evenly */
    /* regions, on images */
    ANN_AUGMENT_ERASE, /* a rectangle of `scale` of the area and aspect `ratio` (log-uniform) gets uniform
                          random values or `fill` (Zhong et al. 2017; up to 10 tries to fit in, then nothing)
                        */
    ANN_AUGMENT_BLUR,  /* convolution with a Gaussian of deviation uniform in `blur` pixels, cut at 3
                          deviations, mirrored at  the border (Chen et al. 2020) */
    /* pairs of samples */
    ANN_AUGMENT_MIXUP, /* see below; the last op */
    ANN_AUGMENT_KIND_COUNT
} ann_augment_kind;

/* What lies outside of an image. REFLECT: its mirror image about the outermost pixels (cb|abcd|cb). */
typedef enum ann_border { ANN_BORDER_FILL, ANN_BORDER_EDGE, ANN_BORDER_REFLECT } ann_border;

/* One op; the fields that its kind does not name are not read. */
typedef struct ann_augment_op {
    ann_augment_kind kind;
    double p; /* probability that the op is applied to a sample; not of FLIP */
    double horizontal, vertical;
    int64_t pixels[2]; /* h, w */
    ann_border border; /* SHIFT, CROP, ROTATE, ZOOM */
    double fill;       /* ... and ERASE */
    double scale[2], ratio[2];
    double degrees;
    double brightness, contrast, saturation, hue; /* strengths */
    double sigma, fraction;
    bool random_fill; /* ERASE */
    double blur[2];
    double alpha; /* MIXUP */
} ann_augment_op;

/* "flip", "shift", ... as in run files. */
const char *ann_augment_kind_name(ann_augment_kind kind);

/* The principal components of the colours of a data set. */
typedef struct ann_colour_pca {
    double deviation[3];    /* along each component, the largest first, for intensities of 0 to 1 */
    double component[3][3]; /* [i]: of length 1, the largest of its entries positive */
} ann_colour_pca;

/* From the training set: every pixel of up to 10,000 samples, sample i N / n for i = 0..n-1, so that all
   ranks get the same. x is [H, W, 3]. Errors: ANN_ERR_ARG (it is not), those of ann_dataset_read. Local. */
struct ann_dataset;
ann_status ann_colour_pca_measure(ann_colour_pca *out, const struct ann_dataset *dataset) ANN_MUST_CHECK;

#define ANN_AUGMENT_MAX_OPS 64

typedef struct ann_augment ann_augment;

typedef struct ann_augment_options {
    uint64_t seed;
    ann_dtype dtype; /* u8 or f32 */
    ann_shape shape; /* of one sample */
    const ann_augment_op *ops;
    int op_count;
    const ann_colour_pca *pca; /* for PCA_COLOUR */
} ann_augment_options;

/* All of the options is copied. Errors: ANN_ERR_ARG, "NAME: what it needs" (an op that does not fit the
 * shape, a parameter out of range), ANN_ERR_MEMORY. Local. */
ann_status ann_augment_new(ann_augment **out, const ann_augment_options *options) ANN_MUST_CHECK;
void ann_augment_free(ann_augment *augment);
/* What ann_augment_apply needs besides; one such block per thread, aligned to ANN_ALIGN_BYTES. */
size_t ann_augment_scratch_bytes(const ann_augment *augment);
/* Augments one sample in place, all ops but MIXUP. view: 0, 1, ... for independent versions of the same
 * sample. Local, thread-safe, allocates nothing. */
void ann_augment_apply(const ann_augment *augment, void *sample, int64_t epoch, int64_t sample_id, int view,
                       void *scratch);

/* ---- mixup (Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018) ----

   Each sample of a global batch has a partner, another or the same sample of that batch: their order is a
   keyed permutation of the batch. Both are augmented by themselves, then x = lambda x + (1 - lambda) partner,
   and the loss is lambda loss(y) + (1 - lambda) loss(y of the partner). lambda ~ Beta(alpha, alpha) is drawn
   for each sample. With lanes, the partner comes from the same lane's part of the batch. */

bool ann_augment_has_mixup(const ann_augment *augment);
/* The partner's position for `position` of the batch [first, first + count), and lambda; lambda is 1 for a
 * sample that stays as it is. Local, O(1). */
int64_t ann_mixup_partner(const ann_augment *augment, float *lambda, int64_t first, int64_t count, int lanes,
                          int64_t position);
/* x = lambda x + (1 - lambda) partner; u8: rounded to the nearest. */
void ann_mixup_blend(const ann_augment *augment, void *x, const void *partner, float lambda);

#endif
