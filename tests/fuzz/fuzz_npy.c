// runs: 2000
/* NPY files: the first byte chooses options, the rest is the array of x. */
#include "datasets/import.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    ann_import_options options;
    fuzz_import_options(&options, data[0]);
    const ann_import_npy_field field = {.name = "x", .train = fuzz_file("x.npy", data + 1, size - 1)};
    const ann_import_npy_options npy = {.fields = &field, .field_count = 1};
    fuzz_check_failure(ann_import_npy(&options, &npy));
    return 0;
}
