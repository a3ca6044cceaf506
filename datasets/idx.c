#include "datasets/idx.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    uint8_t code;
    const char *name;
} idx_types[] = {
    {0x09, "i8"}, {0x0B, "i16"}, {0x0C, "i32"}, {0x0D, "f32"}, {0x0E, "f64"},
};

/* Why gzread gave less than was asked for. */
static ann_status short_read(const anni_idx *idx, const char *what) {
    int code = Z_OK;
    const char *text = gzerror(idx->file, &code);
    if (code == Z_ERRNO) return ann_error(ANN_ERR_IO, "%s: %s: %s", idx->path, what, strerror(errno));
    if (code == Z_OK || code == Z_STREAM_END)
        return ann_error(ANN_ERR_FORMAT, "%s: truncated in %s", idx->path, what);
    if (code == Z_BUF_ERROR) {
        return ann_error(ANN_ERR_FORMAT, "%s: truncated in %s (the gzip stream ends early)", idx->path, what);
    }
    return ann_error(ANN_ERR_FORMAT, "%s: damaged gzip data in %s: %s", idx->path, what, text);
}

/* Returns how many bytes there were. */
static size_t read_bytes(const anni_idx *idx, void *out, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        const size_t left = bytes - done;
        const int got = gzread(idx->file, (uint8_t *)out + done, left < INT_MAX ? (unsigned)left : INT_MAX);
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

static ann_status open_file(anni_idx *idx) {
    const int fd = open(idx->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const ann_status status = errno == ENOENT || errno == ENOTDIR ? ANN_ERR_NOT_FOUND : ANN_ERR_IO;
        return ann_error(status, "%s: %s", idx->path, strerror(errno));
    }
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return ann_error(ANN_ERR_IO, "%s: is not a regular file", idx->path);
    }
    idx->file_bytes = info.st_size;
    idx->file = gzdopen(fd, "rb");
    if (idx->file == NULL) {
        close(fd);
        return ann_error(ANN_ERR_MEMORY, "%s: out of memory", idx->path);
    }
    gzbuffer(idx->file, 1 << 17);
    return ANN_OK;
}

static ann_status check_magic(const anni_idx *idx, const uint8_t magic[4]) {
    if (magic[0] != 0 || magic[1] != 0) {
        return ann_error(ANN_ERR_FORMAT,
                         "%s: not an IDX file: magic %02x%02x%02x%02x, expected 0000, a type and a rank",
                         idx->path, magic[0], magic[1], magic[2], magic[3]);
    }
    for (size_t i = 0; i < sizeof idx_types / sizeof idx_types[0]; i++) {
        if (magic[2] == idx_types[i].code) {
            return ann_error(ANN_ERR_UNSUPPORTED, "%s: element type %s (0x%02x), accepted: u8 (0x08)",
                             idx->path, idx_types[i].name, magic[2]);
        }
    }
    if (magic[2] != 0x08) {
        return ann_error(ANN_ERR_FORMAT, "%s: not an IDX file: unknown element type 0x%02x", idx->path,
                         magic[2]);
    }
    if (magic[3] < 1 || magic[3] > ANN_MAX_RANK - 1) {
        return ann_error(ANN_ERR_FORMAT, "%s: wrong rank %d, accepted: 1 to %d", idx->path, magic[3],
                         ANN_MAX_RANK - 1);
    }
    return ANN_OK;
}

/* Why there are not as many bytes of data as the header says. */
static ann_status wrong_length(const anni_idx *idx, int64_t data_bytes, int64_t wanted_bytes) {
    if (data_bytes > wanted_bytes) {
        return ann_error(ANN_ERR_FORMAT, "%s: trailing bytes after the last of %" PRId64 " records",
                         idx->path, idx->shape.dim[0]);
    }
    return ann_error(ANN_ERR_FORMAT, "%s: truncated in record %" PRId64 " of %" PRId64, idx->path,
                     data_bytes / (int64_t)idx->record_bytes, idx->shape.dim[0]);
}

