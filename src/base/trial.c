#include "base/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

enum { PATIENCE_S = 60 };

typedef struct result {
    int finished; /* the child came to its end, */
    int hungry;   /* and had taken nearly all the memory that it may: then it may want any amount */
    ann_status status;
    char text[1024];
} result;

static bool is_child; /* set once, in the child, whose only thread this is */

/* ---- the child ---- */

static void limit(int what, rlim_t value) {
    const struct rlimit bounds = {value, value};
    (void)setrlimit((__rlimit_resource_t)what, &bounds);
}

static rlim_t address_space_bytes(void) {
    char text[64] = "";
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    unsigned long pages = 0;
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%lu", &pages) != 1) pages = 0;
    if (fd >= 0) close(fd);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void confine(const anni_trial *trial) {
    static const int deadly[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGABRT, SIGTRAP, SIGSYS,
                                 SIGXCPU, SIGXFSZ, SIGTERM, SIGINT, SIGHUP,  SIGPIPE};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) (void)signal(deadly[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++) (void)dup2(null, fd);
    const rlim_t used = address_space_bytes();
    if (used > 0) limit(RLIMIT_AS, used + trial->memory_bytes);
    limit(RLIMIT_CPU, trial->cpu_s);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
}

/* The most memory that was resident so far. */
static size_t peak_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

static void child(const anni_trial *trial, int to) {
    is_child = true;
    confine(trial);
    ann_error_clear();
    const size_t before = peak_bytes();
    result r = {.finished = 1, .status = trial->work(trial->context)};
    r.hungry = peak_bytes() - before > trial->memory_bytes / 4 * 3;
    if (r.status != ANN_OK) (void)snprintf(r.text, sizeof r.text, "%s", ann_error_text());
    (void)!write(to, &r, sizeof r); /* less than PIPE_BUF: whole or not at all */
    _exit(0);
}

/* ---- the parent ---- */

/* Whether the pipe has something, or its end, before the patience ends. */
static bool await_result(int from) {
    const int64_t end_ns = ann_clock_ns() + (int64_t)PATIENCE_S * 1000000000;
    for (;;) {
        const int64_t left_ms = (end_ns - ann_clock_ns()) / 1000000;
        if (left_ms <= 0) return false;
        struct pollfd p = {.fd = from, .events = POLLIN};
        if (poll(&p, 1, (int)left_ms) > 0) return true;
    }
}

static int await_end(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 0;
    return status;
}

/* Ended from outside: that says nothing about the work. */
static bool was_told_to_end(int status) {
    return WIFSIGNALED(status) &&
           (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGHUP);
}

static ann_status verdict(const anni_trial *trial, const result *r, int status) {
    if (r->hungry)
        return ann_error(ANN_ERR_FORMAT, "%s does not end on it, or needs too much memory", trial->what);
    if (r->finished) return r->status == ANN_OK ? ANN_OK : ann_error(r->status, "%s", r->text);
    if (was_told_to_end(status)) return ANN_OK;
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
        return ann_error(ANN_ERR_FORMAT, "%s does not end on it", trial->what);
    return ann_error(ANN_ERR_FORMAT, "%s crashes on it (%s)", trial->what,
                     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended the process");
}

static ann_status watch(const anni_trial *trial, pid_t pid, int from) {
    result r = {0};
    const bool in_time = await_result(from);
    if (!in_time) (void)kill(pid, SIGKILL);
    else if (read(from, &r, sizeof r) != (ssize_t)sizeof r) r = (result){0};
    const int status = await_end(pid);
    return in_time ? verdict(trial, &r, status) : ANN_OK;
}

ann_status anni_trial_run(const anni_trial *trial) {
    if (is_child) return trial->work(trial->context);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return ANN_OK;
    const pid_t pid = fork();
    if (pid == 0) child(trial, ends[1]);
    close(ends[1]);
    const ann_status status = pid > 0 ? watch(trial, pid, ends[0]) : ANN_OK;
    close(ends[0]);
    return status;
}
