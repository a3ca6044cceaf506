// runs: 2000
/* PNG and JPEG files: the first byte chooses options, the second how they are read. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include "base/log.h"
#include "datasets/image.h"
#include "datasets/import.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    ann_log_setup(ANN_LOG_ERROR, 0);
    (void)mkdir(fuzz_path("images"), 0777);
    (void)mkdir(fuzz_path("images/cat"), 0777);
    return 0;
}

static uint32_t number(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Gives each chunk of a PNG file its checksum, which random changes would never hit. */
static void mend(uint8_t *png, size_t size) {
    if (size < 8 || memcmp(png, "\x89PNG", 4) != 0) return;
    for (size_t at = 8; size - at >= 12;) {
        const size_t n = number(png + at);
        if (n > size - at - 12) return;
        const uint32_t crc = (uint32_t)crc32(0, png + at + 4, (unsigned)n + 4);
        for (int i = 0; i < 4; i++) png[at + 8 + n + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += n + 12;
    }
}

static void try_image(const uint8_t *file, size_t size, uint8_t choice, uint8_t bits) {
    anni_image image = {0};
    const ann_status status = anni_image_decode(&image, file, size, bits & 1 ? 1 : 3);
    free(image.pixels);
    fuzz_check_failure(status);
    if (status != ANN_OK && bits & 6) return; /* most are bad: their import is tried less often */
    if (status == ANN_OK && (int64_t)image.height * image.width > 1 << 16) return;
    ann_import_options options;
    fuzz_import_options(&options, choice);
    (void)fuzz_file("images/cat/1.png", file, size);
    const ann_import_images_options images = {.folder = fuzz_path("images"),
                                              .height = bits & 8 ? 5 : 0,
                                              .width = bits & 8 ? 3 : 0,
                                              .gray = (bits & 1) != 0};
    fuzz_check_failure(ann_import_images(&options, &images));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint8_t *file = malloc(size - 1);
    fuzz_require(file != NULL, "out of memory");
    memcpy(file, data + 2, size - 2);
    mend(file, size - 2);
    try_image(file, size - 2, data[0], data[1]);
    free(file);
    return 0;
}
