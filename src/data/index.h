/* Indexes: an HDF5 virtual dataset says which rows of which files it is made of. The library would read a
   missing file as fill values; here each must be there, and is read directly. Private to src/data. */
#ifndef ANN_DATA_INDEX_H
#define ANN_DATA_INDEX_H

#include "data/column.h"

/* The rows of the virtual dataset `id`, in as many runs as it has files. Names of files are relative to the
   folder of the index. Errors: ANN_ERR_NOT_FOUND (a missing file), ANN_ERR_FORMAT (one that is short or
   differs; rows that belong to no file), ANN_ERR_UNSUPPORTED (other than whole rows; an index of indexes). */
ann_status anni_index_open(anni_column *column, hid_t id, const ann_shape *extents,
                           ann_arena *arena) ANN_MUST_CHECK;
/* Extents of an HDF5 dataset, samples first; *why is set if they are none of a field's. */
ann_status anni_index_extents(ann_shape *out, const char **why, hid_t id, const char *where) ANN_MUST_CHECK;

#endif
