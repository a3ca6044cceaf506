// runs: 2000
/* CSV files: the first byte chooses options of every import, the second those of CSV. */
#include "datasets/import.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const column[] = {"b"}, *const number[] = {"2"};
    static const char delimiters[] = {0, ';', '\t', ' '};
    if (size < 2) return 0;
    const uint8_t bits = data[1];
    const char *const *const named = bits & 4 ? number : column;
    ann_import_options options;
    fuzz_import_options(&options, data[0]);
    const char *file = fuzz_file("data.csv", data + 2, size - 2);
    const ann_import_csv_options csv = {.train = &file,
                                        .train_count = 1,
                                        .delimiter = delimiters[bits & 3],
                                        .no_header = (bits & 4) != 0,
                                        .target = bits & 8 ? *named : NULL,
                                        .ignore = named,
                                        .ignore_count = bits & 16 ? 1 : 0,
                                        .one_hot = named,
                                        .one_hot_count = bits & 32 ? 1 : 0,
                                        .numeric = named,
                                        .numeric_count = bits & 64 ? 1 : 0};
    fuzz_check_failure(ann_import_csv(&options, &csv));
    return 0;
}
