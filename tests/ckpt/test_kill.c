// timeout: 300
/* A writer that is killed at any instant leaves the old or the new state, complete.

   Once by force: a traced child is killed before, and once more after, the first, second, third ... system
   call by which one of its threads changes the file system, until it gets through. Once by chance: a child
   that writes one checkpoint after the other is killed at random moments. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>
#include "base/clock.h"
#include "base/philox.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/stage.h"

/* The tag of the newest checkpoint in sub, all of it compared. */
static int64_t newest(const char *sub) {
    char path[SCRATCH_PATH_BYTES];
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
    if (!path[0]) fail_msg("%s has no checkpoint", sub);
    return ckpt_sample_tag(path);
}

/* ---- by force ---- */

static bool changes_files(uint64_t number) {
    switch (number) {
    case SYS_openat:
    case SYS_write:
    case SYS_pwrite64:
    case SYS_fsync:
    case SYS_ftruncate:
    case SYS_unlinkat:
    case SYS_close:
#ifdef SYS_mkdir
    case SYS_open:
    case SYS_mkdir:
    case SYS_rename:
    case SYS_rmdir:
    case SYS_unlink:
#endif
    case SYS_mkdirat:
    case SYS_renameat:
    case SYS_renameat2: return true;
    default: return false;
    }
}

/* Lets the stopped child run and kills it at its k-th change (from 1), before or after it is done. 1: killed,
   0: it got through, -1: tracing fails. */
static int kill_at(pid_t child, int k, bool after) {
    const unsigned op = after ? PTRACE_SYSCALL_INFO_EXIT : PTRACE_SYSCALL_INFO_ENTRY;
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE;
    pid_t thread = child, within = 0; /* within: the thread in the k-th change */
    int seen = 0, status;
    if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)options) != 0) return -1;
    for (;;) {
        struct ptrace_syscall_info info = {0};
        if (thread && ptrace(PTRACE_SYSCALL, thread, NULL, NULL) != 0 && errno != ESRCH) return -1;
        thread = waitpid(-1, &status, __WALL);
        if (thread < 0) return -1;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
            thread = 0;
            continue;
        }
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) continue;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) <= 0) return -1;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(info.entry.nr) && ++seen == k)
            within = thread;
        if (within == thread && info.op == op) break;
    }
    kill(child, SIGKILL);
    while (waitpid(-1, &status, __WALL) != child || !(WIFEXITED(status) || WIFSIGNALED(status)))
        ;
    return 1;
}

/* Writes step 3 of tag 30, keeping one. */
typedef ann_status (*write_fn)(const char *sub);

static ann_status write_and_wait(const char *sub) { return ckpt_sample_write(comm, sub, 3, 30, 1); }

/* With the best one, which is another file to keep. */
static ann_status write_beside(const char *sub) {
    const ann_ckpt_options options = {.dir = sub,
                                      .keep = {.last = 1, .best = "real/0", .higher_is_better = true}};
    return ckpt_sample_write_beside(comm, &options, 3, 30);
}

