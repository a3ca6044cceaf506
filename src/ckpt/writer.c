#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <errno.h>
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/commit.h"
#include "ckpt/manifest.h"
#include "ckpt/shard.h"

/* One attempt to write a checkpoint. Every stage ends in ann_agree, so all ranks take the same way through
 * it. */
typedef struct attempt {
    anni_commit commit;
    anni_manifest *manifest;
    const ann_store *store;
    int rank, size;
    uint64_t *words;   /* what exchange sends and receives: of this rank, then of each */
    size_t word_count; /* of one rank */
} attempt;

/* ---- stage 1: the same checkpoint everywhere ---- */

static ann_status begin(attempt *a, const char *dir, int64_t step, const ann_store *store,
                        const ann_meta *meta, int keep) {
    a->store = store;
    ANN_TRY(anni_commit_init(&a->commit, dir, step));
    if (keep < 0) return ann_error(ANN_ERR_ARG, "%s: %d checkpoints to keep", dir, keep);
    if (ann_store_count(store) > 0 && !ann_store_data(store, (ann_tensor){0}))
        return ann_error(ANN_ERR_ARG, "%s: a checkpoint of a store before its commit", dir);
    ANN_TRY(anni_manifest_plan(&a->manifest, store, meta, step, a->size));
    a->word_count = 2 + 2 * (size_t)a->manifest->tensor_count;
    a->words = ann_arena_alloc(a->manifest->arena, a->word_count * ((size_t)a->size + 1) * sizeof *a->words);
    return a->words ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: no memory for checksums", a->commit.part);
}

static uint64_t layout_hash(const anni_manifest *m) {
    uint64_t hash = ann_hash(&m->step, sizeof m->step, 0);
    for (int i = 0; i < m->block_count; i++) hash = ann_hash(&m->blocks[i].elems, sizeof(int64_t), hash);
    for (int i = 0; i < m->tensor_count; i++) {
        const ann_tensor_info *t = &m->tensors[i];
        const int64_t numbers[] = {t->dtype, t->role, t->block.id, t->offset_elems, t->shape.rank};
        hash = ann_hash(numbers, sizeof numbers, hash);
        hash = ann_hash(t->shape.dim, sizeof t->shape.dim, hash);
        hash = ann_hash(t->name, strlen(t->name), hash);
    }
    return hash;
}

static ann_status check_same(ann_comm *comm, const attempt *a) {
    const uint64_t mine = layout_hash(a->manifest);
    uint64_t first = mine;
    ANN_TRY(ann_comm_broadcast(comm, &first, sizeof first, 0));
    return ann_agree(comm, first == mine ? ANN_OK
                                         : ann_error(ANN_ERR_ARG, "%s: another step or store than on rank 0",
                                                     a->commit.part));
}

/* ---- stage 2: the shards ---- */

static ann_status write_shard(attempt *a) {
    /* On a network file system this also makes rank 0's new directory visible here. */
    if (mkdir(a->commit.part, 0777) != 0 && errno != EEXIST)
        return anni_file_error("create the directory", a->commit.part);
    return anni_shard_write(a->commit.part, a->manifest, a->rank, a->store);
}

/* What a rank tells the others about its shard: size, rest hash, then offset and hash of its piece of each
 * tensor. */
static void pack(uint64_t *words, const anni_shard *shard) {
    words[0] = (uint64_t)shard->file_bytes;
    words[1] = shard->rest_hash;
    for (int i = 0; i < shard->piece_count; i++) {
        words[2 + 2 * i] = (uint64_t)shard->pieces[i].offset_bytes;
        words[3 + 2 * i] = shard->pieces[i].hash;
    }
}

static void unpack(anni_shard *shard, const uint64_t *words) {
    shard->file_bytes = (int64_t)words[0];
    shard->rest_hash = words[1];
    for (int i = 0; i < shard->piece_count; i++) {
        shard->pieces[i].offset_bytes = (int64_t)words[2 + 2 * i];
        shard->pieces[i].hash = words[3 + 2 * i];
    }
}

static ann_status exchange(ann_comm *comm, attempt *a) {
    uint64_t *all = a->words + a->word_count;
    pack(a->words, &a->manifest->shards[a->rank]);
    ANN_TRY(ann_comm_allgather(comm, all, a->words, a->word_count * sizeof *all));
    for (int r = 0; r < a->size; r++) unpack(&a->manifest->shards[r], all + (size_t)r * a->word_count);
    return ANN_OK;
}

/* ---- stage 3, rank 0: manifest and commit ---- */

static ann_status check_shards_here(const attempt *a) {
    for (int r = 0; r < a->size; r++) {
        char path[ANNI_PATH_BYTES];
        struct stat st;
        ANN_TRY(anni_path_join(path, a->commit.part, a->manifest->shards[r].file));
        if (stat(path, &st) != 0 || st.st_size != a->manifest->shards[r].file_bytes)
            return ann_error(ANN_ERR_IO,
                             "%s: rank %d wrote it, but rank 0 does not see it: do all ranks share %s?", path,
                             r, a->commit.dir);
    }
    return ANN_OK;
}

static ann_status write_manifest(const attempt *a) {
    char path[ANNI_PATH_BYTES], temporary[ANNI_PATH_BYTES], *text;
    size_t bytes;
    ANN_TRY(anni_path_join(path, a->commit.part, ANNI_MANIFEST_NAME));
    ANN_TRY(anni_path_join(temporary, a->commit.part, ANNI_MANIFEST_NAME ".tmp"));
    ANN_TRY(anni_manifest_print(&text, &bytes, a->manifest));
    const ann_status status = anni_file_write(temporary, text, bytes);
    free(text);
    ANN_TRY(status);
    return anni_rename(temporary, path);
}

static ann_status finish(attempt *a) {
    ANN_TRY(check_shards_here(a));
    ANN_TRY(anni_whole_write(a->commit.part, a->manifest, a->store));
    ANN_TRY(write_manifest(a));
    return anni_commit_publish(&a->commit);
}

/* ---- all stages ---- */

static ann_status write_all(ann_comm *comm, attempt *a) {
    const bool root = a->rank == 0;
    ANN_TRY(ann_agree(comm, root ? anni_commit_prepare(&a->manifest->serial, &a->commit) : ANN_OK));
    ANN_TRY(ann_agree(comm, write_shard(a)));
    ANN_TRY(exchange(comm, a));
    return ann_agree(comm, root ? finish(a) : ANN_OK);
}

static ann_status attempt_write(ann_comm *comm, attempt *a, ann_status begun, int keep) {
    ANN_TRY(ann_agree(comm, begun));
    ANN_TRY(check_same(comm, a));
    const ann_status status = write_all(comm, a);
    if (status == ANN_OK) {
        if (a->rank == 0) anni_commit_retain(&a->commit, keep);
        return ANN_OK;
    }
    anni_commit_abandon(&a->commit, a->rank == 0);
    ANN_TRY(ann_comm_barrier(comm)); /* nobody returns before all is taken back */
    return status;
}

ann_status ann_ckpt_write(ann_comm *comm, const char *dir, int64_t step, const ann_store *store,
                          const ann_meta *meta, int keep) {
    attempt a = {.rank = ann_comm_rank(comm), .size = ann_comm_size(comm)};
    const ann_status status = attempt_write(comm, &a, begin(&a, dir, step, store, meta, keep), keep);
    anni_manifest_free(a.manifest);
    return status;
}
