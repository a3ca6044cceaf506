#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/files.h"
#include "ckpt/manifest.h"
#include "ckpt/reader.h"
#include "ckpt/shard.h"

typedef struct located { /* a piece and where it is */
    const anni_piece *piece;
    int shard;
} located;

struct ann_ckpt {
    char *path;
    anni_manifest *manifest;
    located *pieces;  /* by tensor, then by position */
    int *first_piece; /* of each tensor; [tensor_count] is the number of pieces */
};

void ann_ckpt_close(ann_ckpt *ckpt) {
    if (!ckpt) return;
    anni_manifest_free(ckpt->manifest);
    free(ckpt->path);
    free(ckpt->pieces);
    free(ckpt->first_piece);
    free(ckpt);
}

static int compare_located(const void *a, const void *b) {
    const anni_piece *p = ((const located *)a)->piece, *q = ((const located *)b)->piece;
    if (p->tensor != q->tensor) return p->tensor < q->tensor ? -1 : 1;
    return (p->begin > q->begin) - (p->begin < q->begin);
}

/* Sorts the pieces by tensor, and checks that those of each tensor cover it exactly once. */
static ann_status index_pieces(ann_ckpt *ckpt) {
    const anni_manifest *m = ckpt->manifest;
    size_t count = 0;
    for (int s = 0; s < m->shard_count; s++) count += (size_t)m->shards[s].piece_count;
    ckpt->pieces = calloc(count + 1, sizeof *ckpt->pieces);
    ckpt->first_piece = calloc((size_t)m->tensor_count + 1, sizeof *ckpt->first_piece);
    if (!ckpt->pieces || !ckpt->first_piece)
        return ann_error(ANN_ERR_MEMORY, "%s: no memory for its index", ckpt->path);
    count = 0;
    for (int s = 0; s < m->shard_count; s++)
        for (int i = 0; i < m->shards[s].piece_count; i++)
            ckpt->pieces[count++] = (located){.piece = &m->shards[s].pieces[i], .shard = s};
    qsort(ckpt->pieces, count, sizeof *ckpt->pieces, compare_located);
    size_t at = 0;
    for (int t = 0; t < m->tensor_count; t++) {
        int64_t covered = 0;
        ckpt->first_piece[t] = (int)at;
        for (; at < count && ckpt->pieces[at].piece->tensor == t && ckpt->pieces[at].piece->begin == covered;
             at++)
            covered += ckpt->pieces[at].piece->elems;
        if (covered != ann_shape_elems(&m->tensors[t].shape))
            return ann_error(ANN_ERR_FORMAT,
                             "%s/" ANNI_MANIFEST_NAME ": no shard has element %lld of tensor %s", ckpt->path,
                             (long long)covered, m->tensors[t].name);
    }
    ckpt->first_piece[m->tensor_count] = (int)at;
    return at == count
               ? ANN_OK
               : ann_error(ANN_ERR_FORMAT, "%s/" ANNI_MANIFEST_NAME ": two pieces overlap", ckpt->path);
}

/* whole.h5 is for other programs: a damaged one costs them, not us. */
static void check_whole(const ann_ckpt *ckpt) {
    char path[ANNI_PATH_BYTES], *data = NULL;
    size_t bytes = 0;
    ann_status status = anni_path_join(path, ckpt->path, ANNI_WHOLE_NAME);
    if (status == ANN_OK) status = anni_file_read(&data, &bytes, path);
    if (status != ANN_OK || (int64_t)bytes != ckpt->manifest->whole_bytes ||
        ann_hash(data, bytes, 0) != ckpt->manifest->whole_hash)
        ann_log_line(ANN_LOG_WARN,
                     "%s/" ANNI_WHOLE_NAME " is damaged; the checkpoint itself does not need it", ckpt->path);
    free(data);
    if (status != ANN_OK) ann_error_clear();
}

ann_status anni_ckpt_open_some(ann_ckpt **out, const char *path, int first, int stride) {
    *out = NULL;
    ann_ckpt *ckpt = calloc(1, sizeof *ckpt);
    if (!ckpt) return ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    ckpt->path = strdup(path);
    ann_status status = ckpt->path ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    if (status == ANN_OK) status = anni_manifest_read(&ckpt->manifest, path);
    if (status == ANN_OK) status = index_pieces(ckpt);
    for (int s = first; status == ANN_OK && s < ckpt->manifest->shard_count; s += stride)
        status = anni_shard_verify(path, ckpt->manifest, s);
    if (status != ANN_OK) {
        ann_ckpt_close(ckpt);
        return status;
    }
    if (first == 0) check_whole(ckpt);
    *out = ckpt;
    return ANN_OK;
}

