/* Reading a checkpoint's bytes: each once, in large reads, hashed while they are in cache. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "ckpt/files.h"
#include "ckpt/reader.h"
#include "ckpt/shard.h"

enum { THREADS = 2 }; /* one reads while the other hashes; more only wait for memory */
#define AHEAD_BYTES ((int64_t)32 << 20)

typedef struct load {
    const ann_ckpt *ckpt;
    const anni_load_job *jobs;
    int count;
    anni_load_report *report;
    void *to;
    atomic_int next;
    atomic_bool stop;
    pthread_mutex_t lock; /* of what is below */
    ann_status status;
    char text[1024]; /* of the first failure */
} load;

typedef struct reader { /* one thread's */
    load *load;
    int shard, fd;     /* the file opened last; shard -1: none */
    int64_t announced; /* up to here the kernel was told to read ahead */
    char *buffer;      /* ANNI_IO_BYTES, for what goes nowhere */
    char path[ANNI_PATH_BYTES];
} reader;

static void close_shard(reader *r) {
    if (r->shard >= 0) close(r->fd);
    r->shard = -1;
}

static ann_status open_shard(reader *r, int shard) {
    if (r->shard == shard) return ANN_OK;
    close_shard(r);
    ANN_TRY(anni_shard_open(&r->fd, r->path, r->load->ckpt->path, &r->load->ckpt->manifest->shards[shard]));
    r->shard = shard;
    r->announced = 0;
    (void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return ANN_OK;
}

/* Keeps the disk busy beyond the read at `offset`; only a hint. */
static void read_ahead(reader *r, int64_t offset) {
    if (offset + AHEAD_BYTES / 2 < r->announced) return;
    if (r->announced < offset) r->announced = offset;
    (void)posix_fadvise(r->fd, r->announced, AHEAD_BYTES, POSIX_FADV_WILLNEED);
    r->announced += AHEAD_BYTES;
}

/* Bytes [offset, offset + bytes) of the open shard, to target or nowhere. */
static ann_status read_run(reader *r, ann_hasher *hasher, char *target, int64_t bytes, int64_t offset) {
    while (bytes > 0) {
        const size_t n = bytes < (int64_t)ANNI_IO_BYTES ? (size_t)bytes : ANNI_IO_BYTES;
        char *to = target ? target : r->buffer;
        read_ahead(r, offset);
        ANN_TRY(anni_file_read_at(r->fd, to, n, offset, r->path));
        ann_hasher_update(hasher, to, n);
        if (target) target += n;
        offset += (int64_t)n;
        bytes -= (int64_t)n;
    }
    return ANN_OK;
}

static int64_t piece_bytes(const anni_manifest *m, const anni_piece *piece) {
    return piece->elems * (int64_t)ann_dtype_bytes(m->tensors[piece->tensor].dtype);
}

static ann_status load_piece(reader *r, const anni_shard *shard, const anni_load_job *job) {
    const anni_manifest *m = r->load->ckpt->manifest;
    const anni_piece *piece = &shard->pieces[job->piece];
    ann_hasher hasher;
    ann_hasher_begin(&hasher);
    ANN_TRY(read_run(r, &hasher, job->target, piece_bytes(m, piece), piece->offset_bytes));
    if (ann_hasher_end(&hasher) == piece->hash) return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of tensor %s, elements %lld to %lld", r->path,
                     m->tensors[piece->tensor].name, (long long)piece->begin,
                     (long long)(piece->begin + piece->elems - 1));
}

static ann_status load_rest(reader *r, const anni_shard *shard) {
    const anni_manifest *m = r->load->ckpt->manifest;
    ann_hasher hasher;
    int64_t at = 0;
    ann_hasher_begin(&hasher);
    for (int i = 0; i <= shard->piece_count; i++) {
        const anni_piece *piece = i < shard->piece_count ? &shard->pieces[i] : NULL;
        const int64_t end = piece ? piece->offset_bytes : shard->file_bytes;
        ANN_TRY(read_run(r, &hasher, NULL, end - at, at));
        if (piece) at = end + piece_bytes(m, piece);
    }
    if (ann_hasher_end(&hasher) == shard->rest_hash) return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of the bytes around the tensors", r->path);
}

static ann_status load_job(reader *r, const anni_load_job *job) {
    const anni_shard *shard = &r->load->ckpt->manifest->shards[job->shard];
    ANN_TRY(open_shard(r, job->shard));
    return job->piece < 0 ? load_rest(r, shard) : load_piece(r, shard, job);
}

static void take_failure(load *l, ann_status status) {
    pthread_mutex_lock(&l->lock);
    if (l->status == ANN_OK) {
        l->status = status;
        (void)snprintf(l->text, sizeof l->text, "%s", ann_error_text());
    }
    if (l->report) l->report(l->to, status, ann_error_text());
    else atomic_store(&l->stop, true);
    pthread_mutex_unlock(&l->lock);
}

static void *work(void *arg) {
    load *l = arg;
    reader r = {.load = l, .shard = -1, .buffer = malloc(ANNI_IO_BYTES)};
    if (!r.buffer) {
        take_failure(l, ann_error(ANN_ERR_MEMORY, "%s: no memory to read it", l->ckpt->path));
        return NULL;
    }
    for (int i; !atomic_load(&l->stop) && (i = atomic_fetch_add(&l->next, 1)) < l->count;) {
        const ann_status status = load_job(&r, &l->jobs[i]);
        if (status != ANN_OK) take_failure(l, status);
    }
    close_shard(&r);
    free(r.buffer);
    return NULL;
}

ann_status anni_load_run(const ann_ckpt *ckpt, const anni_load_job *jobs, int count, anni_load_report *report,
                         void *to) {
    load l = {.ckpt = ckpt,
              .jobs = jobs,
              .count = count,
              .report = report,
              .to = to,
              .lock = PTHREAD_MUTEX_INITIALIZER,
              .status = ANN_OK};
    pthread_t threads[THREADS - 1];
    int started = 0;
    while (started < THREADS - 1 && started < count - 1 &&
           pthread_create(&threads[started], NULL, work, &l) == 0)
        started++;
    work(&l);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&l.lock);
    return l.status == ANN_OK ? ANN_OK : ann_error(l.status, "%s", l.text);
}

ann_status anni_load_check(const ann_ckpt *ckpt, int first, int stride, anni_load_report *report, void *to) {
    const anni_manifest *m = ckpt->manifest;
    size_t room = 1, n = 0;
    for (int s = first; s < m->shard_count; s += stride) room += (size_t)m->shards[s].piece_count + 1;
    anni_load_job *jobs = malloc(room * sizeof *jobs);
    if (!jobs) return ann_error(ANN_ERR_MEMORY, "%s: no memory to check it", ckpt->path);
    for (int s = first; s < m->shard_count; s += stride)
        for (int i = -1; i < m->shards[s].piece_count; i++) jobs[n++] = (anni_load_job){s, i, NULL};
    const ann_status status = anni_load_run(ckpt, jobs, (int)n, report, to);
    free(jobs);
    return status;
}
