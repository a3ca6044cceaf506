/* npz: a zip archive of npy members, stored, so that numpy.load may map them; zip64 where numbers need it.
   https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "ckpt/export.h"

enum {
    LOCAL_BYTES = 30,
    ENTRY_BYTES = 46,
    DATE = 0x21 /* 1980-01-01: the same file each time */,
    UTF8 = 1 << 11
};
#define NONE32 0xFFFFFFFFu

typedef struct member {
    char name[1024]; /* with ".npy" */
    size_t name_bytes, head_bytes;
    char *head; /* npy's */
    int64_t at; /* of the local header */
} member;

typedef struct text { /* little-endian numbers, one after the other */
    unsigned char bytes[256];
    size_t n;
} text;

static void put(text *t, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++, value >>= 8) t->bytes[t->n++] = (unsigned char)value;
}

static uint64_t limited(int64_t value) { return value >= NONE32 ? NONE32 : (uint64_t)value; }
static int64_t size_of(const anni_export *e, const member *m, int i) {
    return (int64_t)m->head_bytes + anni_export_bytes(e, i);
}
static size_t extra_bytes(int64_t size) { return size >= NONE32 ? 20 : 0; }

/* npy 1.0: the elements begin at a multiple of 64. */
static ann_status make_head(anni_export *e, member *m, const ann_tensor_info *t) {
    static const char *const descr[ANN_DTYPE_COUNT] = {"<f4", "<f8", "<i4", "<i8", "|u1"};
    char shape[256] = "(", dictionary[512];
    size_t used = 1;
    for (int d = 0; d < t->shape.rank; d++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%" PRId64 ",%s", t->shape.dim[d],
                                 d + 1 < t->shape.rank ? " " : "");
    if (t->shape.rank > 1) used--; /* no comma behind the last of several */
    (void)snprintf(shape + used, sizeof shape - used, ")");
    const int n = snprintf(dictionary, sizeof dictionary,
                           "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr[t->dtype], shape);
    m->head_bytes = (10 + (size_t)n + 1 + 63) / 64 * 64;
    m->head = ann_arena_alloc(e->arena, m->head_bytes);
    if (!m->head) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its headers", e->path);
    memset(m->head, ' ', m->head_bytes);
    memcpy(m->head, "\x93NUMPY\x01\x00", 8);
    m->head[8] = (char)((m->head_bytes - 10) & 0xFF);
    m->head[9] = (char)((m->head_bytes - 10) >> 8);
    memcpy(m->head + 10, dictionary, (size_t)n);
    m->head[m->head_bytes - 1] = '\n';
    return ANN_OK;
}

static ann_status lay_out(anni_export *e) {
    member *members = ann_arena_alloc(e->arena, ((size_t)e->count + 1) * sizeof *members);
    int64_t at = 0;
    if (!members) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", e->path);
    e->state = members;
    for (int i = 0; i < e->count; i++) {
        member *m = &members[i];
        const ann_tensor_info *t = anni_export_tensor(e, i);
        const int n = snprintf(m->name, sizeof m->name, "%s.npy", t->name);
        if (n < 0 || n >= (int)sizeof m->name)
            return ann_error(ANN_ERR_ARG, "%s: the name %.64s... is too long", e->path, t->name);
        m->name_bytes = (size_t)n;
        ANN_TRY(make_head(e, m, t));
        m->at = at;
        const int64_t size = size_of(e, m, i);
        e->offsets[i] =
            at + LOCAL_BYTES + (int64_t)m->name_bytes + (int64_t)extra_bytes(size) + (int64_t)m->head_bytes;
        at = e->offsets[i] + anni_export_bytes(e, i);
        e->crcs[i] = (uint32_t)crc32_z(crc32(0, NULL, 0), (const unsigned char *)m->head, m->head_bytes);
    }
    e->file_bytes = at; /* the directory follows */
    return ANN_OK;
}

/* What local header and directory entry have in common: version to sizes of name and extra field. */
static void put_common(text *t, int64_t size, const member *m, uint32_t crc, size_t extra) {
    put(t, extra ? 45 : 20, 2);
    put(t, UTF8, 2);
    put(t, 0, 2); /* stored */
    put(t, 0, 2);
    put(t, DATE, 2);
    put(t, crc, 4);
    put(t, limited(size), 4);
    put(t, limited(size), 4);
    put(t, m->name_bytes, 2);
    put(t, extra, 2);
}

static ann_status write_local(const anni_export *e, const member *m, int i) {
    const int64_t size = size_of(e, m, i);
    text head = {.n = 0}, extra = {.n = 0};
    put(&head, 0x04034B50, 4);
    put_common(&head, size, m, e->crcs[i], extra_bytes(size));
    if (extra_bytes(size)) {
        put(&extra, 1, 2);
        put(&extra, 16, 2);
        put(&extra, (uint64_t)size, 8);
        put(&extra, (uint64_t)size, 8);
    }
    int64_t at = m->at;
    ANN_TRY(anni_file_write_at(e->fd, head.bytes, head.n, at, e->path));
    at += (int64_t)head.n;
    ANN_TRY(anni_file_write_at(e->fd, m->name, m->name_bytes, at, e->path));
    at += (int64_t)m->name_bytes;
    ANN_TRY(anni_file_write_at(e->fd, extra.bytes, extra.n, at, e->path));
    return anni_file_write_at(e->fd, m->head, m->head_bytes, at + (int64_t)extra.n, e->path);
}

static void print_entry(FILE *out, const anni_export *e, const member *m, int i) {
    const int64_t size = size_of(e, m, i);
    text head = {.n = 0}, extra = {.n = 0};
    if (size >= NONE32 || m->at >= NONE32) {
        put(&extra, 1, 2);
        put(&extra, (size >= NONE32 ? 16u : 0u) + (m->at >= NONE32 ? 8u : 0u), 2);
        if (size >= NONE32) put(&extra, (uint64_t)size, 8);
        if (size >= NONE32) put(&extra, (uint64_t)size, 8);
        if (m->at >= NONE32) put(&extra, (uint64_t)m->at, 8);
    }
    put(&head, 0x02014B50, 4);
    put(&head, 45, 2); /* made by */
    put_common(&head, size, m, e->crcs[i], extra.n);
    put(&head, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put(&head, 0, 4);
    put(&head, limited(m->at), 4);
    fwrite(head.bytes, 1, head.n, out);
    fwrite(m->name, 1, m->name_bytes, out);
    fwrite(extra.bytes, 1, extra.n, out);
}

static void print_end(FILE *out, uint64_t count, int64_t bytes, int64_t at) {
    text t = {.n = 0};
    if (count >= 0xFFFF || bytes >= NONE32 || at >= NONE32) {
        put(&t, 0x06064B50, 4);
        put(&t, 44, 8);
        put(&t, 45, 2);
        put(&t, 45, 2);
        put(&t, 0, 8); /* disks */
        put(&t, count, 8);
        put(&t, count, 8);
        put(&t, (uint64_t)bytes, 8);
        put(&t, (uint64_t)at, 8);
        put(&t, 0x07064B50, 4);
        put(&t, 0, 4);
        put(&t, (uint64_t)(at + bytes), 8);
        put(&t, 1, 4);
    }
    put(&t, 0x06054B50, 4);
    put(&t, 0, 4); /* disks */
    put(&t, count >= 0xFFFF ? 0xFFFF : count, 2);
    put(&t, count >= 0xFFFF ? 0xFFFF : count, 2);
    put(&t, limited(bytes), 4);
    put(&t, limited(at), 4);
    put(&t, 0, 2);
    fwrite(t.bytes, 1, t.n, out);
}

static ann_status finish(anni_export *e) {
    const member *members = e->state;
    char *directory = NULL;
    size_t bytes = 0;
    for (int i = 0; i < e->count; i++) ANN_TRY(write_local(e, &members[i], i));
    FILE *out = open_memstream(&directory, &bytes);
    if (!out) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", e->path);
    for (int i = 0; i < e->count; i++) print_entry(out, e, &members[i], i);
    bool good = fflush(out) == 0;
    if (good) print_end(out, (uint64_t)e->count, (int64_t)bytes, e->file_bytes);
    good = fclose(out) == 0 && good;
    const ann_status status = good ? anni_file_write_at(e->fd, directory, bytes, e->file_bytes, e->path)
                                   : ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", e->path);
    free(directory);
    e->file_bytes += (int64_t)bytes;
    return status;
}

const anni_exporter anni_exporter_npz = {"npz", lay_out, NULL, finish, true};
