/* What the fuzz targets share. Each tests/fuzz/fuzz_<target>.c is one program with the two functions of
   libFuzzer, LLVMFuzzerInitialize and LLVMFuzzerTestOneInput. Built with the preset `fuzz` (clang) they are
   fuzzers; in every other build driver.c gives them a main that runs the inputs it is called with. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A folder below TMPDIR, removed when the process ends well; tests/fuzz/run removes it after a crash. */
const char *fuzz_dir(void);
/* Writes FOLDER/name and returns its path, valid until the eighth call after this one. */
const char *fuzz_file(const char *name, const void *data, size_t bytes);
/* FOLDER/name, valid as long. */
const char *fuzz_path(const char *name);

/* Options of an import, from a byte of the input, to out/out.h5 in an empty folder. */
struct ann_import_options;
void fuzz_import_options(struct ann_import_options *out, uint8_t bits);

/* Opens a file of weights (ckpt/foreign.h), and reads what is in it as every type. */
void fuzz_weights(const char *path);

/* A failure must be told in one line of text; anything else is a finding. */
void fuzz_check_failure(ann_status status);
/* Ends the process as a finding unless `good`. */
void fuzz_require(bool good, const char *what);

#endif
