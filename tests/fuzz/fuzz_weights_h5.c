// runs: 2000
/* Files of weights: HDF5. */
#include <hdf5.h>
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_weights(fuzz_file("weights.h5", data, size));
    fuzz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "objects of HDF5 were left open");
    return 0;
}
