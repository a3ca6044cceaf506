/* Checkpoints made by tools, without a job. Local. */
#ifndef ANN_CKPT_REWRITE_H
#define ANN_CKPT_REWRITE_H

#include "ckpt/ckpt.h"

/* Writes the committed store and meta as dir/step-<step> in `shards` shards, by the same commit protocol as a
   job; *path is the checkpoint. Errors: ANN_ERR_ARG (there is one of that step already), ANN_ERR_IO,
   ANN_ERR_NOSPACE, ANN_ERR_MEMORY. */
ann_status anni_rewrite(char path[4096], const char *dir, int64_t step, const ann_store *store,
                        const ann_meta *meta, int shards) ANN_MUST_CHECK;

#endif
