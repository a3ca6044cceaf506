/* Opening, listing, converting: what does not depend on the format. */
#include "ckpt/foreign_formats.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    size_t bytes;
    ann_dtype as;
    bool is_float;
} numbers[ANNI_NUMBER_COUNT + 1] = {
    [ANNI_F16] = {"f16", 2, ANN_F32, true},   [ANNI_BF16] = {"bf16", 2, ANN_F32, true},
    [ANNI_F32] = {"f32", 4, ANN_F32, true},   [ANNI_F64] = {"f64", 8, ANN_F64, true},
    [ANNI_I8] = {"i8", 1, ANN_I32, false},    [ANNI_I16] = {"i16", 2, ANN_I32, false},
    [ANNI_I32] = {"i32", 4, ANN_I32, false},  [ANNI_I64] = {"i64", 8, ANN_I64, false},
    [ANNI_U8] = {"u8", 1, ANN_U8, false},     [ANNI_U16] = {"u16", 2, ANN_I32, false},
    [ANNI_U32] = {"u32", 4, ANN_I64, false},  [ANNI_U64] = {"u64", 8, ANN_I64, false},
    [ANNI_BOOL] = {"bool", 1, ANN_U8, false}, [ANNI_NUMBER_COUNT] = {"?", 1, ANN_U8, false},
};

size_t anni_number_bytes(anni_number number) { return numbers[number].bytes; }
const char *anni_number_name(anni_number number) { return numbers[number].name; }

/* ---- entries ---- */

ann_status anni_foreign_add(anni_foreign_entry **out, ann_foreign *f, const char *name) {
    if (f->count == f->capacity) {
        const int larger = f->capacity ? 2 * f->capacity : 64;
        anni_foreign_entry *moved = realloc(f->entries, (size_t)larger * sizeof *moved);
        if (!moved) return ann_error(ANN_ERR_MEMORY, "%s: no memory to list its tensors", f->path);
        f->entries = moved;
        f->capacity = larger;
    }
    *out = &f->entries[f->count];
    **out = (anni_foreign_entry){.number = ANNI_NUMBER_COUNT};
    (*out)->info.name = ann_arena_strdup(f->arena, name);
    (*out)->info.dtype = "?";
    if (!(*out)->info.name) return ann_error(ANN_ERR_MEMORY, "%s: no memory to list its tensors", f->path);
    f->count++;
    return ANN_OK;
}

ann_status anni_foreign_describe(int64_t *elems, ann_foreign *f, anni_foreign_entry *entry,
                                 anni_number number, const int64_t *extents, int rank) {
    ann_foreign_tensor *info = &entry->info;
    int64_t most = (int64_t)1 << 56; /* in bytes, that still fits into int64_t */
    *elems = -1;
    entry->number = number;
    info->dtype = number < ANNI_NUMBER_COUNT ? anni_number_name(number) : info->dtype;
    info->as = numbers[number].as;
    if (number == ANNI_NUMBER_COUNT && !info->problem) info->problem = "its elements are no numbers we know";
    if (rank > ANN_MAX_RANK) info->problem = "it has more than 8 dimensions";
    for (int d = 0; d < rank; d++)
        if (extents[d] < 0)
            return ann_error(ANN_ERR_FORMAT, "%s: tensor %s has a negative extent", f->path, info->name);
    for (int d = 0; d < rank && d < ANN_MAX_RANK; d++) {
        if (extents[d] == 0) info->problem = "it is empty";
        else if (extents[d] > most)
            return ann_error(ANN_ERR_FORMAT, "%s: tensor %s is larger than any file", f->path, info->name);
        else most /= extents[d];
        info->shape.dim[d] = extents[d];
    }
    info->shape.rank = rank <= ANN_MAX_RANK ? rank : ANN_MAX_RANK;
    if (!info->problem) *elems = ann_shape_elems(&info->shape);
    return ANN_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ann_status check_names(const ann_foreign *f) {
    const char **names = malloc(((size_t)f->count + 1) * sizeof *names);
    if (!names) return ann_error(ANN_ERR_MEMORY, "%s: no memory to list its tensors", f->path);
    for (int i = 0; i < f->count; i++) names[i] = f->entries[i].info.name;
    qsort(names, (size_t)f->count, sizeof *names, compare_names);
    ann_status status = ANN_OK;
    for (int i = 1; i < f->count && status == ANN_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = ann_error(ANN_ERR_FORMAT, "%s: two tensors are called %s", f->path, names[i]);
    free(names);
    return status;
}

/* ---- opening ---- */

static const anni_format *recognise(const char *head, size_t bytes, int64_t file_bytes) {
    static const char hdf5[] = "\x89HDF\r\n\x1a\n", npy[] = "\x93NUMPY";
    uint64_t header = 0;
    if (bytes >= 8 && memcmp(head, hdf5, 8) == 0) return &anni_format_h5;
    if (bytes >= 6 && memcmp(head, npy, 6) == 0) return &anni_format_npy;
    if (bytes >= 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0))
        return &anni_format_npz;
    for (int i = 7; i >= 0 && bytes >= 9; i--) header = header << 8 | (unsigned char)head[i];
    if (bytes >= 9 && header <= (uint64_t)file_bytes - 8 && head[8] == '{') return &anni_format_safetensors;
    return NULL;
}

static ann_status open_file(ann_foreign *f, const char *path) {
    char head[16];
    struct stat st;
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0) return anni_file_error("open", path);
    if (fstat(f->fd, &st) != 0) return anni_file_error("stat", path);
    if (!S_ISREG(st.st_mode)) return ann_error(ANN_ERR_FORMAT, "%s: not a plain file", path);
    f->file_bytes = st.st_size;
    const size_t n = st.st_size < (off_t)sizeof head ? (size_t)st.st_size : sizeof head;
    ANN_TRY(anni_file_read_at(f->fd, head, n, 0, path));
    f->format = recognise(head, n, f->file_bytes);
    if (f->format) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT,
                     "%s: this is neither a safetensors, npz, npy nor HDF5 file, nor a checkpoint's folder",
                     path);
}

