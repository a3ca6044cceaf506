#include "ckpt/stream.h"

#include <fcntl.h>
#include <unistd.h>
#include "ckpt/shard.h"

void anni_stream_begin(anni_stream *s, const ann_ckpt *ckpt, int tensor) {
    s->ckpt = ckpt;
    s->tensor = tensor;
    s->next = ckpt->first_piece[tensor];
    s->at = 0;
    s->shard = -1;
    ann_hasher_begin(&s->hasher);
}

void anni_stream_end(anni_stream *s) {
    if (s->shard >= 0) close(s->fd);
    s->shard = -1;
}

static ann_status open_shard(anni_stream *s, int shard) {
    if (s->shard == shard) return ANN_OK;
    anni_stream_end(s);
    ANN_TRY(anni_shard_open(&s->fd, s->path, s->ckpt->path, &s->ckpt->manifest->shards[shard]));
    s->shard = shard;
    (void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return ANN_OK;
}

static ann_status end_piece(anni_stream *s, const anni_piece *piece) {
    const uint64_t hash = ann_hasher_end(&s->hasher);
    s->next++;
    s->at = 0;
    ann_hasher_begin(&s->hasher);
    if (hash == piece->hash) return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of tensor %s, elements %lld to %lld", s->path,
                     s->ckpt->manifest->tensors[s->tensor].name, (long long)piece->begin,
                     (long long)(piece->begin + piece->elems - 1));
}

ann_status anni_stream_read(anni_stream *s, void *out, size_t bytes) {
    const size_t width = ann_dtype_bytes(s->ckpt->manifest->tensors[s->tensor].dtype);
    for (char *to = out; bytes > 0;) {
        if (s->next >= s->ckpt->first_piece[s->tensor + 1])
            return ann_error(ANN_ERR_INTERNAL, "%s: read beyond the end of a tensor", s->ckpt->path);
        const anni_located *at = &s->ckpt->pieces[s->next];
        const size_t left = (size_t)at->piece->elems * width - (size_t)s->at;
        const size_t n = bytes < left ? bytes : left;
        ANN_TRY(open_shard(s, at->shard));
        ANN_TRY(anni_file_read_at(s->fd, to, n, at->piece->offset_bytes + s->at, s->path));
        ann_hasher_update(&s->hasher, to, n);
        s->at += (int64_t)n;
        to += n;
        bytes -= n;
        if (n == left) ANN_TRY(end_piece(s, at->piece));
    }
    return ANN_OK;
}