/* Before anything is allocated for what the header says. Deflate makes its input at most 1032 times smaller.
 */
static ann_status check_length(const anni_idx *idx, int64_t wanted_bytes) {
    const int64_t data_bytes = idx->file_bytes - 4 - 4 * idx->shape.rank;
    if (gzdirect(idx->file))
        return data_bytes == wanted_bytes ? ANN_OK : wrong_length(idx, data_bytes, wanted_bytes);
    if (wanted_bytes / 1032 <= idx->file_bytes) return ANN_OK;
    return ann_error(ANN_ERR_FORMAT,
                     "%s: truncated: %" PRId64 " bytes of gzip data cannot hold %" PRId64 " bytes", idx->path,
                     idx->file_bytes, wanted_bytes);
}

static ann_status read_header(anni_idx *idx) {
    uint8_t magic[4], extent[4];
    if (read_bytes(idx, magic, sizeof magic) < sizeof magic) return short_read(idx, "the header");
    const size_t length = strlen(idx->path);
    if (length > 3 && strcmp(idx->path + length - 3, ".gz") == 0 && gzdirect(idx->file)) {
        return ann_error(ANN_ERR_FORMAT, "%s: is not gzip data", idx->path);
    }
    ANN_TRY(check_magic(idx, magic));
    idx->shape.rank = magic[3];
    int64_t bytes = 1;
    for (int i = 0; i < idx->shape.rank; i++) {
        if (read_bytes(idx, extent, sizeof extent) < sizeof extent) return short_read(idx, "the header");
        const int64_t dim = (int64_t)extent[0] << 24 | extent[1] << 16 | extent[2] << 8 | extent[3];
        if (dim == 0) return ann_error(ANN_ERR_FORMAT, "%s: is empty (extent %d is 0)", idx->path, i);
        if (__builtin_mul_overflow(bytes, dim, &bytes)) {
            return ann_error(ANN_ERR_FORMAT, "%s: has too many elements", idx->path);
        }
        idx->shape.dim[i] = dim;
    }
    idx->record_bytes = (size_t)(bytes / idx->shape.dim[0]);
    return check_length(idx, bytes);
}

ann_status anni_idx_open(anni_idx *idx, const char *path) {
    *idx = (anni_idx){.path = path};
    ANN_TRY(open_file(idx));
    return read_header(idx);
}

/* Reading on makes zlib check the sum at the end of the gzip stream. */
static ann_status check_end(const anni_idx *idx) {
    uint8_t byte;
    const int got = gzread(idx->file, &byte, 1);
    if (got > 0) return wrong_length(idx, 1, 0);
    int code = Z_OK;
    gzerror(idx->file, &code);
    return got < 0 || (code != Z_OK && code != Z_STREAM_END) ? short_read(idx, "the end of the file")
                                                             : ANN_OK;
}

ann_status anni_idx_seek(anni_idx *idx, int64_t record) {
    if (record == idx->read) return ANN_OK;
    const int64_t offset = 4 + 4 * idx->shape.rank + record * (int64_t)idx->record_bytes;
    if (gzseek(idx->file, (z_off_t)offset, SEEK_SET) < 0) return short_read(idx, "the data");
    idx->read = record;
    return ANN_OK;
}

ann_status anni_idx_read(anni_idx *idx, void *out, int64_t n) {
    const size_t bytes = (size_t)n * idx->record_bytes;
    const size_t got = read_bytes(idx, out, bytes);
    if (got < bytes) {
        char what[64];
        const int64_t record = idx->read + (int64_t)(got / idx->record_bytes);
        snprintf(what, sizeof what, "record %" PRId64 " of %" PRId64, record, idx->shape.dim[0]);
        return short_read(idx, what);
    }
    idx->read += n;
    return idx->read == idx->shape.dim[0] ? check_end(idx) : ANN_OK;
}

void anni_idx_close(anni_idx *idx) {
    if (idx->file != NULL) gzclose(idx->file);
    idx->file = NULL;
}