static ann_status open_path(ann_foreign *f, const char *path) {
    struct stat st;
    f->path = strdup(path);
    if (!f->path) return ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    ANN_TRY(ann_arena_new(&f->arena));
    if (stat(path, &st) != 0)
        return errno == ENOENT ? ann_error(ANN_ERR_NOT_FOUND, "%s: %s", path, strerror(errno))
                               : anni_file_error("open", path);
    if (S_ISDIR(st.st_mode)) f->format = &anni_format_checkpoint;
    else ANN_TRY(open_file(f, path));
    ANN_TRY(f->format->list(f));
    return check_names(f);
}

ann_status ann_foreign_open(ann_foreign **out, const char *path) {
    *out = NULL;
    ann_foreign *f = calloc(1, sizeof *f);
    if (!f) return ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    f->fd = -1;
    f->handle = -1;
    const ann_status status = open_path(f, path);
    if (status == ANN_OK) *out = f;
    else ann_foreign_close(f);
    return status;
}

void ann_foreign_close(ann_foreign *f) {
    if (!f) return;
    if (f->format && f->format->close) f->format->close(f);
    if (f->fd >= 0) close(f->fd);
    ann_arena_free(f->arena);
    free(f->entries);
    free(f->path);
    free(f);
}

const char *ann_foreign_format(const ann_foreign *f) { return f->format->name; }
const char *ann_foreign_path(const ann_foreign *f) { return f->ckpt ? ann_ckpt_path(f->ckpt) : f->path; }
int ann_foreign_count(const ann_foreign *f) { return f->count; }
const ann_foreign_tensor *ann_foreign_tensor_at(const ann_foreign *f, int i) {
    return i >= 0 && i < f->count ? &f->entries[i].info : NULL;
}
const ann_meta *ann_foreign_meta(const ann_foreign *f) { return f->ckpt ? ann_ckpt_meta(f->ckpt) : NULL; }

/* ---- reading ---- */

bool ann_foreign_converts(const ann_foreign *f, int i, ann_dtype to) {
    const anni_foreign_entry *entry = &f->entries[i];
    return !entry->info.problem && numbers[entry->number].is_float == ann_dtype_is_float(to);
}

ann_status ann_foreign_read(const ann_foreign *f, int i, ann_dtype to, void *out) {
    const anni_foreign_entry *entry = &f->entries[i];
    if (entry->info.problem)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: tensor %s cannot be read: %s", f->path, entry->info.name,
                         entry->info.problem);
    if (!ann_foreign_converts(f, i, to))
        return ann_error(ANN_ERR_DTYPE, "%s: tensor %s is %s, which does not become %s", f->path,
                         entry->info.name, entry->info.dtype, ann_dtype_name(to));
    return f->format->read(f, entry, to, out);
}

typedef struct run {
    const ann_foreign *f;
    int64_t at, end;
} run;

static ann_status next_of_run(void *from, void *out, size_t bytes) {
    run *r = from;
    if ((int64_t)bytes > r->end - r->at)
        return ann_error(ANN_ERR_CORRUPT, "%s: a tensor ends early", r->f->path);
    ANN_TRY(anni_file_read_at(r->f->fd, out, bytes, r->at, r->f->path));
    r->at += (int64_t)bytes;
    return ANN_OK;
}

