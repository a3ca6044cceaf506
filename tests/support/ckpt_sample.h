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

/* Writes checkpoint `step` of the given tag into dir. */
/* Beside training: the snapshot is taken, the store changes at once, and the ranks poll until the checkpoint
   is there. */
ann_status ckpt_sample_write_beside(ann_comm *comm, const ann_ckpt_options *options, int64_t step,
                                    int64_t tag);
ann_status ckpt_sample_write(ann_comm *comm, const char *dir, int64_t step, int64_t tag, int keep);
/* Opens path, compares all of it (metadata, every tensor read, every tensor restored) with the tag in its
   metadata, and returns that tag; -1 with a line on stderr if it does not open or differs. */
int64_t ckpt_sample_tag(const char *path);

/* Compares path's whole.h5 with tag through Python's h5py, writing below scratch: 1 equal, 0 not, -1 no h5py
 * here. */
int ckpt_sample_h5py(const char *path, int64_t tag, const char *scratch);

#endif
