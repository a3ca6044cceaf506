// ranks: 1 2 3
/* Comparing clocks: the ranks of a host have one clock, so what is found must be 0 within the method's own
   bound, half a round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <mpi.h>
#include "comm/comm.h"
#include "support/mpi_verdict.h"
#include "support/stage.h"

static void the_offset_is_within_half_a_round_trip(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        int64_t offset_ns = -1, round_trip_ns = -1;
        assert_all_ranks(ann_comm_clock_offset(comm, &offset_ns, &round_trip_ns) == ANN_OK);
        assert_all_ranks(rank == 0 ? round_trip_ns == 0 : round_trip_ns > 0);
        assert_all_ranks(2 * llabs(offset_ns) <= round_trip_ns + 1);
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_offset_is_within_half_a_round_trip)};
    const int failed = cmocka_run_group_tests(tests, stage_of_all_ranks, stage_end);
    MPI_Finalize();
    return failed;
}
