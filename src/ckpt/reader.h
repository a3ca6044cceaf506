/* Opening a checkpoint in parts. Local. */
#ifndef ANN_CKPT_READER_H
#define ANN_CKPT_READER_H

#include "ckpt/ckpt.h"

/* As ann_ckpt_open, but verifies only the shards first, first + stride, ...: ranks share the work. */
ann_status anni_ckpt_open_some(ann_ckpt **out, const char *path, int first, int stride) ANN_MUST_CHECK;

#endif
