#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/files.h"
#include "ckpt/reader.h"

void ann_ckpt_close(ann_ckpt *ckpt) {
    if (!ckpt) return;
    anni_manifest_free(ckpt->manifest);
    free(ckpt->path);
    free(ckpt->pieces);
    free(ckpt->first_piece);
    free(ckpt);
}

static int compare_located(const void *a, const void *b) {
    const anni_piece *p = ((const anni_located *)a)->piece, *q = ((const anni_located *)b)->piece;
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
            ckpt->pieces[count++] = (anni_located){.piece = &m->shards[s].pieces[i], .shard = s};
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

bool anni_ckpt_whole_is_good(const ann_ckpt *ckpt) {
    char path[ANNI_PATH_BYTES], *data = NULL;
    size_t bytes = 0;
    ann_status status = anni_path_join(path, ckpt->path, ANNI_WHOLE_NAME);
    if (status == ANN_OK) status = anni_file_read(&data, &bytes, path);
    const bool good = status == ANN_OK && (int64_t)bytes == ckpt->manifest->whole_bytes &&
                      ann_hash(data, bytes, 0) == ckpt->manifest->whole_hash;
    free(data);
    if (status != ANN_OK) ann_error_clear();
    return good;
}

/* The shards are there and have the sizes that the manifest says. */
static ann_status check_sizes(const ann_ckpt *ckpt) {
    for (int s = 0; s < ckpt->manifest->shard_count; s++) {
        const anni_shard *shard = &ckpt->manifest->shards[s];
        char path[ANNI_PATH_BYTES];
        struct stat st;
        ANN_TRY(anni_path_join(path, ckpt->path, shard->file));
        if (stat(path, &st) != 0 && errno == ENOENT)
            return ann_error(ANN_ERR_CORRUPT, "%s: the shard is missing", path);
        if (stat(path, &st) != 0) return anni_file_error("stat", path);
        if (st.st_size != shard->file_bytes)
            return ann_error(ANN_ERR_CORRUPT, "%s: the shard has %lld bytes, not %lld", path,
                             (long long)st.st_size, (long long)shard->file_bytes);
    }
    return ANN_OK;
}

static ann_status open_manifest(ann_ckpt *ckpt, const char *path) {
    ckpt->path = strdup(path);
    if (!ckpt->path) return ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    ANN_TRY(anni_manifest_read(&ckpt->manifest, path));
    return index_pieces(ckpt);
}

ann_status anni_ckpt_open_manifest(ann_ckpt **out, const char *path) {
    *out = NULL;
    ann_ckpt *ckpt = calloc(1, sizeof *ckpt);
    if (!ckpt) return ann_error(ANN_ERR_MEMORY, "%s: no memory to open it", path);
    const ann_status status = open_manifest(ckpt, path);
    if (status == ANN_OK) *out = ckpt;
    else ann_ckpt_close(ckpt);
    return status;
}

/* Hands out the checkpoint if its check went well. */
static ann_status finish_open(ann_ckpt **out, ann_status status) {
    if (status == ANN_OK) return ANN_OK;
    ann_ckpt_close(*out);
    *out = NULL;
    return status;
}

ann_status ann_ckpt_peek(ann_ckpt **out, const char *path) {
    ANN_TRY(anni_ckpt_open_manifest(out, path));
    return finish_open(out, check_sizes(*out));
}

ann_status anni_ckpt_open_some(ann_ckpt **out, const char *path, int first, int stride) {
    ANN_TRY(ann_ckpt_peek(out, path));
    ANN_TRY(finish_open(out, anni_load_check(*out, first, stride, NULL, NULL)));
    if (first == 0 && !anni_ckpt_whole_is_good(*out))
        ann_log_line(ANN_LOG_WARN,
                     "%s/" ANNI_WHOLE_NAME " is damaged; the checkpoint itself does not need it", path);
    return ANN_OK;
}

ann_status ann_ckpt_open(ann_ckpt **out, const char *path) { return anni_ckpt_open_some(out, path, 0, 1); }

const char *ann_ckpt_path(const ann_ckpt *ckpt) { return ckpt->path; }
int64_t ann_ckpt_serial(const ann_ckpt *ckpt) { return ckpt->manifest->serial; }
int64_t ann_ckpt_step(const ann_ckpt *ckpt) { return ckpt->manifest->step; }
const ann_meta *ann_ckpt_meta(const ann_ckpt *ckpt) { return ckpt->manifest->meta; }
int ann_ckpt_tensor_count(const ann_ckpt *ckpt) { return ckpt->manifest->tensor_count; }
const ann_tensor_info *ann_ckpt_tensor(const ann_ckpt *ckpt, int i) {
    return i >= 0 && i < ckpt->manifest->tensor_count ? &ckpt->manifest->tensors[i] : NULL;
}

int ann_ckpt_shard_count(const ann_ckpt *ckpt) { return ckpt->manifest->shard_count; }
const char *ann_ckpt_shard(const ann_ckpt *ckpt, int i, int64_t *bytes) {
    if (i < 0 || i >= ckpt->manifest->shard_count) return NULL;
    *bytes = ckpt->manifest->shards[i].file_bytes;
    return ckpt->manifest->shards[i].file;
}
const char *ann_ckpt_block_name(const ann_ckpt *ckpt, ann_block block) {
    return block.id >= 0 && block.id < ckpt->manifest->block_count ? ckpt->manifest->blocks[block.id].name
                                                                   : NULL;
}
void ann_ckpt_tensor_shards(const ann_ckpt *ckpt, int i, int *first, int *last) {
    *first = ckpt->pieces[ckpt->first_piece[i]].shard;
    *last = ckpt->pieces[ckpt->first_piece[i + 1] - 1].shard;
}

ann_status anni_ckpt_find(int *out, const ann_ckpt *ckpt, const char *name) {
    for (*out = 0; *out < ckpt->manifest->tensor_count; (*out)++)
        if (strcmp(ckpt->manifest->tensors[*out].name, name) == 0) return ANN_OK;
    return ann_error(ANN_ERR_NOT_FOUND, "%s has no tensor %s", ckpt->path, name);
}

/* ---- reading into memory ---- */

static anni_load_job job_of(const ann_ckpt *ckpt, const anni_located *at, char *target) {
    const anni_shard *shard = &ckpt->manifest->shards[at->shard];
    const size_t width = ann_dtype_bytes(ckpt->manifest->tensors[at->piece->tensor].dtype);
    return (anni_load_job){at->shard, (int)(at->piece - shard->pieces),
                           target + (size_t)at->piece->begin * width};
}

ann_status ann_ckpt_read(const ann_ckpt *ckpt, const char *name, void *out) {
    int tensor;
    ANN_TRY(anni_ckpt_find(&tensor, ckpt, name));
    const int first = ckpt->first_piece[tensor], count = ckpt->first_piece[tensor + 1] - first;
    anni_load_job *jobs = malloc((size_t)(count + 1) * sizeof *jobs);
    if (!jobs) return ann_error(ANN_ERR_MEMORY, "%s: no memory to read %s", ckpt->path, name);
    for (int i = 0; i < count; i++) jobs[i] = job_of(ckpt, &ckpt->pieces[first + i], out);
    const ann_status status = anni_load_run(ckpt, jobs, count, NULL, NULL);
    free(jobs);
    return status;
}

/* The checkpoint's tensor that fills `info`; mostly it has the number `guess`. */
static ann_status match(int *out, const ann_ckpt *ckpt, const ann_tensor_info *info, int guess) {
    *out = guess;
    if (guess >= ckpt->manifest->tensor_count || strcmp(ckpt->manifest->tensors[guess].name, info->name) != 0)
        ANN_TRY(anni_ckpt_find(out, ckpt, info->name));
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

/* targets[i]: where the checkpoint's tensor i goes, NULL if the store has none of its name. */
static ann_status find_targets(char **targets, const ann_ckpt *ckpt, const ann_store *store) {
    int tensor;
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->role == ANN_ROLE_SCRATCH) continue;
        ANN_TRY(match(&tensor, ckpt, info, i));
        targets[tensor] = ann_store_data(store, (ann_tensor){i});
        if (!targets[tensor]) return ann_error(ANN_ERR_ARG, "a store is restored before its commit");
    }
    return ANN_OK;
}

