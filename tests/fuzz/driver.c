/* The main of a fuzz target in builds without libFuzzer: runs every file that it is given, or that stands in
   a folder that it is given, through the target, each whole, in two cut versions, and with single bits
   flipped. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "fuzz/fuzz.h"
#include "support/scratch.h"

static long runs;

static void run(const uint8_t *data, size_t bytes) {
    uint8_t *copy = malloc(bytes + !bytes); /* of exactly this size, for the address sanitizer */
    fuzz_require(copy != NULL, "out of memory");
    if (bytes > 0) memcpy(copy, data, bytes);
    (void)LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
    runs++;
}

enum { FLIPS = 16 };

static void run_file(const char *path) {
    size_t bytes;
    uint8_t *data = (uint8_t *)scratch_read(&bytes, path);
    const bool finding = strstr(path, "/fuzz/inputs/") != NULL;
    run(data, bytes);
    if (!finding) run(data, bytes / 2);
    if (!finding && bytes > 0) run(data, bytes - 1);
    for (size_t i = 0; i < FLIPS && bytes > 0 && !finding; i++) {
        const size_t at = bytes * i / FLIPS;
        data[at] ^= (uint8_t)(1u << i % 8);
        run(data, bytes);
        data[at] ^= (uint8_t)(1u << i % 8);
    }
    free(data);
}

static void run_path(const char *path) {
    struct stat st;
    fuzz_require(stat(path, &st) == 0, path);
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    struct dirent **names;
    const int n = scandir(path, &names, NULL, alphasort);
    fuzz_require(n >= 0, path);
    for (int i = 0; i < n; i++) {
        char file[SCRATCH_PATH_BYTES];
        if (names[i]->d_name[0] != '.') run_path(scratch_path(file, "%s/%s", path, names[i]->d_name));
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv) {
    (void)LLVMFuzzerInitialize(&argc, &argv);
    run(NULL, 0);
    for (int i = 1; i < argc; i++) run_path(argv[i]);
    printf("%ld inputs\n", runs);
    return runs > FLIPS ? 0 : 1;
}
