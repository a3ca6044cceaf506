/* A checkpoint in another number of shards. */
#include "ckpt/rewrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ckpt/commit.h"
#include "ckpt/reader.h"
#include "ckpt/shard.h"
#include "ckpt/tools.h"

/* ---- writing ---- */

static ann_status write_shard(const anni_commit *commit, anni_manifest *m, int shard,
                              const ann_store *store) {
    anni_snapshot snapshot;
    ANN_TRY(anni_snapshot_init(&snapshot, m, shard));
    anni_snapshot_take(&snapshot, m, store);
    ann_status status = anni_snapshot_label(&snapshot, m);
    if (status == ANN_OK) status = anni_shard_write(commit->part, m, &snapshot, false);
    anni_snapshot_fini(&snapshot);
    return status;
}

static ann_status write_whole(const anni_commit *commit, anni_manifest *m, const ann_store *store) {
    uint64_t *scalars = calloc((size_t)m->tensor_count + 1, sizeof *scalars);
    if (!scalars) return ann_error(ANN_ERR_MEMORY, "%s: no memory for " ANNI_WHOLE_NAME, commit->part);
    for (int32_t i = 0; i < m->tensor_count; i++)
        if (m->tensors[i].shape.rank == 0)
            memcpy(&scalars[i], ann_store_data(store, (ann_tensor){i}), ann_dtype_bytes(m->tensors[i].dtype));
    const ann_status status = anni_whole_write(commit->part, m, scalars);
    free(scalars);
    return status;
}

static ann_status write_all(anni_commit *commit, anni_manifest *m, const ann_store *store) {
    ANN_TRY(anni_commit_prepare(&m->serial, commit));
    for (int i = 0; i < m->shard_count; i++) ANN_TRY(write_shard(commit, m, i, store));
    ANN_TRY(write_whole(commit, m, store));
    ANN_TRY(anni_manifest_write(commit->part, m));
    return anni_commit_publish(commit);
}

ann_status anni_rewrite(char path[4096], const char *dir, int64_t step, const ann_store *store,
                        const ann_meta *meta, int shards) {
    anni_commit commit;
    anni_manifest *m;
    ANN_TRY(anni_commit_init(&commit, dir, step));
    if (access(commit.final, F_OK) == 0) return ann_error(ANN_ERR_ARG, "%s is there already", commit.final);
    ANN_TRY(anni_manifest_plan(&m, store, meta, step, shards));
    const ann_status status = write_all(&commit, m, store);
    anni_manifest_free(m);
    if (status != ANN_OK) anni_commit_abandon(&commit, true);
    else memcpy(path, commit.final, sizeof commit.final);
    return status;
}

/* ---- a store like the one that was saved ---- */

static int compare_offsets(const void *a, const void *b) {
    const ann_tensor_info *p = *(const ann_tensor_info *const *)a, *q = *(const ann_tensor_info *const *)b;
    return (p->offset_elems > q->offset_elems) - (p->offset_elems < q->offset_elems);
}

static ann_status group_block(ann_store *store, const ann_ckpt *ckpt, int block,
                              const ann_tensor_info **sorted, ann_tensor *members) {
    ann_block made;
    int n = 0;
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++)
        if (ann_ckpt_tensor(ckpt, i)->block.id == block) sorted[n++] = ann_ckpt_tensor(ckpt, i);
    if (n == 0) return ANN_OK;
    qsort(sorted, (size_t)n, sizeof *sorted, compare_offsets);
    for (int i = 0; i < n; i++) members[i] = ann_store_find(store, sorted[i]->name);
    return ann_store_group(&made, store, ann_ckpt_block_name(ckpt, (ann_block){block}), members, n);
}

static ann_status group_blocks(ann_store *store, const ann_ckpt *ckpt) {
    const size_t n = (size_t)ann_ckpt_tensor_count(ckpt) + 1;
    const ann_tensor_info **sorted = malloc(n * sizeof *sorted);
    ann_tensor *members = malloc(n * sizeof *members);
    ann_status status =
        sorted && members ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to copy a checkpoint");
    for (int b = 0; status == ANN_OK && b < ckpt->manifest->block_count; b++)
        status = group_block(store, ckpt, b, sorted, members);
    free(sorted);
    free(members);
    return status;
}

static ann_status fill_like(ann_store *store, const ann_ckpt *ckpt) {
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) {
        const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
        ann_tensor made;
        ANN_TRY(ann_store_declare(&made, store, t->name, t->dtype, &t->shape, t->role,
                                  (ann_init){.kind = ANN_INIT_ZERO}));
    }
    ANN_TRY(group_blocks(store, ckpt));
    ANN_TRY(ann_store_commit(store));
    return ann_ckpt_restore(ckpt, store);
}

ann_status ann_ckpt_reshard(char out[ANN_CKPT_PATH_BYTES], const ann_ckpt *ckpt, const char *dir,
                            int shards) {
    ann_store *store;
    if (shards < 1) return ann_error(ANN_ERR_ARG, "%d shards", shards);
    ANN_TRY(ann_store_new(&store, 0));
    ann_status status = fill_like(store, ckpt);
    if (status == ANN_OK)
        status = anni_rewrite(out, dir, ann_ckpt_step(ckpt), store, ann_ckpt_meta(ckpt), shards);
    ann_store_free(store);
    return status;
}