/* In the order of the files: the rest of each shard, and those of its pieces that go somewhere. */
static int list_jobs(anni_load_job *jobs, const ann_ckpt *ckpt, char *const *targets) {
    int n = 0;
    for (int s = 0; s < ckpt->manifest->shard_count; s++) {
        const anni_shard *shard = &ckpt->manifest->shards[s];
        jobs[n++] = (anni_load_job){s, -1, NULL};
        for (int i = 0; i < shard->piece_count; i++)
            if (targets[shard->pieces[i].tensor])
                jobs[n++] =
                    job_of(ckpt, &(anni_located){&shard->pieces[i], s}, targets[shard->pieces[i].tensor]);
    }
    return n;
}

ann_status ann_ckpt_restore(const ann_ckpt *ckpt, ann_store *store) {
    const anni_manifest *m = ckpt->manifest;
    const size_t room = (size_t)ckpt->first_piece[m->tensor_count] + (size_t)m->shard_count + 1;
    char **targets = calloc((size_t)m->tensor_count + 1, sizeof *targets);
    anni_load_job *jobs = malloc(room * sizeof *jobs);
    ann_status status = targets && jobs
                            ? find_targets(targets, ckpt, store)
                            : ann_error(ANN_ERR_MEMORY, "%s: no memory to restore it", ckpt->path);
    if (status == ANN_OK) status = anni_load_run(ckpt, jobs, list_jobs(jobs, ckpt, targets), NULL, NULL);
    free(jobs);
    free(targets);
    return status;
}