ann_status ann_ckpt_open(ann_ckpt **out, const char *path) { return anni_ckpt_open_some(out, path, 0, 1); }

int64_t ann_ckpt_step(const ann_ckpt *ckpt) { return ckpt->manifest->step; }
const ann_meta *ann_ckpt_meta(const ann_ckpt *ckpt) { return ckpt->manifest->meta; }
int ann_ckpt_tensor_count(const ann_ckpt *ckpt) { return ckpt->manifest->tensor_count; }
const ann_tensor_info *ann_ckpt_tensor(const ann_ckpt *ckpt, int i) {
    return i >= 0 && i < ckpt->manifest->tensor_count ? &ckpt->manifest->tensors[i] : NULL;
}

/* The shard opened last: tensors that follow each other are mostly in the same one. */
typedef struct source {
    int shard, fd;
    char path[ANNI_PATH_BYTES];
} source;

static void close_source(source *from) {
    if (from->shard >= 0) close(from->fd);
    from->shard = -1;
}

static ann_status read_piece(const ann_ckpt *ckpt, source *from, const located *at, void *out) {
    const anni_piece *piece = at->piece;
    const size_t width = ann_dtype_bytes(ckpt->manifest->tensors[piece->tensor].dtype);
    if (from->shard != at->shard) {
        close_source(from);
        ANN_TRY(anni_shard_open(&from->fd, from->path, ckpt->path, &ckpt->manifest->shards[at->shard]));
        from->shard = at->shard;
    }
    return anni_file_read_at(from->fd, (char *)out + (size_t)piece->begin * width,
                             (size_t)piece->elems * width, piece->offset_bytes, from->path);
}

static ann_status read_tensor(const ann_ckpt *ckpt, source *from, int tensor, void *out) {
    for (int i = ckpt->first_piece[tensor]; i < ckpt->first_piece[tensor + 1]; i++)
        ANN_TRY(read_piece(ckpt, from, &ckpt->pieces[i], out));
    return ANN_OK;
}

static ann_status find(int *out, const ann_ckpt *ckpt, const char *name) {
    for (*out = 0; *out < ckpt->manifest->tensor_count; (*out)++)
        if (strcmp(ckpt->manifest->tensors[*out].name, name) == 0) return ANN_OK;
    return ann_error(ANN_ERR_NOT_FOUND, "%s has no tensor %s", ckpt->path, name);
}

ann_status ann_ckpt_read(const ann_ckpt *ckpt, const char *name, void *out) {
    int tensor;
    ANN_TRY(find(&tensor, ckpt, name));
    source from = {.shard = -1};
    const ann_status status = read_tensor(ckpt, &from, tensor, out);
    close_source(&from);
    return status;
}

/* The checkpoint's tensor that fills `info`. */
static ann_status match(int *out, const ann_ckpt *ckpt, const ann_tensor_info *info) {
    ANN_TRY(find(out, ckpt, info->name));
    const ann_tensor_info *saved = &ckpt->manifest->tensors[*out];
    if (saved->dtype != info->dtype)
        return ann_error(ANN_ERR_DTYPE, "%s: tensor %s is %s there and %s here", ckpt->path, info->name,
                         ann_dtype_name(saved->dtype), ann_dtype_name(info->dtype));
    if (!ann_shape_equal(&saved->shape, &info->shape)) {
        char there[128], here[128];
        return ann_error(ANN_ERR_SHAPE, "%s: tensor %s is %s there and %s here", ckpt->path, info->name,
                         ann_shape_str(there, sizeof there, &saved->shape),
                         ann_shape_str(here, sizeof here, &info->shape));
    }
    return ANN_OK;
}

ann_status ann_ckpt_restore(const ann_ckpt *ckpt, ann_store *store) {
    int tensor;
    if (ann_store_count(store) > 0 && !ann_store_data(store, (ann_tensor){0}))
        return ann_error(ANN_ERR_ARG, "a store is restored before its commit");
    for (int i = 0; i < ann_store_count(store); i++) /* nothing is overwritten unless all of it fits */
        ANN_TRY(match(&tensor, ckpt, ann_store_info(store, (ann_tensor){i})));
    source from = {.shard = -1};
    ann_status status = ANN_OK;
    for (int i = 0; i < ann_store_count(store) && status == ANN_OK; i++) {
        status = match(&tensor, ckpt, ann_store_info(store, (ann_tensor){i}));
        if (status == ANN_OK)
            status = read_tensor(ckpt, &from, tensor, ann_store_data(store, (ann_tensor){i}));
    }
    close_source(&from);
    return status;
}
