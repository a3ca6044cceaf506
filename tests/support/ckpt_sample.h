/* A store and metadata for tests of checkpoints: every dtype, scalars and odd shapes, one block of many
   tensors and blocks of one, names that HDF5 takes and names that it does not. Everything is a pure function
   of `tag`. */
#ifndef TESTS_SUPPORT_CKPT_SAMPLE_H
#define TESTS_SUPPORT_CKPT_SAMPLE_H

#include <stdbool.h>
#include "ckpt/ckpt.h"

/* A committed store whose values depend on tag (0: all zero); its layout does not. NULL if that fails. */
ann_store *ckpt_sample_store(int64_t tag);
void ckpt_sample_fill(ann_store *store, int64_t tag);
ann_meta *ckpt_sample_meta(int64_t tag);

/* Whether store holds exactly what tag says, the first difference being told on stderr. */
bool ckpt_sample_store_is(const ann_store *store, int64_t tag);
bool ckpt_sample_meta_is(const ann_meta *meta, int64_t tag);

/* Writes checkpoint `step` of tag `step` into dir. */
ann_status ckpt_sample_write(ann_comm *comm, const char *dir, int64_t step, int keep);
/* Opens path and compares all of it with tag: the step, the metadata, every tensor read and restored. */
bool ckpt_sample_path_is(const char *path, int64_t tag);

#endif
