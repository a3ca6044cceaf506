/* Do all ranks hold the same parameters? */
#ifndef ANN_TRAIN_DESYNC_H
#define ANN_TRAIN_DESYNC_H

#include "comm/comm.h"
#include "tensor/store.h"

typedef struct anni_desync {
    const char *phase;
    int64_t step, last_good; /* steps done now, and at the last check; -1: none */
    const char *differs;     /* pattern of tensors and blocks that may differ between ranks; "": none */
    uint64_t *scratch;       /* [size] */
} anni_desync;

/* Errors: ANN_ERR_DESYNC (names step, tensor and ranks), ANN_ERR_MEMORY. Collective; a gathering of 8 bytes
   from each rank, and one pass over the store at the speed of memory. */
ann_status anni_desync_check(ann_comm *comm, const ann_store *store, const anni_desync *at) ANN_MUST_CHECK;

#endif