ann_status anni_foreign_read_run(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                                 void *out) {
    run r = {f, entry->offset, entry->offset + entry->bytes};
    return anni_foreign_convert(f, entry, to, out, next_of_run, &r);
}

/* ---- elements ---- */

static double from_f16(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                        : exponent == 0 ? ldexp(fraction, -24)
                                        : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

/* width bytes of an element as an unsigned number. */
static uint64_t bits_of(const unsigned char *p, size_t width, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++) bits = bits << 8 | p[big_endian ? i : width - 1 - i];
    return bits;
}

static double float_of(anni_number number, uint64_t bits) {
    double f64;
    float f32;
    const uint32_t low = number == ANNI_BF16 ? (uint32_t)bits << 16 : (uint32_t)bits;
    if (number == ANNI_F16) return from_f16((uint16_t)bits);
    if (number == ANNI_F64) {
        memcpy(&f64, &bits, sizeof f64);
        return f64;
    }
    memcpy(&f32, &low, sizeof f32);
    return (double)f32;
}

/* false: the number is beyond int64_t. */
static bool integer_of(int64_t *out, anni_number number, uint64_t bits) {
    switch (number) {
    case ANNI_I8: *out = (int64_t)((bits & 0xFF) ^ 0x80) - 0x80; return true;
    case ANNI_I16: *out = (int16_t)bits; return true;
    case ANNI_I32: *out = (int32_t)bits; return true;
    case ANNI_BOOL: *out = bits != 0; return true;
    default: *out = (int64_t)bits; return number != ANNI_U64 || bits <= INT64_MAX;
    }
}

static bool put_integer(void *out, ann_dtype to, int64_t index, int64_t value) {
    switch (to) {
    case ANN_I32: ((int32_t *)out)[index] = (int32_t)value; return value >= INT32_MIN && value <= INT32_MAX;
    case ANN_U8: ((uint8_t *)out)[index] = (uint8_t)value; return value >= 0 && value <= 255;
    default: ((int64_t *)out)[index] = value; return true;
    }
}

/* Where element number k of the file goes: the same place, or with the dimensions in the other order. */
static int64_t place_of(const anni_foreign_entry *entry, int64_t k) {
    if (!entry->fortran) return k;
    int64_t strides[ANN_MAX_RANK], place = 0;
    ann_shape_strides(strides, &entry->info.shape);
    for (int d = 0; d < entry->info.shape.rank; d++) {
        place += k % entry->info.shape.dim[d] * strides[d];
        k /= entry->info.shape.dim[d];
    }
    return place;
}

static bool convert_chunk(const anni_foreign_entry *entry, ann_dtype to, void *out, int64_t first,
                          const unsigned char *raw, int64_t n) {
    const size_t width = numbers[entry->number].bytes;
    const bool is_float = numbers[entry->number].is_float;
    bool fits = true;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t bits = bits_of(raw + (size_t)i * width, width, entry->big_endian);
        const int64_t place = place_of(entry, first + i);
        int64_t value;
        if (is_float) ann_elem_set(out, to, place, float_of(entry->number, bits));
        else fits = integer_of(&value, entry->number, bits) && put_integer(out, to, place, value) && fits;
    }
    return fits;
}

ann_status anni_foreign_convert(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                                void *out, anni_foreign_next next, void *from) {
    static const ann_dtype same[ANNI_NUMBER_COUNT] = {
        ANN_DTYPE_COUNT, ANN_DTYPE_COUNT, ANN_F32,        ANN_F64, ANN_DTYPE_COUNT,
        ANN_DTYPE_COUNT, ANN_I32,         ANN_I64,        ANN_U8,  ANN_DTYPE_COUNT,
        ANN_DTYPE_COUNT, ANN_DTYPE_COUNT, ANN_DTYPE_COUNT};
    const int64_t elems = ann_shape_elems(&entry->info.shape);
    const size_t width = numbers[entry->number].bytes;
    if (same[entry->number] == to && !entry->big_endian && !entry->fortran)
        return next(from, out, (size_t)elems * width);
    unsigned char *raw = malloc(ANNI_IO_BYTES);
    if (!raw) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read %s", f->path, entry->info.name);
    ann_status status = ANN_OK;
    for (int64_t at = 0; at < elems && status == ANN_OK;) {
        const int64_t most = (int64_t)(ANNI_IO_BYTES / width), n = elems - at < most ? elems - at : most;
        status = next(from, raw, (size_t)n * width);
        if (status == ANN_OK && !convert_chunk(entry, to, out, at, raw, n))
            status = ann_error(ANN_ERR_DTYPE, "%s: tensor %s has a number that %s cannot hold", f->path,
                               entry->info.name, ann_dtype_name(to));
        at += n;
    }
    free(raw);
    return status;
}
