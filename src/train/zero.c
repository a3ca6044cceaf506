/* Between steps, where the optimizer's state is shared out (comm.zero): parameters are right in the own chunk
   only, and moments are there only. Before anything reads the store, its ranges are gathered; afterwards what
   others keep is given back to the system. */
#include "train/internal.h"

#include <stdlib.h>
#include "base/mem.h"
#include "tensor/chunk.h"

void anni_scattered_add(void *to, ann_scatter range) {
    anni_scattered *s = to;
    for (int i = 0; i < s->count; i++)
        if (s->ranges[i].block.id == range.block.id && s->ranges[i].offset == range.offset) return;
    ann_scatter *grown = realloc(s->ranges, (size_t)(s->count + 1) * sizeof *grown);
    if (!grown) {
        s->incomplete = true;
        return;
    }
    s->ranges = grown;
    s->ranges[s->count++] = range;
}

void anni_scattered_fini(anni_scattered *s) {
    free(s->ranges);
    *s = (anni_scattered){0};
}

static char *at(const ann_store *store, ann_scatter range, int64_t elem) {
    const size_t size = ann_dtype_bytes(ann_store_block_dtype(store, range.block));
    return (char *)ann_store_block_data(store, range.block) + (size_t)(range.offset + elem) * size;
}

static bool holds_moments(const ann_store *store, ann_block block) {
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (info->block.id == block.id) return info->role == ANN_ROLE_MOMENT;
    }
    return false;
}

static ann_status gather_range(ann_comm *comm, ann_store *store, ann_scatter range) {
    return ann_comm_gather_chunks(comm, at(store, range, 0), range.elems,
                                  ann_store_block_dtype(store, range.block));
}

ann_status anni_gather(ann_comm *comm, ann_store *store, const anni_scattered *s) {
    for (int i = 0; i < s->count; i++) ANN_TRY(gather_range(comm, store, s->ranges[i]));
    return ANN_OK;
}

ann_status anni_gather_params(ann_comm *comm, ann_store *store, const anni_scattered *s) {
    for (int i = 0; i < s->count; i++)
        if (!holds_moments(store, s->ranges[i].block)) ANN_TRY(gather_range(comm, store, s->ranges[i]));
    return ANN_OK;
}

void anni_forget(const ann_comm *comm, ann_store *store, const anni_scattered *s) {
    for (int i = 0; i < s->count; i++) {
        const ann_scatter range = s->ranges[i];
        int64_t begin, count;
        if (!holds_moments(store, range.block)) continue;
        ann_chunk_of(range.elems, ann_comm_size(comm), ann_comm_rank(comm), &begin, &count);
        ann_mem_discard(at(store, range, 0), (size_t)(at(store, range, begin) - at(store, range, 0)));
        ann_mem_discard(at(store, range, begin + count),
                        (size_t)(at(store, range, range.elems) - at(store, range, begin + count)));
    }
}
