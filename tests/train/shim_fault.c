/* Preloaded into the ranks of a job: at the k-th call that changes a checkpoint being written, the call
   fails, or the process is killed just before or just after it. The calls are those of whatever thread makes
   them, so that most of these faults strike the writer thread.

   ANNULUS_FAULT=RANK:K:WHAT, with WHAT one of fail, kill-before, kill-after. What happened is told on stderr.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int calls;

/* The real function behind the one of that name here. */
static void real(void *to, size_t bytes, const char *name) {
    void *address = dlsym(RTLD_NEXT, name);
    memcpy(to, &address, bytes);
}

static bool is_ours(const char *path) {
    const size_t n = strlen(path);
    return strstr(path, ".part") || (n > 7 && strcmp(path + n - 7, "/latest") == 0);
}

static bool fd_is_ours(int fd) {
    char link[64], path[4096];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return false;
    path[n] = '\0';
    return is_ours(path);
}

static void tell(const char *what, const char *call) {
    char line[128];
    const int n = snprintf(line, sizeof line, "fault: %s at %s\n", what, call);
    if (n > 0) (void)!write(STDERR_FILENO, line, (size_t)n);
}

enum { GO, FAIL, KILL_AFTER };

/* What becomes of a call of the protocol. */
static int fate(const char *call) {
    const char *fault = getenv("ANNULUS_FAULT"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    int at_rank, k;
    char what[16];
    if (!fault || sscanf(fault, "%d:%d:%15s", &at_rank, &k, what) != 3 || (rank && atoi(rank) != at_rank))
        return GO;
    if (atomic_fetch_add(&calls, 1) + 1 != k) return GO;
    tell(what, call);
    if (strcmp(what, "kill-before") == 0) (void)kill(getpid(), SIGKILL);
    return strcmp(what, "fail") == 0 ? FAIL : KILL_AFTER;
}

static long done(int what, long result) {
    if (what == KILL_AFTER) (void)kill(getpid(), SIGKILL);
    return result;
}

#define CALL(ours, name, declaration, ...)                                                                   \
    declaration;                                                                                             \
    real(&next, sizeof next, name);                                                                          \
    const int what = (ours) ? fate(name) : GO;                                                               \
    if (what == FAIL) {                                                                                      \
        errno = EIO;                                                                                         \
        return -1;                                                                                           \
    }                                                                                                        \
    return (__typeof__(next(__VA_ARGS__)))done(what, (long)next(__VA_ARGS__))

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    CALL((flags & O_CREAT) && is_ours(path), "open", int (*next)(const char *, int, ...), path, flags, mode);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    CALL(fd_is_ours(fd), "pwrite", ssize_t(*next)(int, const void *, size_t, off_t), fd, data, n, at);
}
int fsync(int fd) { CALL(fd_is_ours(fd), "fsync", int (*next)(int), fd); }
int rename(const char *from, const char *to) {
    CALL(is_ours(from) || is_ours(to), "rename", int (*next)(const char *, const char *), from, to);
}
int mkdir(const char *path, mode_t mode) {
    CALL(is_ours(path), "mkdir", int (*next)(const char *, mode_t), path, mode);
}
int rmdir(const char *path) { CALL(is_ours(path), "rmdir", int (*next)(const char *), path); }
int unlinkat(int fd, const char *path, int flags) {
    CALL(fd_is_ours(fd), "unlinkat", int (*next)(int, const char *, int), fd, path, flags);
}
