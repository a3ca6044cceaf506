/* Which parts of the dataset the loader asks for before it reads them (ann_dataset_prefetch): in WINDOW order
   the blocks of the next window, a few with every batch, so that the disk works evenly; in SEQUENTIAL order
   the next stretch of the file. Private to the loader; used by one thread at a time. */
#ifndef ANN_DATA_AHEAD_H
#define ANN_DATA_AHEAD_H

#include "data/data.h"

typedef struct anni_ahead {
    const ann_loader_options *options;
    int64_t stretch; /* samples; SEQUENTIAL */
    int64_t window;  /* that reading has come to, or the number of the stretch; -1: nothing read yet */
    int64_t (*ranges)[2];
    int capacity, count, asked; /* of ranges; capacity 0: nothing to be asked for */
    int pace, first_pace;       /* ranges with each batch, and before the first */
} anni_ahead;

/* `options` must stay where they are. Errors: ANN_ERR_MEMORY. */
ann_status anni_ahead_init(anni_ahead *ahead, const ann_loader_options *options) ANN_MUST_CHECK;
void anni_ahead_fini(anni_ahead *ahead);
/* The batch that starts at `position` is about to be read. */
void anni_ahead_reach(anni_ahead *ahead, int64_t position);

#endif
