#include "ckpt/export.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "ckpt/stream.h"
#include "ckpt/tools.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the formats are little-endian, and so is memory");

static const anni_exporter *const exporters[] = {&anni_exporter_h5, &anni_exporter_safetensors,
                                                 &anni_exporter_npz};

bool ann_ckpt_file_format_of(ann_ckpt_file_format *out, const char *path) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof exporters / sizeof exporters[0]; i++) {
        if (strcmp(dot + 1, exporters[i]->name) != 0) continue;
        *out = (ann_ckpt_file_format)i;
        return true;
    }
    return false;
}

/* ---- which tensors ---- */

static bool is_wanted(const ann_tensor_info *t, const ann_ckpt_export_options *o) {
    if (!ann_name_matches(o->tensors, t->name)) return false;
    switch (o->roles) {
    case ANN_CKPT_ROLES_PARAMETERS: return t->role == ANN_ROLE_PARAM;
    case ANN_CKPT_ROLES_MODEL: return t->role != ANN_ROLE_MOMENT;
    case ANN_CKPT_ROLES_ALL: break;
    }
    return true;
}

/* Wide elements first, so that all are aligned without gaps. */
static ann_status choose(anni_export *e, const ann_ckpt_export_options *o) {
    const int n = ann_ckpt_tensor_count(e->ckpt);
    e->tensors = ann_arena_alloc(e->arena, ((size_t)n + 1) * sizeof *e->tensors);
    e->offsets = ann_arena_alloc(e->arena, ((size_t)n + 1) * sizeof *e->offsets);
    e->crcs = ann_arena_alloc(e->arena, ((size_t)n + 1) * sizeof *e->crcs);
    if (!e->tensors || !e->offsets || !e->crcs)
        return ann_error(ANN_ERR_MEMORY, "%s: no memory to list tensors", e->path);
    for (size_t width = 8; width > 0; width /= 2)
        for (int i = 0; i < n; i++) {
            const ann_tensor_info *t = ann_ckpt_tensor(e->ckpt, i);
            if (ann_dtype_bytes(t->dtype) == width && is_wanted(t, o)) e->tensors[e->count++] = i;
        }
    if (e->count > 0) return ANN_OK;
    return ann_error(ANN_ERR_NOT_FOUND, "%s: no tensor of it is asked for (pattern %s)",
                     ann_ckpt_path(e->ckpt), o->tensors);
}

/* ---- the tensors' bytes ---- */

static ann_status copy_tensor(anni_export *e, int i, char *buffer, bool wants_crc) {
    anni_stream stream;
    const int64_t bytes = anni_export_bytes(e, i);
    ann_status status = ANN_OK;
    uLong crc = e->crcs[i];
    anni_stream_begin(&stream, e->ckpt, e->tensors[i]);
    for (int64_t at = 0; at < bytes && status == ANN_OK;) {
        const size_t n = bytes - at < (int64_t)ANNI_IO_BYTES ? (size_t)(bytes - at) : ANNI_IO_BYTES;
        status = anni_stream_read(&stream, buffer, n);
        if (status == ANN_OK && wants_crc) crc = crc32_z(crc, (const unsigned char *)buffer, n);
        if (status == ANN_OK) status = anni_file_write_at(e->fd, buffer, n, e->offsets[i] + at, e->path);
        at += (int64_t)n;
    }
    anni_stream_end(&stream);
    e->crcs[i] = (uint32_t)crc;
    return status;
}

static ann_status fill(anni_export *e, const anni_exporter *format) {
    if (format->begin) ANN_TRY(format->begin(e));
    char *buffer = malloc(ANNI_IO_BYTES);
    ann_status status = buffer ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: no memory to copy tensors", e->path);
    for (int i = 0; i < e->count && status == ANN_OK; i++)
        status = copy_tensor(e, i, buffer, format->wants_crc);
    free(buffer);
    if (status == ANN_OK && format->finish) status = format->finish(e);
    if (status == ANN_OK && ftruncate(e->fd, e->file_bytes) != 0) status = anni_file_error("write", e->path);
    return status;
}

/* ---- the file ---- */

static ann_status write_file(anni_export *e, const anni_exporter *format) {
    ANN_TRY(format->lay_out(e));
    e->fd = open(e->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (e->fd < 0) return anni_file_error("create", e->path);
    const ann_status status = anni_file_finish(e->fd, fill(e, format), e->path);
    if (status != ANN_OK) (void)unlink(e->path);
    return status;
}

static ann_status sync_parent(const char *path) {
    char dir[ANNI_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    (void)snprintf(dir, sizeof dir, "%.*s", slash > path ? (int)(slash - path) : 1, slash ? path : ".");
    return anni_dir_sync(dir);
}

static ann_status export_to(anni_export *e, const char *path, const anni_exporter *format,
                            const ann_ckpt_export_options *o) {
    ANN_TRY(choose(e, o));
    ANN_TRY(write_file(e, format));
    const ann_status renamed = anni_rename(e->path, path);
    if (renamed != ANN_OK) (void)unlink(e->path);
    ANN_TRY(renamed);
    return sync_parent(path);
}

ann_status ann_ckpt_export(int *tensors, int64_t *bytes, const ann_ckpt *ckpt, const char *path,
                           const ann_ckpt_export_options *options) {
    char part[ANNI_PATH_BYTES];
    const int n = snprintf(part, sizeof part, "%s.part", path);
    if (n < 0 || n >= (int)sizeof part) return ann_error(ANN_ERR_ARG, "%.64s...: the path is too long", path);
    anni_export e = {.ckpt = ckpt, .path = part, .fd = -1};
    ANN_TRY(ann_arena_new(&e.arena));
    const ann_status status = export_to(&e, path, exporters[options->format], options);
    ann_arena_free(e.arena);
    *tensors = e.count;
    *bytes = e.file_bytes;
    return status;
}
