#include "support/ckpt_same.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ckpt_same_bits(ann_ckpt *a, ann_ckpt *b) {
    bool same =
        a && b && ann_ckpt_tensor_count(a) > 0 && ann_ckpt_tensor_count(a) == ann_ckpt_tensor_count(b);
    for (int i = 0; same && i < ann_ckpt_tensor_count(a); i++) {
        const ann_tensor_info *info = ann_ckpt_tensor(a, i);
        const size_t bytes = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
        void *x = malloc(bytes), *y = malloc(bytes);
        same = ann_ckpt_read(a, info->name, x) == ANN_OK && ann_ckpt_read(b, info->name, y) == ANN_OK &&
               memcmp(x, y, bytes) == 0;
        if (!same) fprintf(stderr, "%s differs\n", info->name);
        free(x);
        free(y);
    }
    return same;
}
