// ranks: 2
/* Messages of more than 2^31 bytes, through shared memory and round the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <mpi.h>
#include "base/mem.h"
#include "comm/tuning.h"
#include "support/mpi_verdict.h"

static const int64_t ELEMS = ((int64_t)1 << 29) + 1001; /* of f32: 2^31 bytes and some */

static ann_comm *comm;
static float *data;

/* What a sum must be at i, exactly. */
static float part(int rank, int64_t i) { return (float)(i % 1021 + rank); }

static bool sum_is_right(void) {
    for (int64_t i = 0; i < ELEMS; i++) data[i] = part(ann_comm_rank(comm), i);
    if (ann_comm_allreduce(comm, data, ELEMS, ANN_F32) != ANN_OK) return false;
    for (int64_t i = 0; i < ELEMS; i++)
        if (data[i] != part(0, i) + part(1, i)) return false;
    return true;
}

static void copied_through_shared_memory(void **state) {
    (void)state;
    assert_all_ranks(sum_is_right());
}

static void round_the_ring(void **state) {
    (void)state;
    ann_comm_set_shared(comm, false);
    assert_all_ranks(sum_is_right());
    ann_comm_set_shared(comm, true);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const double free_bytes = (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (free_bytes < 8e9) {
        puts("skipped: less than 8 GB of memory are free");
        MPI_Finalize();
        return 77;
    }
    void *memory;
    if (ann_comm_world(&comm, 60.0) != ANN_OK ||
        ann_mem_alloc(&memory, (size_t)ELEMS * sizeof *data) != ANN_OK)
        MPI_Abort(MPI_COMM_WORLD, 1);
    data = memory;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copied_through_shared_memory),
        cmocka_unit_test(round_the_ring),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ann_mem_free(memory, (size_t)ELEMS * sizeof *data);
    ann_comm_free(comm);
    MPI_Finalize();
    return failed;
}
