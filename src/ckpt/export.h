/* What the writers of foreign formats share. Private to src/ckpt/export*.c.

   A format lays the file out first: where each tensor's bytes go, and what stands around them. Then the
   tensors are streamed to their places, compared with their checksums on the way; what a format can only know
   after that (a member's CRC) it writes at the end. */
#ifndef ANN_CKPT_EXPORT_H
#define ANN_CKPT_EXPORT_H

#include "ckpt/files.h"
#include "ckpt/reader.h"

typedef struct anni_export {
    const ann_ckpt *ckpt;
    ann_arena *arena;
    int *tensors; /* [count], numbers of the checkpoint's tensors in the order of the file */
    int count;
    int64_t *offsets; /* [count]: filled in by the layout */
    uint32_t *crcs;   /* [count]: CRC-32 of the tensors' bytes, starting from first_crcs; NULL: not wanted */
    int64_t file_bytes; /* filled in by the layout */
    int fd;
    const char *path; /* of the file being written, in errors */
    void *state;      /* the format's, in the arena */
} anni_export;

typedef struct anni_exporter {
    const char *name;
    ann_status (*lay_out)(anni_export *e);
    ann_status (*begin)(anni_export *e);  /* what stands around the tensors; NULL: nothing yet */
    ann_status (*finish)(anni_export *e); /* the rest; NULL: nothing */
    bool wants_crc;
} anni_exporter;

extern const anni_exporter anni_exporter_safetensors, anni_exporter_npz, anni_exporter_h5;

static inline const ann_tensor_info *anni_export_tensor(const anni_export *e, int i) {
    return &e->ckpt->manifest->tensors[e->tensors[i]];
}
static inline int64_t anni_export_bytes(const anni_export *e, int i) {
    const ann_tensor_info *t = anni_export_tensor(e, i);
    return ann_shape_elems(&t->shape) * (int64_t)ann_dtype_bytes(t->dtype);
}

#endif
