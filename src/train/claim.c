/* Which job works on a phase: it holds a lock of OUTPUT/run.lock, one byte for each phase, by its name. The
   kernel lifts it when the process ends, however it ends. Where the file system has no locks, every claim
   succeeds. */
#include "train/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"

static struct flock byte_of(const char *phase) {
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(ann_hash_str(phase) >> 2), .l_len = 1};
}

/* -1 where that fails; errno says why. */
static int open_locks(const anni_run *run, int flags) {
    char path[ANNI_PATH_BYTES];
    errno = ENAMETOOLONG;
    if (snprintf(path, sizeof path, "%s/run.lock", run->config->output) >= (int)sizeof path) return -1;
    return open(path, O_RDWR | O_CLOEXEC | flags, 0666);
}

ann_status anni_claim_open(anni_run *run) {
    run->claims_fd = open_locks(run, O_CREAT);
    if (run->claims_fd >= 0) return ANN_OK;
    return ann_error(errno == ENOSPC ? ANN_ERR_NOSPACE : ANN_ERR_IO, "%s/run.lock: %s", run->config->output,
                     strerror(errno));
}

void anni_claim_close(anni_run *run) {
    if (run->claims_fd >= 0) close(run->claims_fd);
    run->claims_fd = -1;
}

bool anni_claim_take(const anni_run *run, const char *phase) {
    struct flock lock = byte_of(phase);
    if (fcntl(run->claims_fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    ann_log_line(ANN_LOG_DEBUG, "%s/run.lock: %s", run->config->output, strerror(errno));
    return true;
}

void anni_claim_drop(const anni_run *run, const char *phase) {
    struct flock lock = byte_of(phase);
    lock.l_type = F_UNLCK;
    (void)fcntl(run->claims_fd, F_OFD_SETLK, &lock);
}

ann_status anni_claim_check(const anni_run *run) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* all bytes */
    const int fd = open_locks(run, 0);
    if (fd < 0) return ANN_OK; /* what is wrong with the folder, whoever moves it will find */
    const bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    if (!held) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "another job works in %s: wait for its end, or join it by --resume",
                     run->config->output);
}
