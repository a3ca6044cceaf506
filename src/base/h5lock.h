/* The lock around calls of the HDF5 library, which is not thread-safe as distributions build it: whoever
   calls it beside other threads holds this lock from its first call to its last. One for the process; the
   holder may take it again. Local. */
#ifndef ANN_BASE_H5LOCK_H
#define ANN_BASE_H5LOCK_H

void ann_h5_lock(void);
void ann_h5_unlock(void);

#endif
