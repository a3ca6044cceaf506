#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "support/scratch.h"

/* Targets with more to prepare have their own. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    ann_log_setup(ANN_LOG_ERROR, 0);
    return 0;
}

static char dir[SCRATCH_PATH_BYTES];
static pid_t owner;

static void remove_dir(void) {
    if (getpid() == owner) scratch_remove(dir);
}

const char *fuzz_dir(void) {
    if (dir[0]) return dir;
    scratch_make(dir);
    owner = getpid();
    (void)atexit(remove_dir);
    return dir;
}

const char *fuzz_path(const char *name) {
    static char paths[8][SCRATCH_PATH_BYTES];
    static unsigned next;
    return scratch_path(paths[next++ % 8], "%s/%s", fuzz_dir(), name);
}

const char *fuzz_file(const char *name, const void *data, size_t bytes) {
    const char *path = fuzz_path(name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    fuzz_require(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes && close(fd) == 0, path);
    return path;
}

void fuzz_require(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "finding: %s\n", what);
    abort();
}

void fuzz_check_failure(ann_status status) {
    if (status == ANN_OK) return;
    const char *text = ann_error_text();
    fuzz_require(text[0] != '\0', "a failure without a text");
    fuzz_require(strchr(text, '\n') == NULL, "a failure told in several lines");
    fuzz_require(status != ANN_ERR_INTERNAL, text);
    ann_error_clear();
}

/* Nothing here has to outlive a power cut, and the disk would set the pace. */
int fsync(int fd) {
    (void)fd;
    return 0;
}
