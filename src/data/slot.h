/* The memory of one batch of one rank, and how it is filled. Private to the loader. */
#ifndef ANN_DATA_SLOT_H
#define ANN_DATA_SLOT_H

#include "data/data.h"

typedef struct anni_slot {
    ann_batch batch;
    int64_t *positions, *samples, *epochs;
    void **fields;
    void *x2; /* the second view; NULL: there is none */
    int32_t *y2;
    float *mix;
    void *partner, *scratch; /* of augmentation: one sample, and what ann_augment_apply needs */
    void *memory;            /* of all of them */
    size_t memory_bytes;
} anni_slot;

/* Bytes of a slot for the largest batch of these options. */
size_t anni_slot_bytes(const ann_loader_options *options);
ann_status anni_slot_init(anni_slot *slot, const ann_loader_options *options) ANN_MUST_CHECK;
void anni_slot_fini(anni_slot *slot);
/* Fills it with this rank's part of the batch that starts at position `first`; ask: for all its rows
 * (ann_dataset_prefetch) before the first is read. Thread-safe for different
 * slots. */
ann_status anni_slot_fill(anni_slot *slot, const ann_loader_options *options, int64_t first,
                          bool ask) ANN_MUST_CHECK;

/* slot_augment.c: the batch that has been read, by options->augment. */
ann_status anni_slot_augment(anni_slot *slot, const ann_loader_options *options) ANN_MUST_CHECK;
/* Errors: ANN_ERR_ARG (the augmentation is for another x; views or mixup that cannot be). */
ann_status anni_slot_check_augment(const ann_loader_options *options) ANN_MUST_CHECK;

#endif
