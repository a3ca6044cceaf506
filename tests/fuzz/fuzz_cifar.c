// runs: 500
/* CIFAR files: the first byte chooses options, the second the number of classes. */
#include "datasets/import.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int classes[] = {0, 10, 100};
    if (size < 2) return 0;
    ann_import_options options;
    fuzz_import_options(&options, data[0]);
    const char *file = fuzz_file("data.bin", data + 2, size - 2);
    const ann_import_cifar_options cifar = {
        .train = &file, .train_count = 1, .classes = classes[data[1] % 3]};
    fuzz_check_failure(ann_import_cifar(&options, &cifar));
    return 0;
}
