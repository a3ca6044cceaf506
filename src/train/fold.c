/* What differs between ranks while they train (residuals of compressed gradients, moments between two
   synchronisations) is folded before a checkpoint: every rank goes on with the mean. The sum over ranks stays
   what it was, and a run that goes on from the checkpoint on as many ranks does what the run that wrote it
   does. On another number of ranks, what counts as a sum is scaled so that the sum is kept. */
#include "train/internal.h"

static void scale(void *data, int64_t elems, ann_dtype dtype, double factor) {
    if (dtype == ANN_F32)
        for (int64_t i = 0; i < elems; i++) ((float *)data)[i] *= (float)factor;
    else
        for (int64_t i = 0; i < elems; i++) ((double *)data)[i] *= factor;
}

void anni_scale(ann_store *store, const char *pattern, double factor) {
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block block = {i};
        const ann_dtype dtype = ann_store_block_dtype(store, block);
        if (ann_dtype_is_float(dtype) && ann_name_matches(pattern, ann_store_block_name(store, block)))
            scale(ann_store_block_data(store, block), ann_store_block_elems(store, block), dtype, factor);
    }
}

ann_status anni_fold(ann_comm *comm, ann_store *store, const char *pattern) {
    const int size = ann_comm_size(comm);
    for (int32_t i = 0; i < ann_store_block_count(store); i++) {
        const ann_block block = {i};
        const ann_dtype dtype = ann_store_block_dtype(store, block);
        if (size == 1 || !ann_dtype_is_float(dtype) ||
            !ann_name_matches(pattern, ann_store_block_name(store, block)))
            continue;
        const int64_t elems = ann_store_block_elems(store, block);
        ANN_TRY(ann_comm_allreduce(comm, ann_store_block_data(store, block), elems, dtype));
        scale(ann_store_block_data(store, block), elems, dtype, 1.0 / size);
    }
    return ANN_OK;
}
