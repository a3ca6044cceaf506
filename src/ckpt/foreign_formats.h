/* What the readers of foreign formats share. Private to src/ckpt/foreign*.c. */
#ifndef ANN_CKPT_FOREIGN_FORMATS_H
#define ANN_CKPT_FOREIGN_FORMATS_H

#include "base/mem.h"
#include "ckpt/files.h"
#include "ckpt/foreign.h"

typedef enum anni_number {
    ANNI_F16,
    ANNI_BF16,
    ANNI_F32,
    ANNI_F64,
    ANNI_I8,
    ANNI_I16,
    ANNI_I32,
    ANNI_I64,
    ANNI_U8,
    ANNI_U16,
    ANNI_U32,
    ANNI_U64,
    ANNI_BOOL,
    ANNI_NUMBER_COUNT /* none of these */
} anni_number;

size_t anni_number_bytes(anni_number number);

typedef struct anni_foreign_entry {
    ann_foreign_tensor info;
    anni_number number;
    bool big_endian, fortran;
    int64_t offset,
        bytes;        /* of the elements: in the file, or behind the member's npy header; as they are there */
    const char *path; /* h5: of the dataset */
    /* npz only */
    bool deflated;
    int64_t packed_offset, packed_bytes, unpacked_bytes; /* of the member */
    uint32_t crc;
} anni_foreign_entry;

typedef struct anni_format {
    const char *name;
    ann_status (*list)(ann_foreign *f);
    ann_status (*read)(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to, void *out);
    void (*close)(ann_foreign *f); /* NULL: nothing to do */
} anni_format;

extern const anni_format anni_format_safetensors, anni_format_npz, anni_format_npy, anni_format_h5,
    anni_format_checkpoint;

struct ann_foreign {
    const anni_format *format;
    ann_arena *arena; /* names and texts */
    char *path;
    int fd;
    int64_t file_bytes;
    anni_foreign_entry *entries;
    int count, capacity;
    int64_t handle; /* HDF5's */
    ann_ckpt *ckpt;
};

/* The name of a number type, and the type of an entry with all that follows from it. */
const char *anni_number_name(anni_number number);

/* Appends an entry called `name`, zeroed otherwise; borrowed until the next one. */
ann_status anni_foreign_add(anni_foreign_entry **out, ann_foreign *f, const char *name) ANN_MUST_CHECK;
/* Sets type and shape from extents as a file has them. *elems is their product, or -1 where there is a
   problem (which is then told in entry->info.problem). */
ann_status anni_foreign_describe(int64_t *elems, ann_foreign *f, anni_foreign_entry *entry,
                                 anni_number number, const int64_t *extents, int rank) ANN_MUST_CHECK;

/* Elements from a source of consecutive bytes. */
typedef ann_status (*anni_foreign_next)(void *from, void *out, size_t bytes);
ann_status anni_foreign_convert(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                                void *out, anni_foreign_next next, void *from) ANN_MUST_CHECK;

/* For formats that keep a tensor's elements in one piece of the file, at entry->offset: anni_format.read. */
ann_status anni_foreign_read_run(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                                 void *out) ANN_MUST_CHECK;

/* Parses an npy header at text[0..bytes), of which the file may have more: *header_bytes is where the
   elements begin. */
ann_status anni_npy_parse(anni_foreign_entry *entry, int64_t *header_bytes, ann_foreign *f, const char *text,
                          size_t bytes) ANN_MUST_CHECK;
enum { ANNI_NPY_HEADER_MAX = 65536 };

#endif
