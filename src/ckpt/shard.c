/* A shard is written past the page cache where the file system allows it, because the snapshot lies in memory
   as it is on disk, and copying it once more would cost more than the disk takes: 2.2 GB/s against 0.5 GB/s
   beside busy cores. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/hash.h"
#include "ckpt/files.h"
#include "ckpt/shard.h"
#include "ckpt/worker.h"

#define WRITE_BYTES ((size_t)8 << 20) /* of one write past the page cache */
#define CACHED_BYTES ((size_t)128 << 10)
#define DIRECT_FROM ((size_t)64 << 10) /* smaller files are not worth it */

/* ---- hashing ---- */

typedef struct hashing {
    const anni_manifest *manifest;
    const anni_snapshot *snapshot;
    anni_shard *shard;
    bool finite;
} hashing;

/* Integers, so that the compiler makes a vector loop of it. */
static bool all_finite(const char *data, size_t bytes) {
    const uint32_t *words = (const uint32_t *)(const void *)data;
    uint32_t bad = 0;
    for (size_t i = 0; i < bytes / sizeof *words; i++) bad |= (words[i] & 0x7F800000u) == 0x7F800000u;
    return bad == 0;
}

/* Hashes a piece, and looks at it while it is in cache. */
static bool hash_piece(anni_piece *piece, const char *data, size_t bytes, bool finite) {
    ann_hasher hasher;
    bool good = true;
    ann_hasher_begin(&hasher);
    for (size_t at = 0; at < bytes; at += CACHED_BYTES) {
        const size_t n = bytes - at < CACHED_BYTES ? bytes - at : CACHED_BYTES;
        ann_hasher_update(&hasher, data + at, n);
        if (finite) good = good && all_finite(data + at, n);
    }
    piece->hash = ann_hasher_end(&hasher);
    return good;
}

static ann_status hash(void *of) {
    const hashing *h = of;
    const anni_snapshot *s = h->snapshot;
    const ann_tensor_info *bad = NULL;
    ann_hasher rest;
    int64_t at = 0;
    ann_hasher_begin(&rest);
    for (int i = 0; i < h->shard->piece_count; i++) {
        anni_piece *piece = &h->shard->pieces[i];
        const ann_tensor_info *t = &h->manifest->tensors[piece->tensor];
        const int64_t bytes = piece->elems * (int64_t)ann_dtype_bytes(t->dtype);
        ann_hasher_update(&rest, s->data + at, (size_t)(piece->offset_bytes - at));
        at = piece->offset_bytes + bytes;
        if (!hash_piece(piece, s->data + piece->offset_bytes, (size_t)bytes,
                        h->finite && t->dtype == ANN_F32) &&
            !bad)
            bad = t;
    }
    ann_hasher_update(&rest, s->data + at, (size_t)(s->file_bytes - at));
    h->shard->rest_hash = ann_hasher_end(&rest);
    return bad ? ann_error(ANN_ERR_NUMERIC, "%s holds a number that is not finite", bad->name) : ANN_OK;
}

/* ---- writing ---- */

static void set_direct(int fd, bool on) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) (void)fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
}

static bool is_direct(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT);
}

/* Whole pages past the page cache, and then the end is cut off. Returns how far it came before the file
   system refused this way of writing: from there on it is to be done the other way. */
static int64_t write_direct(int fd, const anni_snapshot *s) {
    int64_t at = 0;
    set_direct(fd, true);
    while (is_direct(fd) && at < (int64_t)s->bytes) {
        const size_t left = s->bytes - (size_t)at;
        const ssize_t n = pwrite(fd, s->data + at, left < WRITE_BYTES ? left : WRITE_BYTES, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += n;
    }
    set_direct(fd, false);
    return at;
}

static ann_status write_all(int fd, const char *path, const anni_snapshot *s) {
    int64_t at = s->bytes >= DIRECT_FROM ? write_direct(fd, s) : 0;
    while (at < s->file_bytes) {
        const int64_t left = s->file_bytes - at;
        const size_t n = left < (int64_t)ANNI_IO_BYTES ? (size_t)left : ANNI_IO_BYTES;
        ANN_TRY(anni_file_write_at(fd, s->data + at, n, at, path));
        /* Lets the disk begin while we go on; only a hint, failures show at fsync. */
        (void)sync_file_range(fd, at, (off_t)n, SYNC_FILE_RANGE_WRITE);
        at += (int64_t)n;
    }
    if (at > s->file_bytes && ftruncate(fd, s->file_bytes) != 0) return anni_file_error("cut", path);
    return ANN_OK;
}

static ann_status write_file(const char *path, const anni_snapshot *s) {
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return anni_file_error("create", path);
    return anni_file_finish(fd, write_all(fd, path, s), path);
}

ann_status anni_shard_write(const char *dir, anni_manifest *manifest, const anni_snapshot *snapshot,
                            bool finite) {
    char path[ANNI_PATH_BYTES];
    hashing h = {manifest, snapshot, &manifest->shards[snapshot->shard], finite};
    anni_worker hasher;
    ANN_TRY(anni_path_join(path, dir, h.shard->file));
    ANN_TRY(anni_worker_init(&hasher));
    anni_worker_start(&hasher, hash, &h);
    ann_status status = write_file(path, snapshot);
    if (status == ANN_OK) status = anni_worker_join(&hasher);
    anni_worker_fini(&hasher);
    return status;
}

/* ---- reading ---- */

ann_status anni_shard_open(int *fd, char *path, const char *dir, const anni_shard *shard) {
    ANN_TRY(anni_path_join(path, dir, shard->file));
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT) return ann_error(ANN_ERR_CORRUPT, "%s: the shard is missing", path);
    return *fd < 0 ? anni_file_error("open", path) : ANN_OK;
}
