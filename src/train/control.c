/* Files by which people ask a running job for something. */
#include <stdio.h>
#include <unistd.h>
#include "train/saver.h"

bool anni_control_take(const anni_run *run, const char *name) {
    char path[ANNI_PATH_BYTES];
    const int n = snprintf(path, sizeof path, "%s/%s", run->config->output, name);
    return n < (int)sizeof path && unlink(path) == 0;
}

void anni_control_clear(const anni_run *run) {
    if (run->rank != 0) return;
    (void)anni_control_take(run, "stop.now");
    (void)anni_control_take(run, "checkpoint.now");
}
