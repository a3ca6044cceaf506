#include "ckpt/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ckpt/audit.h"
#include "ckpt/files.h"
#include "ckpt/image.h"

/* ---- layout: a dataset "block-N" for each block of which this rank has a range ---- */

typedef struct span { /* a dataset's place in the file and in memory */
    int64_t begin, elems, offset_bytes;
    const char *data;
    size_t bytes;
} span;

static hid_t create_dataset(hid_t file, const char *name, ann_dtype dtype, int64_t elems) {
    const hsize_t extent = (hsize_t)elems;
    const hid_t space = H5Screate_simple(1, &extent, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    if (space >= 0 && creation >= 0 && H5Pset_layout(creation, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0)
        dataset = H5Dcreate2(file, name, anni_image_type(dtype), space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    return dataset;
}

static ann_status describe(hid_t dataset, const anni_block *block, int64_t begin) {
    ANN_TRY(anni_image_attr_str(dataset, "block", block->name));
    ANN_TRY(anni_image_attr_i64(dataset, "block_elems", block->elems));
    return anni_image_attr_i64(dataset, "begin", begin);
}

static ann_status lay_out_block(hid_t file, span *s, const anni_block *block, int index) {
    char name[32];
    (void)snprintf(name, sizeof name, "block-%06d", index);
    const hid_t dataset = create_dataset(file, name, block->dtype, s->elems);
    if (dataset < 0) return anni_image_error(name);
    s->offset_bytes = (int64_t)H5Dget_offset(dataset);
    const ann_status status =
        s->offset_bytes > 0 ? describe(dataset, block, s->begin) : anni_image_error(name);
    H5Dclose(dataset);
    return status;
}

static ann_status lay_out_blocks(hid_t file, span *spans, const anni_manifest *m, int rank) {
    ANN_TRY(anni_image_attr_str(file, "format", "annulus-checkpoint-shard"));
    ANN_TRY(anni_image_attr_i64(file, "step", m->step));
    ANN_TRY(anni_image_attr_i64(file, "rank", rank));
    ANN_TRY(anni_image_attr_i64(file, "size", m->shard_count));
    for (int i = 0; i < m->block_count; i++)
        if (spans[i].elems > 0) ANN_TRY(lay_out_block(file, &spans[i], &m->blocks[i], i));
    return ANN_OK;
}

/* Finds the ranges and lays the file out. The datasets must stand in the file in order of their blocks. */
static ann_status lay_out(anni_image *image, span *spans, const anni_manifest *m, int rank,
                          const ann_store *store) {
    size_t metadata_bytes = 4096;
    for (int i = 0; i < m->block_count; i++) {
        const anni_block *block = &m->blocks[i];
        metadata_bytes += 768 + strlen(block->name); /* measured: 450 and the name */
        const size_t width = ann_dtype_bytes(block->dtype);
        anni_shard_range(&spans[i].begin, &spans[i].elems, block->elems, rank, m->shard_count);
        spans[i].data =
            (const char *)ann_store_block_data(store, (ann_block){i}) + (size_t)spans[i].begin * width;
        spans[i].bytes = (size_t)spans[i].elems * width;
    }
    ANN_TRY(anni_image_begin(image, metadata_bytes));
    ANN_TRY(anni_image_end(image, lay_out_blocks(image->file, spans, m, rank)));
    int64_t end = 0;
    for (int i = 0; i < m->block_count; i++) {
        if (spans[i].elems == 0) continue;
        if (spans[i].offset_bytes < end) {
            anni_image_free(image);
            return ann_error(ANN_ERR_INTERNAL, "HDF5 placed block %s out of order", m->blocks[i].name);
        }
        end = spans[i].offset_bytes + (int64_t)spans[i].bytes;
    }
    return ANN_OK;
}

/* ---- checking a file against its checksums ---- */

static ann_status feed_file(anni_audit *audit, int fd, const char *path) {
    struct stat st;
    if (fstat(fd, &st) != 0) return anni_file_error("stat", path);
    if (st.st_size != audit->shard->file_bytes)
        return ann_error(ANN_ERR_CORRUPT, "%s: the shard has %lld bytes, not %lld", path,
                         (long long)st.st_size, (long long)audit->shard->file_bytes);
    char *buffer = malloc(ANNI_IO_BYTES);
    if (!buffer) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read it", path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    ann_status status = ANN_OK;
    while (status == ANN_OK && audit->at < st.st_size) {
        const int64_t left = st.st_size - audit->at;
        const size_t n = left < (int64_t)ANNI_IO_BYTES ? (size_t)left : ANNI_IO_BYTES;
        status = anni_file_read_at(fd, buffer, n, audit->at, path);
        if (status == ANN_OK) anni_audit_feed(audit, buffer, n);
    }
    free(buffer);
    return status;
}

static ann_status compare(const anni_audit *audit, const char *path) {
    for (int i = 0; i < audit->shard->piece_count; i++) {
        const anni_piece *piece = &audit->shard->pieces[i];
        if (audit->piece_hash[i] != piece->hash)
            return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of tensor %s, elements %lld to %lld", path,
                             audit->manifest->tensors[piece->tensor].name, (long long)piece->begin,
                             (long long)(piece->begin + piece->elems - 1));
    }
    if (anni_audit_rest(audit) != audit->shard->rest_hash)
        return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of the bytes around the tensors", path);
    return ANN_OK;
}

/* ---- writing ---- */

#define WRITEBACK_BYTES ((int64_t)8 << 20)

typedef struct writer {
    int fd;
    const char *path;
    const anni_image *image;
    int64_t started;  /* up to here, writing back has begun */
    anni_audit audit; /* audit.at is where the file is written to */
} writer;

/* Lets the disk begin with what has been written so far, while we go on; only a hint, failures show at fsync.
 */
static void start_writeback(writer *w) {
    if (w->audit.at - w->started < WRITEBACK_BYTES) return;
    (void)sync_file_range(w->fd, w->started, w->audit.at - w->started, SYNC_FILE_RANGE_WRITE);
    w->started = w->audit.at;
}

static ann_status write_data(writer *w, const char *data, size_t bytes) {
    while (bytes > 0) {
        const int64_t at = w->audit.at;
        const size_t room =
            ANNI_IO_BYTES - (size_t)at % ANNI_IO_BYTES; /* whole pages but for the first and last */
        const size_t n = bytes < room ? bytes : room;
        anni_audit_feed(&w->audit, data, n);
        ANN_TRY(anni_file_write_at(w->fd, data, n, at, w->path));
        start_writeback(w);
        data += n;
        bytes -= n;
    }
    return ANN_OK;
}

/* Up to `end`: what the image has, then zeros. */
static ann_status write_rest(writer *w, int64_t end) {
    static const char zeros[4096];
    const int64_t in_image = (int64_t)w->image->bytes < end ? (int64_t)w->image->bytes : end;
    if (in_image > w->audit.at)
        ANN_TRY(write_data(w, (const char *)w->image->data + w->audit.at, (size_t)(in_image - w->audit.at)));
    while (w->audit.at < end) {
        const int64_t left = end - w->audit.at;
        ANN_TRY(write_data(w, zeros, left < (int64_t)sizeof zeros ? (size_t)left : sizeof zeros));
    }
    return ANN_OK;
}

static ann_status write_spans(writer *w, const span *spans, int count) {
    for (int i = 0; i < count; i++) {
        if (spans[i].elems == 0) continue;
        ANN_TRY(write_rest(w, spans[i].offset_bytes));
        ANN_TRY(write_data(w, spans[i].data, spans[i].bytes));
    }
    return write_rest(w, w->image->file_bytes);
}

static void place_pieces(anni_shard *shard, const anni_manifest *m, const span *spans) {
    for (int i = 0; i < shard->piece_count; i++) {
        anni_piece *piece = &shard->pieces[i];
        const ann_tensor_info *t = &m->tensors[piece->tensor];
        const span *s = &spans[t->block.id];
        const int64_t first = t->offset_elems + piece->begin - s->begin; /* in the dataset */
        piece->offset_bytes = s->offset_bytes + first * (int64_t)ann_dtype_bytes(t->dtype);
    }
}

/* Reads the file back while the disk is still busy with it. It differs if the store changed between hashing
   and writing; such a checkpoint must not be committed, because then older ones may be removed. */
static ann_status read_back(const writer *w, uint64_t *hashes) {
    anni_audit again;
    anni_audit_begin(&again, w->audit.manifest, w->audit.shard, hashes);
    ANN_TRY(feed_file(&again, w->fd, w->path));
    return compare(&again, w->path);
}

static ann_status fill_file(writer *w, anni_shard *shard, const span *spans) {
    uint64_t *hashes = w->audit.piece_hash;
    ANN_TRY(write_spans(w, spans, w->audit.manifest->block_count));
    for (int i = 0; i < shard->piece_count; i++) shard->pieces[i].hash = hashes[i];
    shard->rest_hash = anni_audit_rest(&w->audit);
    shard->file_bytes = w->image->file_bytes;
    return read_back(w, hashes);
}

static ann_status write_file(const char *path, anni_manifest *m, int rank, const span *spans,
                             const anni_image *image) {
    anni_shard *shard = &m->shards[rank];
    uint64_t *hashes = ann_arena_alloc(m->arena, (size_t)(shard->piece_count + 1) * sizeof *hashes);
    if (!hashes) return ann_error(ANN_ERR_MEMORY, "%s: no memory for checksums", path);
    place_pieces(shard, m, spans);
    writer w = {.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), .path = path, .image = image};
    if (w.fd < 0) return anni_file_error("create", path);
    anni_audit_begin(&w.audit, m, shard, hashes);
    return anni_file_finish(w.fd, fill_file(&w, shard, spans), path);
}

ann_status anni_shard_write(const char *dir, anni_manifest *manifest, int rank, const ann_store *store) {
    char path[ANNI_PATH_BYTES];
    ANN_TRY(anni_path_join(path, dir, manifest->shards[rank].file));
    span *spans = ann_arena_alloc(manifest->arena, (size_t)(manifest->block_count + 1) * sizeof *spans);
    if (!spans) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its layout", path);
    anni_image image;
    ANN_TRY(lay_out(&image, spans, manifest, rank, store));
    const ann_status status = write_file(path, manifest, rank, spans, &image);
    anni_image_free(&image);
    return status;
}

/* ---- reading ---- */

ann_status anni_shard_open(int *fd, char *path, const char *dir, const anni_shard *shard) {
    ANN_TRY(anni_path_join(path, dir, shard->file));
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT) return ann_error(ANN_ERR_CORRUPT, "%s: the shard is missing", path);
    return *fd < 0 ? anni_file_error("open", path) : ANN_OK;
}
