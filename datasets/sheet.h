/* Contact sheets: labelled images in a grid, as a PNG. Private to datasets/ and launch/. */
#ifndef ANN_DATASETS_SHEET_H
#define ANN_DATASETS_SHEET_H

#include "tensor/tensor.h"

typedef struct anni_tiles {
    const void *x;   /* [count, shape], aligned to its elements */
    ann_dtype dtype; /* u8: 0 is black, 255 white. f32, i32: [0, 1] where all values lie in it, [-1, 1] else;
                        where neither holds, from the smallest value of the sheet to the largest */
    ann_shape
        shape; /* [H, W], [H, W, 1] gray, [H, W, 3] colour, or [H, W, 4]: the fourth channel is left out */
    int count;
    int group;                   /* so many tiles belong together (a class): columns are a multiple, or a
                                    divisor, of it; 1: none do */
    int columns;                 /* 0: as many as make a sheet of about 3 : 2 */
    const char *const *captions; /* [count] one below each tile; NULL: none */
    const char *title;
} anni_tiles;

/* May samples of this shape be drawn? */
bool anni_sheet_can_show(const ann_shape *shape);
/* Errors: ANN_ERR_SHAPE (no images), ANN_ERR_MEMORY, ANN_ERR_IO, ANN_ERR_NOSPACE. Local. */
ann_status anni_sheet_write(const anni_tiles *tiles, const char *path) ANN_MUST_CHECK;

#endif
