#include <stdlib.h>
#include "ckpt/foreign.h"
#include "fuzz/fuzz.h"

static void read_as(const ann_foreign *foreign, int i, ann_dtype to) {
    const ann_foreign_tensor *t = ann_foreign_tensor_at(foreign, i);
    const size_t bytes = (size_t)ann_shape_elems(&t->shape) * ann_dtype_bytes(to);
    void *values = malloc(bytes + !bytes);
    fuzz_require(values != NULL, "a tensor that does not fit into memory was believed");
    fuzz_check_failure(ann_foreign_read(foreign, i, to, values));
    free(values);
}

void fuzz_weights(const char *path) {
    ann_foreign *foreign;
    const ann_status status = ann_foreign_open(&foreign, path);
    fuzz_check_failure(status);
    if (status != ANN_OK) return;
    for (int i = 0; i < ann_foreign_count(foreign); i++) {
        const ann_foreign_tensor *t = ann_foreign_tensor_at(foreign, i);
        if (t->problem) continue;
        read_as(foreign, i, t->as);
        if (ann_foreign_converts(foreign, i, ANN_U8)) read_as(foreign, i, ANN_U8);
        if (ann_foreign_converts(foreign, i, ANN_F32)) read_as(foreign, i, ANN_F32);
    }
    ann_foreign_close(foreign);
}
