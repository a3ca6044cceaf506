/* Named tensors in files that others wrote, or that are written for others: safetensors, npz, npy, HDF5; and
   our own checkpoints, read through the same door.

   Files are told apart by their contents, not by their names. Nothing in a file is believed before it has
   been compared with the file's size: every length before memory is allocated for it, every offset before it
   is read. A tensor that cannot be taken (complex numbers, strings, too many dimensions ...) is listed with
   the reason, and does not hinder the others. Local throughout. */
#ifndef ANN_CKPT_FOREIGN_H
#define ANN_CKPT_FOREIGN_H

#include "ckpt/ckpt.h"

typedef struct ann_foreign ann_foreign;

typedef struct ann_foreign_tensor {
    const char *name;    /* unique in the file; "" for the only tensor of an npy file */
    const char *dtype;   /* as it is there: "f32", "bf16", "i16", "bool" ... */
    ann_dtype as;        /* the one of ours that holds all its values: f16 and bf16 as f32, i16 as i32 ... */
    ann_shape shape;     /* row-major, whatever the order in the file */
    const char *problem; /* why it cannot be read; NULL: it can */
} ann_foreign_tensor;

/* Opens a file, or a checkpoint's directory (or one that stands for a checkpoint, as in ann_ckpt_resolve).
   Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_FORMAT (none of the formats, or not well-formed),
   ANN_ERR_CORRUPT (it ends early), ANN_ERR_MEMORY. */
ann_status ann_foreign_open(ann_foreign **out, const char *path) ANN_MUST_CHECK;
void ann_foreign_close(ann_foreign *foreign);
const char *
ann_foreign_format(const ann_foreign *foreign); /* "safetensors", "npz", "npy", "h5", "checkpoint" */
const char *ann_foreign_path(const ann_foreign *foreign); /* of a checkpoint: its own directory */
int ann_foreign_count(const ann_foreign *foreign);
const ann_foreign_tensor *ann_foreign_tensor_at(const ann_foreign *foreign, int i);
/* The metadata of a checkpoint; NULL for all other formats. */
const ann_meta *ann_foreign_meta(const ann_foreign *foreign);

/* May elements of this tensor be read as `to`? Floats as floats, integers as any of ours. */
bool ann_foreign_converts(const ann_foreign *foreign, int i, ann_dtype to);
/* Reads tensor i into out (elems * dtype bytes) as elements of dtype `to`. Errors: ANN_ERR_DTYPE (not
   convertible, or an integer that does not fit), ANN_ERR_CORRUPT (the file ends early, a checksum is wrong),
   ANN_ERR_IO, ANN_ERR_UNSUPPORTED (it has a problem), ANN_ERR_MEMORY. */
ann_status ann_foreign_read(const ann_foreign *foreign, int i, ann_dtype to, void *out) ANN_MUST_CHECK;

#endif
