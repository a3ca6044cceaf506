/* Run files: everything up to the first NUL is the file, what follows one "--set" assignment. */
#include <stdlib.h>
#include <string.h>
#include "fuzz/fuzz.h"
#include "train/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 2);
    fuzz_require(text != NULL, "out of memory");
    if (size > 0) memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    const char *const set = text + strlen(text) + 1;
    const char *const sets[] = {set};
    ann_run_config *config = NULL;
    const ann_status status =
        ann_run_config_parse(&config, "run.yaml", text, sets, set < text + size ? 1 : 0);
    fuzz_check_failure(status);
    fuzz_require((status == ANN_OK) == (config != NULL), "a status that does not match what was made");
    ann_run_config_free(config);
    free(text);
    return 0;
}
