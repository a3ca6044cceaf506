/* The disk fills up at every point of writing a checkpoint: the error says so, nothing is left behind, what
   was there stays. Needs the right to mount a small tmpfs, in a namespace of its own (root, or unprivileged
   user namespaces). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static ann_comm *comm;
static char dir[SCRATCH_PATH_BYTES];
static bool mounted;

static bool write_text(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY);
    const bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return good;
}

/* Into a mount namespace where we may mount; it, and all mounts in it, end with this process. */
static bool enter_namespace(void) {
    char map[64];
    const unsigned uid = getuid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
        (void)snprintf(map, sizeof map, "0 %u 1", uid);
        if (!write_text("/proc/self/uid_map", map)) return false;
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    mounted = enter_namespace() && mount("tmpfs", dir, "tmpfs", 0, "size=2m,nr_inodes=64") == 0;
    if (!mounted) print_message("no mount of a small tmpfs here: %s\n", strerror(errno));
    return ann_comm_self(&comm) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    ann_comm_free(comm);
    if (mounted) (void)umount(dir);
    scratch_remove(dir);
    return 0;
}

/* Fills the disk up to `left` bytes; 0 blocks may be left over. */
static void fill_up(long left) {
    static const char page[4096];
    char path[SCRATCH_PATH_BYTES];
    struct statvfs fs;
    FILE *file = fopen(scratch_path(path, "%s/ballast", dir), "wb");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    while (statvfs(dir, &fs) == 0 && (long)(fs.f_bavail * fs.f_bsize) > left)
        assert_int_equal(fwrite(page, 1, sizeof page, file), sizeof page);
    (void)fclose(file);
}

static void remove_ballast(void) {
    char path[SCRATCH_PATH_BYTES];
    (void)remove(scratch_path(path, "%s/ballast", dir));
}

/* Status of writing step 2 when `left` bytes are left. Where that fails, step 1 is all there is, and whole.
 */
static ann_status write_with(const char *sub, long left) {
    char path[SCRATCH_PATH_BYTES];
    fill_up(left);
    const ann_ckpt_options options = {.dir = sub, .keep = {.last = 1}};
    const ann_status status = left / 4096 % 2 ? ckpt_sample_write(comm, sub, 2, 20, 1)
                                              : ckpt_sample_write_beside(comm, &options, 2, 20);
    if (status == ANN_OK) {
        remove_ballast();
        return status;
    }
    if (!strstr(ann_error_text(), "No space left on device")) fail_msg("%s", ann_error_text());
    assert_null(strchr(ann_error_text(), '\n'));
    char *names = scratch_list(sub);
    assert_string_equal(names, "latest latest.h5 step-0000000001 ");
    free(names);
    check_ok(ann_ckpt_latest(comm, sub, path, sizeof path)); /* on the full disk */
    assert_int_equal(ckpt_sample_tag(path), 10);
    remove_ballast();
    return status;
}

static void the_disk_fills_up_anywhere(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], failed_at[16384] = "";
    int full = 0, fitted = 0;
    if (!mounted) skip();
    scratch_path(sub, "%s/run", dir);
    for (long left = 0; left <= 600 * 1024 && fitted < 3; left += 4096) {
        check_ok(ckpt_sample_write(comm, sub, 1, 10, 1));
        const ann_status status = write_with(sub, left);
        if (status == ANN_OK) fitted++;
        else {
            assert_int_equal(status, ANN_ERR_NOSPACE);
            full++;
            const char *file = strrchr(ann_error_text(), '/');
            strncat(failed_at, file, sizeof failed_at - strlen(failed_at) - 1);
        }
        check_ok(ckpt_sample_write(comm, sub, 2, 21, 1)); /* there is room again */
        scratch_remove(sub);
    }
    assert_true(full > 20 && fitted == 3);
    static const char *const stages[] = {"shard-0000.h5", "whole.h5", "manifest.yaml.tmp"};
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (!strstr(failed_at, stages[i])) fail_msg("the disk was never full at %s", stages[i]);
}

/* A disk may also run out of inodes. */
static void there_is_no_room_for_a_file(void **state) {
    (void)state;
    char sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    struct statvfs fs;
    int full = 0;
    if (!mounted) skip();
    scratch_path(sub, "%s/run", dir);
    for (unsigned free_inodes = 0; free_inodes < 6; free_inodes++) {
        check_ok(ckpt_sample_write(comm, sub, 1, 10, 1));
        assert_int_equal(mkdir(scratch_path(path, "%s/inodes", dir), 0777), 0);
        for (int i = 0; statvfs(dir, &fs) == 0 && fs.f_ffree > free_inodes; i++)
            scratch_write(scratch_path(path, "%s/inodes/%d", dir, i), "", 0);
        const ann_status status = ckpt_sample_write(comm, sub, 2, 20, 1);
        scratch_remove(scratch_path(path, "%s/inodes", dir));
        check_ok(ann_ckpt_latest(comm, sub, path, sizeof path));
        assert_true(status == ANN_OK || status == ANN_ERR_NOSPACE);
        assert_int_equal(ckpt_sample_tag(path), status == ANN_OK ? 20 : 10);
        full += status != ANN_OK;
        scratch_remove(sub);
    }
    assert_int_equal(full, 5); /* a directory, a shard, whole.h5, the manifest, latest */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_disk_fills_up_anywhere),
        cmocka_unit_test(there_is_no_room_for_a_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
