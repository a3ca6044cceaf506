#include "ckpt/manifest.h"

#include <stdlib.h>
#include <string.h>
#include "ckpt/meta.h"

#define GRANULE_ELEMS 16
#define NAME_BYTES 1024 /* names also become HDF5 links and attributes, which have a limit */

void anni_shard_range(int64_t *begin, int64_t *elems, int64_t block_elems, int rank, int size) {
    const int64_t granules = (block_elems + GRANULE_ELEMS - 1) / GRANULE_ELEMS;
    const int64_t each = granules / size, rest = granules % size;
    const int64_t first = (each * rank + (rank < rest ? rank : rest)) * GRANULE_ELEMS;
    const int64_t end = first + (each + (rank < rest)) * GRANULE_ELEMS;
    *begin = first < block_elems ? first : block_elems;
    *elems = (end < block_elems ? end : block_elems) - *begin;
}

void anni_manifest_free(anni_manifest *manifest) {
    if (!manifest) return;
    if (manifest->owns_meta) ann_meta_free(manifest->meta);
    ann_arena_free(manifest->arena);
    free(manifest);
}

static ann_status check_name(const char *name) {
    const size_t bytes = strlen(name);
    if (!anni_utf8_valid(name, bytes)) return ann_error(ANN_ERR_ARG, "a name in the store is not UTF-8");
    if (bytes > NAME_BYTES)
        return ann_error(ANN_ERR_ARG, "%.64s...: a name in the store is longer than %d bytes", name,
                         NAME_BYTES);
    return ANN_OK;
}

/* number[b]: of block b of the store in the checkpoint. */
static ann_status copy_blocks(anni_manifest *m, const ann_store *store, int32_t *number) {
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block id = {i};
        const char *name = ann_store_block_name(store, id);
        if (ann_store_block_is_scratch(store, id)) continue;
        ANN_TRY(check_name(name));
        anni_block *block = &m->blocks[m->block_count];
        number[i] = m->block_count++;
        *block = (anni_block){.name = ann_arena_strdup(m->arena, name),
                              .dtype = ann_store_block_dtype(store, id),
                              .elems = ann_store_block_elems(store, id),
                              .in_store = i};
        if (!block->name) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    }
    return ANN_OK;
}

static ann_status copy_tensors(anni_manifest *m, const ann_store *store, const int32_t *number) {
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->role == ANN_ROLE_SCRATCH) continue;
        ANN_TRY(check_name(info->name));
        ann_tensor_info *tensor = &m->tensors[m->tensor_count++];
        *tensor = *info;
        tensor->block.id = number[info->block.id];
        tensor->name = ann_arena_strdup(m->arena, info->name);
        if (!tensor->name) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    }
    return ANN_OK;
}

typedef struct place { /* a tensor's place in the order in which a shard holds pieces */
    int32_t block, tensor;
    int64_t offset;
} place;

static int compare_places(const void *a, const void *b) {
    const place *p = a, *q = b;
    if (p->block != q->block) return p->block < q->block ? -1 : 1;
    return (p->offset > q->offset) - (p->offset < q->offset);
}

/* The pieces of shard `rank`, in order of block and offset. pieces may be NULL: then they are only counted.
 */
static int cut(anni_piece *pieces, const anni_manifest *m, const place *order, int rank) {
    int count = 0;
    for (int i = 0; i < m->tensor_count; i++) {
        const ann_tensor_info *t = &m->tensors[order[i].tensor];
        int64_t begin, elems;
        anni_shard_range(&begin, &elems, m->blocks[t->block.id].elems, rank, m->shard_count);
        const int64_t tensor_end = t->offset_elems + ann_shape_elems(&t->shape);
        const int64_t from = begin > t->offset_elems ? begin : t->offset_elems;
        const int64_t to = begin + elems < tensor_end ? begin + elems : tensor_end;
        if (from >= to) continue;
        if (pieces)
            pieces[count] =
                (anni_piece){.tensor = order[i].tensor, .begin = from - t->offset_elems, .elems = to - from};
        count++;
    }
    return count;
}

static ann_status cut_shards(anni_manifest *m) {
    place *order = ann_arena_alloc(m->arena, (size_t)(m->tensor_count + 1) * sizeof *order);
    if (!order) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    for (int i = 0; i < m->tensor_count; i++)
        order[i] =
            (place){.block = m->tensors[i].block.id, .tensor = i, .offset = m->tensors[i].offset_elems};
    qsort(order, (size_t)m->tensor_count, sizeof *order, compare_places);
    for (int rank = 0; rank < m->shard_count; rank++) {
        anni_shard *shard = &m->shards[rank];
        shard->file = ann_arena_printf(m->arena, "shard-%04d.h5", rank);
        shard->piece_count = cut(NULL, m, order, rank);
        shard->pieces = ann_arena_alloc(m->arena, (size_t)(shard->piece_count + 1) * sizeof *shard->pieces);
        if (!shard->file || !shard->pieces)
            return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
        cut(shard->pieces, m, order, rank);
    }
    return ANN_OK;
}

static ann_status plan(anni_manifest *m, const ann_store *store) {
    ANN_TRY(ann_arena_new(&m->arena));
    const size_t blocks = (size_t)ann_store_block_count(store) + 1;
    m->blocks = ann_arena_alloc(m->arena, blocks * sizeof *m->blocks);
    m->tensors = ann_arena_alloc(m->arena, (size_t)(ann_store_count(store) + 1) * sizeof *m->tensors);
    m->shards = ann_arena_alloc(m->arena, (size_t)m->shard_count * sizeof *m->shards);
    int32_t *number = ann_arena_alloc(m->arena, blocks * sizeof *number);
    if (!m->blocks || !m->tensors || !m->shards || !number)
        return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    ANN_TRY(copy_blocks(m, store, number));
    ANN_TRY(copy_tensors(m, store, number));
    return cut_shards(m);
}

ann_status anni_manifest_plan(anni_manifest **out, const ann_store *store, const ann_meta *meta, int64_t step,
                              int size) {
    *out = NULL;
    anni_manifest *m = calloc(1, sizeof *m);
    if (!m) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    m->step = step;
    m->meta = (ann_meta *)(uintptr_t)meta; /* only read: owns_meta is false */
    m->shard_count = size;
    const ann_status status = plan(m, store);
    if (status != ANN_OK) {
        anni_manifest_free(m);
        return status;
    }
    *out = m;
    return ANN_OK;
}
