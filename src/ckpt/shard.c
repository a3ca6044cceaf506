/* A shard is written past the page cache where the file system allows it, because the snapshot lies in memory
   as it is on disk, and copying it once more would cost more than the disk takes: 2.2 GB/s against 0.5 GB/s
   beside busy cores. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "ckpt/audit.h"
#include "ckpt/files.h"
#include "ckpt/shard.h"
#include "ckpt/worker.h"

#define WRITE_BYTES ((size_t)8 << 20)  /* of one write past the page cache */
#define DIRECT_FROM ((size_t)64 << 10) /* smaller files are not worth it */

/* ---- hashing ---- */

typedef struct hashing {
    const anni_manifest *manifest;
    const anni_snapshot *snapshot;
    anni_shard *shard;
    bool finite;
} hashing;

static bool all_finite(const float *values, int64_t elems) {
    float sum = 0; /* of zeros: x - x is 0 or NaN */
    for (int64_t i = 0; i < elems; i++) sum += values[i] - values[i];
    return sum == 0;
}

static ann_status check_finite(const hashing *h) {
    for (int i = 0; i < h->shard->piece_count; i++) {
        const anni_piece *piece = &h->shard->pieces[i];
        const ann_tensor_info *t = &h->manifest->tensors[piece->tensor];
        const void *data = h->snapshot->data + piece->offset_bytes;
        if (t->dtype == ANN_F32 && !all_finite(data, piece->elems))
            return ann_error(ANN_ERR_NUMERIC, "%s holds a number that is not finite", t->name);
    }
    return ANN_OK;
}

static ann_status hash(void *of) {
    const hashing *h = of;
    const anni_snapshot *s = h->snapshot;
    uint64_t *hashes = malloc((size_t)(h->shard->piece_count + 1) * sizeof *hashes);
    anni_audit audit;
    if (!hashes) return ann_error(ANN_ERR_MEMORY, "no memory for checksums");
    anni_audit_begin(&audit, h->manifest, h->shard, hashes);
    anni_audit_feed(&audit, s->data, (size_t)s->file_bytes);
    for (int i = 0; i < h->shard->piece_count; i++) h->shard->pieces[i].hash = hashes[i];
    h->shard->rest_hash = anni_audit_rest(&audit);
    free(hashes);
    return h->finite ? check_finite(h) : ANN_OK;
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
