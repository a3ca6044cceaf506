/* Private to transform*.c. */
#ifndef ANN_DATA_TRANSFORM_OPS_H
#define ANN_DATA_TRANSFORM_OPS_H

#include "data/augment_ops.h"
#include "data/transform.h"

/* transform_texture.c: draws the noise into image->spare and blends it into the image. points: room for a
 * lattice. */
void anni_texture(anni_image *image, const ann_transform_op *op, const anni_draws *d, float *points);
/* Numbers that the lattice of one octave may have. */
size_t anni_texture_lattice(const ann_transform_op *op, int64_t height, int64_t width);

#endif
