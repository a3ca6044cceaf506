// ranks: 1 2 4
/* Calibration: a table that covers the sizes, the same on all ranks, kept for the next job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <mpi.h>
#include "base/hash.h"
#include "comm/internal.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"

static bool same_on_all_ranks(uint64_t mine) {
    uint64_t first = mine;
    MPI_Bcast(&first, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return mine == first;
}

/* What is chosen for each size, as one number. */
static uint64_t choices(const ann_comm *c) {
    uint64_t hash = 0;
    for (int64_t bytes = 1; bytes < (int64_t)1 << 32; bytes *= 2) {
        char name[64];
        const ann_algorithm a = ann_comm_choose(c, bytes);
        hash = ann_hash_str(ann_algorithm_str(name, sizeof name, &a)) + 31 * hash;
    }
    return hash;
}

static void a_table_is_measured_once(void **state) {
    (void)state;
    bool measured = false, again = true;
    int count = 0;
    assert_all_ranks(ann_comm_calibrate(comm, dir, 0.3, &measured) == ANN_OK);
    assert_all_ranks(measured == (size > 1));
    const ann_tuning_row *rows = ann_comm_tuning(comm, &count);
    assert_all_ranks((count > 0) == (size > 1));
    bool ascending = true;
    for (int i = 0; i < count; i++)
        ascending = ascending && rows[i].seconds > 0 && (i == 0 || rows[i].bytes > rows[i - 1].bytes);
    assert_all_ranks(ascending);
    const uint64_t first = size > 1 ? choices(comm) : 0;
    assert_all_ranks(same_on_all_ranks(first));

    ann_comm *next = NULL;
    assert_all_ranks(ann_comm_world(&next, 60.0) == ANN_OK);
    assert_all_ranks(ann_comm_calibrate(next, dir, 0.3, &again) == ANN_OK && !again);
    assert_all_ranks((size > 1 ? choices(next) : 0) == first);
    ann_comm_free(next);
}

/* Whatever stands in the file, a table that makes no sense is measured anew. */
static void a_damaged_table_is_not_used(void **state) {
    (void)state;
    bool measured = false;
    char command[SCRATCH_PATH_BYTES + 100];
    if (rank == 0) {
        (void)snprintf(command, sizeof command,
                       "for f in '%s'/tuning-*; do echo 'annulus-tuning 3 1 2 3' >\"$f\"; done", dir);
        assert_int_equal(system(command), 0);
    }
    ann_comm *next = NULL;
    assert_all_ranks(ann_comm_world(&next, 60.0) == ANN_OK);
    assert_all_ranks(ann_comm_calibrate(next, dir, 0.3, &measured) == ANN_OK);
    assert_all_ranks(measured == (size > 1));
    ann_comm_free(next);
}

static void what_cannot_be_used_is_refused(void **state) {
    (void)state;
    const ann_algorithm none = {.pattern = ANN_PATTERN_RING, .rings = 9, .segment_bytes = 4096};
    const ann_algorithm huge = {.pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = SIZE_MAX};
    assert_all_ranks(ann_comm_force(comm, &none) == ANN_ERR_ARG);
    assert_all_ranks(ann_comm_force(comm, &huge) == ANN_ERR_ARG);
    assert_all_ranks(ann_comm_force(comm, NULL) == ANN_OK);
}

/* Without shared memory, or with sums by the tree, only what keeps to that is chosen. */
static void choices_keep_to_the_rules(void **state) {
    (void)state;
    bool shared = false, ring = false;
    if (size > 1) {
        ann_comm_set_shared(comm, false);
        assert_all_ranks(ann_comm_set_sum_order(comm, ANN_SUM_ORDER_TREE) == ANN_OK);
        for (int64_t bytes = 1; bytes < (int64_t)1 << 32; bytes *= 2) {
            const ann_algorithm a = ann_comm_choose(comm, bytes);
            shared = shared || a.shared;
            ring = ring || a.pattern == ANN_PATTERN_RING || a.pattern == ANN_PATTERN_PAIRWISE;
        }
        assert_all_ranks(ann_comm_set_sum_order(comm, ANN_SUM_ORDER_ANY) == ANN_OK);
        ann_comm_set_shared(comm, true);
    }
    assert_all_ranks(!shared && !ring);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_measured_once),
        cmocka_unit_test(a_damaged_table_is_not_used),
        cmocka_unit_test(what_cannot_be_used_is_refused),
        cmocka_unit_test(choices_keep_to_the_rules),
    };
    const int failed = cmocka_run_group_tests(tests, stage_of_all_ranks, stage_end);
    MPI_Finalize();
    return failed;
}
