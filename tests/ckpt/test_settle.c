/* A directory in which a writer was killed, and that gets no more checkpoints: it is put in order. */
#include "support/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static void test_settle(void **state) {
    (void)state;
    char dir[SCRATCH_PATH_BYTES], sub[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_comm *comm;
    scratch_make(dir);
    scratch_path(sub, "%s/ckpt", dir);
    check_ok(ann_comm_self(&comm));
    check_ok(ckpt_sample_write(comm, sub, 3, 30, 0));
    check_ok(ckpt_sample_write(comm, sub, 5, 50, 0));
    char *const whole = scratch_list(sub);
    size_t bytes;
    char *const latest_h5 = scratch_read(&bytes, scratch_path(path, "%s/latest.h5", sub));

    scratch_write(scratch_path(path, "%s/latest", sub), "step-0000000003\n", 16);
    scratch_write(scratch_path(path, "%s/latest.part", sub), "step-0", 6);
    scratch_write(scratch_path(path, "%s/latest.h5", sub), "old", 3);
    scratch_write(scratch_path(path, "%s/latest.h5.part", sub), "half", 4);
    assert_int_equal(mkdir(scratch_path(path, "%s/step-0000000007.part", sub), 0777), 0);
    scratch_write(scratch_path(path, "%s/step-0000000007.part/shard-0000.h5", sub), "half", 4);
    ann_ckpt_settle(sub);

    char *const after = scratch_list(sub), *const latest =
                                               scratch_read(NULL, scratch_path(path, "%s/latest", sub));
    assert_string_equal(after, whole);
    assert_string_equal(latest, "step-0000000005\n");
    size_t bytes_after;
    char *const h5_after = scratch_read(&bytes_after, scratch_path(path, "%s/latest.h5", sub));
    assert_int_equal(bytes_after, bytes);
    assert_memory_equal(h5_after, latest_h5, bytes);
    assert_int_equal(ckpt_sample_tag(scratch_path(path, "%s/step-0000000005", sub)), 50);
    free(h5_after);
    free(latest);
    free(after);
    free(latest_h5);
    free(whole);
    ann_comm_free(comm);
    scratch_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settle)};
    return cmocka_run_group_tests_name("ckpt/settle", tests, NULL, NULL);
}
