/* h5py sees each tensor whole, under its name. (tests/mpi/test_ckpt.c does the same with several shards.) */
#include <stdio.h>
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static void h5py_sees_whole_tensors(void **state) {
    (void)state;
    char dir[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES], moved[SCRATCH_PATH_BYTES];
    ann_comm *comm;
    scratch_make(dir);
    check_ok(ann_comm_self(&comm));
    check_ok(ckpt_sample_write(comm, dir, 1, 9, 0));
    ann_comm_free(comm);
    scratch_path(moved, "%s/moved", dir); /* the links must not depend on where it was written */
    assert_int_equal(rename(scratch_path(path, "%s/step-0000000001", dir), moved), 0);
    const int verdict = ckpt_sample_h5py(moved, 9, dir);
    scratch_remove(dir);
    if (verdict < 0) {
        print_message("skipped: /usr/bin/python3 has no h5py (Debian: python3-h5py)\n");
        skip();
    }
    assert_int_equal(verdict, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(h5py_sees_whole_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
