#include "train/steer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first of "OUTPUT.1", "OUTPUT.2" ... that does not exist. */
static ann_status free_name(char aside[ANNI_PATH_BYTES], const char *output) {
    struct stat info;
    for (int i = 1;; i++) {
        if (snprintf(aside, ANNI_PATH_BYTES, "%s.%d", output, i) >= ANNI_PATH_BYTES)
            return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", output);
        if (lstat(aside, &info) != 0) return ANN_OK;
    }
}

/* A fresh start must not find, nor destroy, what an earlier run left. */
ann_status anni_aside_run(const anni_run *run) {
    const char *output = run->config->output;
    char aside[ANNI_PATH_BYTES];
    struct stat info;
    if (stat(output, &info) == 0 && !S_ISDIR(info.st_mode))
        return ann_error(ANN_ERR_IO, "output %s: is not a folder", output);
    if (rmdir(output) == 0 || errno == ENOENT || errno == ENOTDIR) return ANN_OK;
    ANN_TRY(free_name(aside, output));
    if (rename(output, aside) != 0)
        return ann_error(ANN_ERR_IO, "output %s: cannot move it to %s: %s", output, aside, strerror(errno));
    anni_say(run, "%s was there already: moved to %s (--resume goes on from it instead)", output, aside);
    return ANN_OK;
}

/* ---- a phase ---- */

/* One folder for all that a job moves, so that parents are found from where they were. */
static ann_status make_aside(anni_run *run) {
    if (run->aside[0]) return ANN_OK;
    ANN_TRY(free_name(run->aside, run->config->output));
    if (mkdir(run->aside, 0777) != 0)
        return ann_error(ANN_ERR_IO, "%s: cannot make it: %s", run->aside, strerror(errno));
    return ANN_OK;
}

ann_status anni_aside_phase(anni_run *run, const char *name) {
    char folder[ANNI_PATH_BYTES], to[ANNI_PATH_BYTES];
    struct stat info;
    if (snprintf(folder, sizeof folder, "%s/%s", run->config->output, name) >= (int)sizeof folder)
        return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", run->config->output);
    if (lstat(folder, &info) != 0) return ANN_OK;
    ANN_TRY(make_aside(run));
    if (snprintf(to, sizeof to, "%s/%s", run->aside, name) >= (int)sizeof to)
        return ann_error(ANN_ERR_CONFIG, "output: %.64s... is too long", run->config->output);
    if (rename(folder, to) != 0)
        return ann_error(ANN_ERR_IO, "%s: cannot move it to %s: %s", folder, to, strerror(errno));
    anni_say(run, "%s  what it had is moved to %s", name, to);
    return anni_steer_anew(run, name);
}
