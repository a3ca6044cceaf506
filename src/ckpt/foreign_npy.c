/* npy: a magic number, a Python dictionary as header, the elements.
   https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include <stdlib.h>
#include <string.h>
#include "ckpt/foreign_formats.h"

enum { RANK_MAX = 32 };

typedef struct cursor {
    const char *at, *end;
    const ann_foreign *f;
} cursor;

static ann_status wrong(const cursor *c) {
    return ann_error(ANN_ERR_FORMAT, "%s: its npy header is not well-formed", c->f->path);
}

static int look(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n')) c->at++;
    return c->at < c->end ? (unsigned char)*c->at : -1;
}

static bool take(cursor *c, char what) {
    if (look(c) != what) return false;
    c->at++;
    return true;
}

/* 'text' or "text" without escapes. */
static ann_status take_text(cursor *c, char *out, size_t size) {
    const int quote = look(c);
    if (quote != '\'' && quote != '"') return wrong(c);
    const char *start = ++c->at;
    while (c->at < c->end && *c->at != quote && *c->at != '\\') c->at++;
    if (c->at >= c->end || *c->at != quote || (size_t)(c->at - start) >= size) return wrong(c);
    memcpy(out, start, (size_t)(c->at - start));
    out[c->at - start] = '\0';
    c->at++;
    return ANN_OK;
}

static ann_status take_shape(cursor *c, int64_t *extents, int *rank) {
    *rank = 0;
    if (!take(c, '(')) return wrong(c);
    while (!take(c, ')')) {
        int64_t extent = 0;
        if (*rank == RANK_MAX || look(c) < '0' || look(c) > '9') return wrong(c);
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
            if (extent > (INT64_MAX - 9) / 10) return wrong(c);
            extent = extent * 10 + (*c->at - '0');
        }
        extents[(*rank)++] = extent;
        if (!take(c, ',') && look(c) != ')') return wrong(c);
    }
    return ANN_OK;
}

static ann_status take_truth(cursor *c, bool *out) {
    look(c);
    *out = c->end - c->at >= 4 && memcmp(c->at, "True", 4) == 0;
    if (!*out && (c->end - c->at < 5 || memcmp(c->at, "False", 5) != 0)) return wrong(c);
    c->at += *out ? 4 : 5;
    return ANN_OK;
}

/* "<f4": byte order, kind, bytes. */
static anni_number number_of(const char *descr, bool *big_endian) {
    static const struct {
        const char *name;
        anni_number number;
    } table[] = {{"f2", ANNI_F16}, {"f4", ANNI_F32}, {"f8", ANNI_F64}, {"i1", ANNI_I8},
                 {"i2", ANNI_I16}, {"i4", ANNI_I32}, {"i8", ANNI_I64}, {"u1", ANNI_U8},
                 {"u2", ANNI_U16}, {"u4", ANNI_U32}, {"u8", ANNI_U64}, {"b1", ANNI_BOOL}};
    *big_endian = descr[0] == '>';
    if (!descr[0] || !strchr("<>|=", descr[0])) return ANNI_NUMBER_COUNT;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, descr + 1) == 0) return table[i].number;
    return ANNI_NUMBER_COUNT;
}

static ann_status parse_dictionary(anni_foreign_entry *entry, ann_foreign *f, cursor *c) {
    char key[32], descr[64] = "";
    int64_t extents[RANK_MAX], elems;
    int rank = -1;
    if (!take(c, '{')) return wrong(c);
    while (!take(c, '}')) {
        ANN_TRY(take_text(c, key, sizeof key));
        if (!take(c, ':')) return wrong(c);
        if (strcmp(key, "descr") == 0 && look(c) == '[')
            return ann_error(ANN_ERR_UNSUPPORTED, "%s: an array of records is no tensor", f->path);
        if (strcmp(key, "descr") == 0) ANN_TRY(take_text(c, descr, sizeof descr));
        else if (strcmp(key, "fortran_order") == 0) ANN_TRY(take_truth(c, &entry->fortran));
        else if (strcmp(key, "shape") == 0) ANN_TRY(take_shape(c, extents, &rank));
        else return wrong(c);
        if (!take(c, ',') && look(c) != '}') return wrong(c);
    }
    if (rank < 0 || !descr[0]) return wrong(c);
    const anni_number number = number_of(descr, &entry->big_endian);
    if (number == ANNI_NUMBER_COUNT && !(entry->info.dtype = ann_arena_strdup(f->arena, descr)))
        return ann_error(ANN_ERR_MEMORY, "%s: no memory for its header", f->path);
    ANN_TRY(anni_foreign_describe(&elems, f, entry, number, extents, rank));
    if (rank < 2) entry->fortran = false;
    entry->bytes = elems < 0 ? 0 : elems * (int64_t)anni_number_bytes(number);
    return ANN_OK;
}

ann_status anni_npy_parse(anni_foreign_entry *entry, int64_t *header_bytes, ann_foreign *f, const char *text,
                          size_t bytes) {
    const unsigned char *p = (const unsigned char *)text;
    if (bytes < 12 || memcmp(text, "\x93NUMPY", 6) != 0 || p[6] < 1 || p[6] > 3)
        return ann_error(ANN_ERR_FORMAT, "%s: a member is no npy file, or one of a newer version", f->path);
    const bool wide = p[6] > 1;
    const size_t prefix = wide ? 12 : 10;
    const size_t length = wide ? (size_t)p[8] | (size_t)p[9] << 8 | (size_t)p[10] << 16 | (size_t)p[11] << 24
                               : (size_t)p[8] | (size_t)p[9] << 8;
    if (length > bytes - prefix)
        return ann_error(ANN_ERR_FORMAT, "%s: its npy header is cut off, or too long", f->path);
    cursor c = {text + prefix, text + prefix + length, f};
    *header_bytes = (int64_t)(prefix + length);
    return parse_dictionary(entry, f, &c);
}

static ann_status list_tensors(ann_foreign *f) {
    anni_foreign_entry *entry;
    int64_t header_bytes = 0;
    const size_t n = f->file_bytes < ANNI_NPY_HEADER_MAX ? (size_t)f->file_bytes : ANNI_NPY_HEADER_MAX;
    ANN_TRY(anni_foreign_add(&entry, f, ""));
    char *text = malloc(n);
    if (!text) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its header", f->path);
    ann_status status = anni_file_read_at(f->fd, text, n, 0, f->path);
    if (status == ANN_OK) status = anni_npy_parse(entry, &header_bytes, f, text, n);
    free(text);
    ANN_TRY(status);
    entry->offset = header_bytes;
    if (entry->bytes > f->file_bytes - header_bytes)
        return ann_error(ANN_ERR_CORRUPT, "%s: the array ends early", f->path);
    return ANN_OK;
}

const anni_format anni_format_npy = {"npy", list_tensors, anni_foreign_read_run, NULL};
