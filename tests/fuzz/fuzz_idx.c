// runs: 2000
/* IDX files. The first byte says what the rest is: bit 0, whether images or labels; bit 1, as it is or
   gzipped here (random changes hardly get past gzip's own checks). */
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include "datasets/import.h"
#include "fuzz/fuzz.h"

static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 0};

static const char *write_input(const uint8_t *data, size_t size, bool gzipped) {
    if (!gzipped) return fuzz_file("input", data, size);
    const char *path = fuzz_path("input.gz");
    gzFile file = gzopen(path, "wb1");
    fuzz_require(file != NULL && (size == 0 || gzwrite(file, data, (unsigned)size) == (int)size) &&
                     gzclose(file) == Z_OK,
                 "cannot write gzip");
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    const char *input = write_input(data + 1, size - 1, (data[0] & 2) != 0);
    const bool is_labels = (data[0] & 1) != 0;
    const char *const image_file = is_labels ? fuzz_file("images", images, sizeof images) : input;
    const char *const label_file = is_labels ? input : fuzz_file("labels", labels, sizeof labels);
    const ann_import_options options = {.out = fuzz_path("out.h5")};
    const ann_import_idx_options idx = {.train_images = &image_file,
                                        .train_image_count = 1,
                                        .train_labels = &label_file,
                                        .train_label_count = 1};
    fuzz_check_failure(ann_import_idx(&options, &idx));
    return 0;
}
