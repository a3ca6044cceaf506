/* HDF5 files that the library survives. HDF5 1.10 crashes, or never ends, on some damaged or hostile files
   (tests/fuzz measures it), so a file from outside is first walked through by a child, see base/trial.h. */
#ifndef ANN_BASE_H5PROBE_H
#define ANN_BASE_H5PROBE_H

#include "base/status.h"

/* Opens path in a child and does there what a reader may do: its first thousand objects, their types, shapes,
   storage and attributes, and some rows of each chunked dataset. A file that was found good is not walked
   again while it stays what it is. Errors: ANN_ERR_FORMAT (the library crashes on it, or it holds less data
   than it says); whatever else is wrong with it, the reader will say. Call it with ann_h5_lock held. Local.
 */
ann_status anni_h5_probe(const char *path) ANN_MUST_CHECK;

#endif
