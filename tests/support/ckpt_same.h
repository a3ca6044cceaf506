/* Are two checkpoints equal? */
#ifndef TESTS_SUPPORT_CKPT_SAME_H
#define TESTS_SUPPORT_CKPT_SAME_H

#include <stdbool.h>
#include "ckpt/ckpt.h"

/* Every tensor, bit for bit; there is at least one. Says on stderr which one differs. NULL equals nothing. */
bool ckpt_same_bits(ann_ckpt *a, ann_ckpt *b);

#endif
