/* npz: a zip archive of npy members, stored or deflated, with zip64 where it is needed.
   https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "ckpt/foreign_formats.h"

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 65535
};
#define EXPANSION_MAX 1040 /* deflate cannot do more than 1032 to 1 */

static uint64_t number(const unsigned char *p, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

static ann_status wrong(const ann_foreign *f, const char *what) {
    return ann_error(ANN_ERR_FORMAT, "%s: not a well-formed zip archive: %s", f->path, what);
}

/* ---- the central directory ---- */

typedef struct directory {
    int64_t offset, bytes, count;
} directory;

/* What is in the way of a 32-bit number stands in the zip64 record, which a locator before `end` points to.
 */
static ann_status find_end64(directory *out, const ann_foreign *f, int64_t end) {
    unsigned char locator[LOCATOR_BYTES], record[END64_BYTES];
    if (end < LOCATOR_BYTES) return wrong(f, "no zip64 locator");
    ANN_TRY(anni_file_read_at(f->fd, locator, sizeof locator, end - LOCATOR_BYTES, f->path));
    const uint64_t at = number(locator + 8, 8);
    if (memcmp(locator, "PK\6\7", 4) != 0 || at > (uint64_t)end || (uint64_t)end - at < END64_BYTES)
        return wrong(f, "no zip64 locator");
    ANN_TRY(anni_file_read_at(f->fd, record, sizeof record, (int64_t)at, f->path));
    if (memcmp(record, "PK\6\6", 4) != 0) return wrong(f, "no zip64 record");
    const uint64_t count = number(record + 32, 8), bytes = number(record + 40, 8),
                   offset = number(record + 48, 8);
    if (offset > (uint64_t)end || bytes > (uint64_t)end - offset || count > bytes / ENTRY_BYTES)
        return wrong(f, "its directory lies outside the file");
    *out = (directory){(int64_t)offset, (int64_t)bytes, (int64_t)count};
    return ANN_OK;
}

static ann_status read_end(directory *out, const ann_foreign *f, const unsigned char *p, int64_t at) {
    const uint64_t count = number(p + 10, 2), bytes = number(p + 12, 4), offset = number(p + 16, 4);
    if (count == 0xFFFF || bytes == 0xFFFFFFFF || offset == 0xFFFFFFFF) return find_end64(out, f, at);
    if (offset > (uint64_t)at || bytes > (uint64_t)at - offset || count > bytes / ENTRY_BYTES)
        return wrong(f, "its directory lies outside the file");
    *out = (directory){(int64_t)offset, (int64_t)bytes, (int64_t)count};
    return ANN_OK;
}

/* The end record is the last thing but for a comment. */
static ann_status find_directory(directory *out, const ann_foreign *f) {
    const int64_t room = f->file_bytes < END_BYTES + COMMENT_MAX ? f->file_bytes : END_BYTES + COMMENT_MAX;
    if (room < END_BYTES) return wrong(f, "it is too short");
    unsigned char *tail = malloc((size_t)room);
    if (!tail) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", f->path);
    ann_status status = anni_file_read_at(f->fd, tail, (size_t)room, f->file_bytes - room, f->path);
    int64_t at = room - END_BYTES;
    while (status == ANN_OK && at >= 0 && memcmp(tail + at, "PK\5\6", 4) != 0) at--;
    if (status == ANN_OK)
        status = at < 0 ? ann_error(ANN_ERR_CORRUPT, "%s: the archive ends early", f->path)
                        : read_end(out, f, tail + at, f->file_bytes - room + at);
    free(tail);
    return status;
}

/* Sizes and offset that did not fit into 32 bits stand in extra field 1, in this order. */
static bool take_zip64(uint64_t *value[3], const unsigned char *extra, size_t bytes) {
    while (bytes >= 4) {
        const size_t id = (size_t)number(extra, 2), n = (size_t)number(extra + 2, 2);
        if (n > bytes - 4) return false;
        if (id == 1) {
            size_t used = 0;
            for (int i = 0; i < 3; i++) {
                if (*value[i] != 0xFFFFFFFF) continue;
                if (n - used < 8) return false;
                *value[i] = number(extra + 4 + used, 8);
                used += 8;
            }
        }
        extra += 4 + n;
        bytes -= 4 + n;
    }
    return true;
}

/* ---- a member as a source of bytes ---- */

typedef struct member {
    const ann_foreign *f;
    const anni_foreign_entry *entry;
    int64_t packed_left, packed_at, unpacked_left;
    uLong crc;
    z_stream z;
    bool inflating;
    unsigned char buffer[65536];
} member;

static void member_close(member *m) {
    if (m && m->inflating) inflateEnd(&m->z);
    free(m);
}

static ann_status member_open(member **out, const ann_foreign *f, const anni_foreign_entry *entry) {
    member *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read %s", f->path, entry->info.name);
    m->f = f;
    m->entry = entry;
    m->packed_at = entry->packed_offset;
    m->packed_left = entry->packed_bytes;
    m->unpacked_left = entry->unpacked_bytes;
    m->crc = crc32(0, NULL, 0);
    if (entry->deflated && inflateInit2(&m->z, -MAX_WBITS) != Z_OK) {
        free(m);
        return ann_error(ANN_ERR_MEMORY, "%s: no memory to inflate %s", f->path, entry->info.name);
    }
    m->inflating = entry->deflated;
    *out = m;
    return ANN_OK;
}

static ann_status damaged(const member *m) {
    return ann_error(ANN_ERR_CORRUPT, "%s: member %s is damaged", m->f->path, m->entry->info.name);
}

static ann_status refill(member *m) {
    const size_t n = m->packed_left < (int64_t)sizeof m->buffer ? (size_t)m->packed_left : sizeof m->buffer;
    if (n == 0) return damaged(m);
    ANN_TRY(anni_file_read_at(m->f->fd, m->buffer, n, m->packed_at, m->f->path));
    m->packed_at += (int64_t)n;
    m->packed_left -= (int64_t)n;
    m->z.next_in = m->buffer;
    m->z.avail_in = (uInt)n;
    return ANN_OK;
}

static ann_status inflate_to(member *m, unsigned char *out, size_t bytes) {
    while (bytes > 0) {
        const uInt want = bytes < (1u << 30) ? (uInt)bytes : 1u << 30;
        if (m->z.avail_in == 0) ANN_TRY(refill(m));
        m->z.next_out = out;
        m->z.avail_out = want;
        const int code = inflate(&m->z, Z_NO_FLUSH);
        const size_t got = want - m->z.avail_out;
        out += got;
        bytes -= got;
        if (code == Z_STREAM_END ? bytes > 0 : code != Z_OK && code != Z_BUF_ERROR) return damaged(m);
    }
    return ANN_OK;
}

static ann_status member_next(void *from, void *out, size_t bytes) {
    member *m = from;
    if ((int64_t)bytes > m->unpacked_left) return damaged(m);
    if (m->inflating) ANN_TRY(inflate_to(m, out, bytes));
    else {
        if ((int64_t)bytes > m->packed_left) return damaged(m);
        ANN_TRY(anni_file_read_at(m->f->fd, out, bytes, m->packed_at, m->f->path));
        m->packed_at += (int64_t)bytes;
        m->packed_left -= (int64_t)bytes;
    }
    m->unpacked_left -= (int64_t)bytes;
    m->crc = crc32_z(m->crc, out, bytes);
    return m->unpacked_left > 0 || (uint32_t)m->crc == m->entry->crc ? ANN_OK : damaged(m);
}

/* ---- listing ---- */

/* The elements begin behind the local header, whose name and extra field have lengths of their own. */
static ann_status find_data(const ann_foreign *f, anni_foreign_entry *entry, uint64_t local) {
    unsigned char head[LOCAL_BYTES];
    if (local > (uint64_t)f->file_bytes || (uint64_t)f->file_bytes - local < LOCAL_BYTES)
        return wrong(f, "a member lies outside the file");
    ANN_TRY(anni_file_read_at(f->fd, head, sizeof head, (int64_t)local, f->path));
    if (memcmp(head, "PK\3\4", 4) != 0) return wrong(f, "a member has no header");
    entry->packed_offset =
        (int64_t)local + LOCAL_BYTES + (int64_t)number(head + 26, 2) + (int64_t)number(head + 28, 2);
    if (entry->packed_offset > f->file_bytes || entry->packed_bytes > f->file_bytes - entry->packed_offset)
        return ann_error(ANN_ERR_CORRUPT, "%s: member %s ends early", f->path, entry->info.name);
    return ANN_OK;
}

static ann_status parse_member(ann_foreign *f, anni_foreign_entry *entry) {
    member *m;
    ANN_TRY(member_open(&m, f, entry));
    const size_t n =
        entry->unpacked_bytes < ANNI_NPY_HEADER_MAX ? (size_t)entry->unpacked_bytes : ANNI_NPY_HEADER_MAX;
    char *text = malloc(n + 1);
    ann_status status =
        text ? member_next(m, text, n) : ann_error(ANN_ERR_MEMORY, "%s: no memory for its headers", f->path);
    if (status == ANN_OK) status = anni_npy_parse(entry, &entry->offset, f, text, n);
    free(text);
    member_close(m);
    if (status == ANN_OK && entry->bytes > entry->unpacked_bytes - entry->offset)
        return ann_error(ANN_ERR_CORRUPT, "%s: member %s ends early", f->path, entry->info.name);
    return status;
}

/* One entry of the central directory; only members NAME.npy count. */
static ann_status add_member(ann_foreign *f, const unsigned char *p, const unsigned char *name,
                             size_t name_bytes, const unsigned char *extra, size_t extra_bytes) {
    anni_foreign_entry *entry;
    const unsigned flags = (unsigned)number(p + 8, 2), method = (unsigned)number(p + 10, 2);
    uint64_t packed = number(p + 20, 4), unpacked = number(p + 24, 4), local = number(p + 42, 4);
    if (name_bytes < 4 || memcmp(name + name_bytes - 4, ".npy", 4) != 0 || memchr(name, 0, name_bytes))
        return ANN_OK;
    char *text = ann_arena_alloc(f->arena, name_bytes);
    if (!text) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", f->path);
    memcpy(text, name, name_bytes - 4);
    if (!take_zip64((uint64_t *[3]){&unpacked, &packed, &local}, extra, extra_bytes))
        return wrong(f, "an extra field is cut off");
    ANN_TRY(anni_foreign_add(&entry, f, text));
    if (flags & 1 || (method != 0 && method != 8)) {
        entry->info.problem = flags & 1 ? "it is encrypted" : "it is compressed in a way other than deflate";
        return ANN_OK;
    }
    if (packed > (uint64_t)f->file_bytes || unpacked > packed * (method == 8 ? EXPANSION_MAX : 1) + 64)
        return ann_error(ANN_ERR_CORRUPT, "%s: member %s is larger than the file allows", f->path, text);
    entry->deflated = method == 8;
    entry->packed_bytes = (int64_t)packed;
    entry->unpacked_bytes = (int64_t)unpacked;
    entry->crc = (uint32_t)number(p + 16, 4);
    ANN_TRY(find_data(f, entry, local));
    return parse_member(f, entry);
}

static ann_status walk(ann_foreign *f, const unsigned char *p, const directory *d) {
    size_t left = (size_t)d->bytes;
    for (int64_t i = 0; i < d->count; i++) {
        if (left < ENTRY_BYTES || memcmp(p, "PK\1\2", 4) != 0) return wrong(f, "its directory is cut off");
        const size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2);
        const size_t all = ENTRY_BYTES + name + extra + (size_t)number(p + 32, 2);
        if (all > left) return wrong(f, "its directory is cut off");
        ANN_TRY(add_member(f, p, p + ENTRY_BYTES, name, p + ENTRY_BYTES + name, extra));
        p += all;
        left -= all;
    }
    return ANN_OK;
}

static ann_status list_tensors(ann_foreign *f) {
    directory d = {0, 0, 0};
    ANN_TRY(find_directory(&d, f));
    unsigned char *bytes = malloc((size_t)d.bytes + 1);
    if (!bytes) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its directory", f->path);
    ann_status status = anni_file_read_at(f->fd, bytes, (size_t)d.bytes, d.offset, f->path);
    if (status == ANN_OK) status = walk(f, bytes, &d);
    free(bytes);
    return status;
}

static ann_status skip_header(member *m) {
    char header[ANNI_NPY_HEADER_MAX];
    return member_next(m, header, (size_t)m->entry->offset);
}

static ann_status read_tensor(const ann_foreign *f, const anni_foreign_entry *entry, ann_dtype to,
                              void *out) {
    member *m;
    ANN_TRY(member_open(&m, f, entry));
    ann_status status = skip_header(m);
    if (status == ANN_OK) status = anni_foreign_convert(f, entry, to, out, member_next, m);
    member_close(m);
    return status;
}

const anni_format anni_format_npz = {"npz", list_tensors, read_tensor, NULL};