static int write_and_die(const char *sub, write_fn write_it, int k, bool after) {
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(1);
        raise(SIGSTOP);
        _exit(write_it(sub) == ANN_OK ? 0 : 1);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
    const int end = kill_at(child, k, after);
    if (end < 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return end;
}

/* DIR/best, if there, names a checkpoint that is. */
static void best_is_there(const char *sub) {
    char path[SCRATCH_PATH_BYTES], name[SCRATCH_PATH_BYTES];
    if (!scratch_exists(scratch_path(path, "%s/best", sub))) return;
    char *best = scratch_read(NULL, path);
    best[strcspn(best, "\n")] = '\0';
    (void)ckpt_sample_tag(scratch_path(name, "%s/%s", sub, best));
    free(best);
}

/* Kills a writer at each of its changes; `start` is the directory it begins with, whose newest is of tag
 * `old`. */
static void kill_at_every_change(const char *start, int64_t old, write_fn write_it, bool after) {
    char sub[SCRATCH_PATH_BYTES];
    int k = 1, end, older = 0, newer = 0;
    scratch_path(sub, "%s/work", dir);
    do {
        scratch_copy(start, sub);
        end = write_and_die(sub, write_it, k++, after);
        if (end < 0 && k == 2) {
            print_message("skipped: this system does not let a process trace its child\n");
            skip();
        }
        assert_true(end >= 0);
        const int64_t tag = newest(sub);
        older += tag == old;
        newer += tag == 30;
        assert_true(tag == (newer ? 30 : old)); /* once new, always new */
        best_is_there(sub);
        check_ok(ckpt_sample_write(comm, sub, 4, 40, 1)); /* whatever was left behind is cleared away */
        assert_int_equal(newest(sub), 40);
        char path[SCRATCH_PATH_BYTES];
        (void)unlink(scratch_path(path, "%s/best", sub));
        char *names = scratch_list(sub);
        assert_string_equal(names, "latest latest.h5 step-0000000004 ");
        free(names);
        scratch_remove(sub);
    } while (end == 1);
    print_message("killed %s %d changes: %d times the old checkpoint, %d times the new one\n",
                  after ? "after" : "before", k - 2, older, newer);
    assert_true(older > 10 && newer > 2);
}

static void killed_at_every_change(void **state) {
    (void)state;
    char start[SCRATCH_PATH_BYTES];
    scratch_path(start, "%s/start", dir);
    check_ok(ckpt_sample_write(comm, start, 1, 10, 0));
    check_ok(ckpt_sample_write(comm, start, 2, 20, 0));
    kill_at_every_change(start, 20, write_and_wait, false);
    kill_at_every_change(start, 20, write_and_wait, true);
}

static void killed_at_every_change_beside_training(void **state) {
    (void)state;
    char start[SCRATCH_PATH_BYTES];
    scratch_path(start, "%s/beside", dir);
    check_ok(ckpt_sample_write(comm, start, 1, 10, 0));
    check_ok(ckpt_sample_write(comm, start, 2, 20, 0));
    kill_at_every_change(start, 20, write_beside, false);
    kill_at_every_change(start, 20, write_beside, true);
}

static void killed_at_every_change_while_replacing(void **state) {
    (void)state;
    char start[SCRATCH_PATH_BYTES];
    scratch_path(start, "%s/replace", dir);
    check_ok(ckpt_sample_write(comm, start, 3, 20, 0));
    kill_at_every_change(start, 20, write_and_wait, false);
    kill_at_every_change(start, 20, write_and_wait, true);
}

/* ---- by chance ---- */

/* Writes step after step and reports each on the pipe, until killed. */
static void write_for_ever(const char *sub, int64_t step, int report) {
    for (;; step++)
        if (ckpt_sample_write(comm, sub, step, step, 2) != ANN_OK ||
            write(report, &step, sizeof step) != (ssize_t)sizeof step)
            _exit(1);
}

static void killed_at_random(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES];
    int64_t step = 1;
    scratch_path(sub, "%s/random", dir);
    check_ok(ckpt_sample_write(comm, sub, step, step, 2));
    for (uint32_t round = 0; round < 60; round++) {
        int ends[2], status;
        int64_t reported = 0, last = step;
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_for_ever(sub, step + 1, ends[1]);
        close(ends[1]);
        ann_sleep_ns((int64_t)(ann_random_u32(1, 0, round, 0) % 120000000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &reported, sizeof reported) == (ssize_t)sizeof reported) last = reported;
        close(ends[0]);
        step = newest(sub);
        assert_true(step == last || step == last + 1); /* what was reported is there */
    }
    print_message("%lld checkpoints and 60 kills\n", (long long)step);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_change),
        cmocka_unit_test(killed_at_every_change_beside_training),
        cmocka_unit_test(killed_at_every_change_while_replacing),
        cmocka_unit_test(killed_at_random),
    };
    return cmocka_run_group_tests(tests, stage_of_one, stage_end);
}
