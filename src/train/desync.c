/* Do all ranks hold the same? In data parallelism they must, to the bit: every rank applies the same sums to
   the same parameters. A flipped bit in one rank's memory, or a kernel that rounds otherwise on another
   processor, would go on unseen, and a checkpoint would be put together from different states.

   Each rank hashes its tensors, and the ranks compare one number. Only if it differs do they compare the
   tensors one by one; what most ranks have is taken to be right. */
#include "train/desync.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"

static bool is_compared(const ann_store *store, int32_t tensor, const char *differs) {
    const ann_tensor_info *info = ann_store_info(store, (ann_tensor){tensor});
    return !ann_name_matches(differs, info->name) &&
           !ann_name_matches(differs, ann_store_block_name(store, info->block));
}

static uint64_t hash_of(const ann_store *store, int32_t tensor, uint64_t seed) {
    const ann_tensor_info *info = ann_store_info(store, (ann_tensor){tensor});
    const size_t bytes = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
    return ann_hash(ann_store_data(store, (ann_tensor){tensor}), bytes, seed);
}

/* The value that most ranks have; of equally frequent ones that of the lowest rank. `stride` values from one
   rank to the next. */
static uint64_t majority(const uint64_t *values, int size, size_t stride) {
    int best = 0, best_count = 0;
    for (int r = 0; r < size; r++) {
        int count = 0;
        for (int i = 0; i < size; i++) count += values[(size_t)i * stride] == values[(size_t)r * stride];
        if (count > best_count) {
            best = r;
            best_count = count;
        }
    }
    return values[(size_t)best * stride];
}

/* "rank 1 (host a), rank 4 (host b) and 3 more". */
static void odd_ranks(const ann_comm *comm, const uint64_t *values, size_t stride, char *buf, size_t size) {
    const uint64_t usual = majority(values, ann_comm_size(comm), stride);
    int n = 0;
    size_t used = 0;
    for (int r = 0; r < ann_comm_size(comm); r++) {
        if (values[(size_t)r * stride] == usual || n++ >= 3) continue;
        const int wrote = snprintf(buf + used, size - used, "%srank %d (host %s)", used ? ", " : "", r,
                                   ann_comm_host(comm, r));
        if (wrote > 0 && (size_t)wrote < size - used) used += (size_t)wrote;
    }
    if (n > 3) (void)snprintf(buf + used, size - used, " and %d more", n - 3);
}

/* Names the first tensor that differs, and says how many do. The ranks all have the same `all`. */
static ann_status name_it(const ann_comm *comm, const ann_store *store, const uint64_t *all,
                          const anni_desync *at) {
    const int tensors = ann_store_count(store);
    int first = -1, count = 0;
    for (int t = 0; t < tensors; t++) {
        bool same = true;
        for (int r = 1; r < ann_comm_size(comm); r++)
            same = same && all[(size_t)r * (size_t)tensors + (size_t)t] == all[t];
        if (same) continue;
        if (first < 0) first = t;
        count++;
    }
    if (first < 0)
        return ann_error(ANN_ERR_INTERNAL, "the hashes of the ranks differ, and those of no tensor");
    char ranks[256] = "", since[64] = "was not checked before";
    odd_ranks(comm, all + first, (size_t)tensors, ranks, sizeof ranks);
    if (at->last_good >= 0)
        (void)snprintf(since, sizeof since, "was the same at step %lld", (long long)at->last_good);
    return ann_error(
        ANN_ERR_DESYNC,
        "phase %s, step %lld: %s differs on %s from the other ranks, and %s (%d of %d tensors differ)",
        at->phase, (long long)at->step, ann_store_info(store, (ann_tensor){first})->name, ranks, since, count,
        tensors);
}

static ann_status compare_tensors(ann_comm *comm, const ann_store *store, const anni_desync *at) {
    const size_t tensors = (size_t)ann_store_count(store);
    uint64_t *mine = calloc(tensors, sizeof *mine);
    uint64_t *all = calloc(tensors * (size_t)ann_comm_size(comm), sizeof *all);
    ann_status status = ann_agree(
        comm,
        mine && all ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to compare the tensors of the ranks"));
    if (status == ANN_OK && mine && all) {
        for (size_t t = 0; t < tensors; t++)
            if (is_compared(store, (int32_t)t, at->differs)) mine[t] = hash_of(store, (int32_t)t, 0);
        status = ann_comm_allgather(comm, all, mine, tensors * sizeof *mine);
        if (status == ANN_OK) status = name_it(comm, store, all, at);
    }
    free(mine);
    free(all);
    return status;
}

ann_status anni_desync_check(ann_comm *comm, const ann_store *store, const anni_desync *at) {
    uint64_t mine = 0;
    if (ann_comm_size(comm) == 1) return ANN_OK;
    for (int32_t t = 0; t < ann_store_count(store); t++)
        if (is_compared(store, t, at->differs)) mine = hash_of(store, t, mine);
    ANN_TRY(ann_comm_allgather(comm, at->scratch, &mine, sizeof mine));
    for (int r = 1; r < ann_comm_size(comm); r++)
        if (at->scratch[r] != at->scratch[0]) return compare_tensors(comm, store, at);
    return ANN_OK;
}
