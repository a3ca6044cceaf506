/* One image from a PNG or JPEG file, whatever is in it. Private to datasets/. */
#ifndef ANN_DATASETS_IMAGE_H
#define ANN_DATASETS_IMAGE_H

#include <stdint.h>
#include "base/mem.h"

enum { ANNI_IMAGE_MAX_SIDE = 1 << 15, ANNI_IMAGE_MAX_PIXELS = 1 << 26 };

typedef struct anni_image {
    int height, width, channels; /* 1 or 3; to be resized: any number */
    uint8_t *pixels;             /* [height, width, channels] */
    size_t room;                 /* of pixels; grows */
} anni_image;

/* Decodes to 1 channel (brightness) or 3 (red, green, blue). Palettes, 16 bits, interlacing, CMYK and
   progressive files are read; transparent parts are laid on black. pixels is used again from call to call.
   Errors: ANN_ERR_CORRUPT (neither PNG nor JPEG, damaged, truncated, too large), ANN_ERR_MEMORY; the text
   says what, without the file's name. Owner of pixels: the caller, free. */
ann_status anni_image_decode(anni_image *image, const uint8_t *bytes, size_t size,
                             int channels) ANN_MUST_CHECK;
/* A size to resize to; 0 x 0: none is wanted. Errors: ANN_ERR_ARG. */
ann_status anni_image_check_size(int height, int width) ANN_MUST_CHECK;
/* Resizes to out [height, width, channels], in each direction: where the image becomes smaller, a pixel is
   the mean over the part of the image that it covers; where it becomes larger, it lies between its neighbours
   (bilinear). In integers: the same on every machine. Errors: ANN_ERR_MEMORY. */
ann_status anni_image_resize(uint8_t *out, int height, int width, const anni_image *image) ANN_MUST_CHECK;

#endif
