// runs: 10000
/* Files of weights: safetensors, npz and npy, told apart by their first bytes. */
#include <string.h>
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 4 && memcmp(data, "\x89HDF", 4) == 0) return 0; /* fuzz_weights_h5 */
    fuzz_weights(fuzz_file("weights", data, size));
    return 0;
}
