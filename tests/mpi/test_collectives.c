// ranks: 1 2 3 4
/* Agreement, broadcast, gathering, barrier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <mpi.h>
#include "comm/comm.h"
#include "support/mpi_verdict.h"

static ann_comm *comm;

static int setup(void **state) {
    (void)state;
    return ann_comm_world(&comm, 60.0) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    ann_comm_free(comm);
    return 0;
}

static void world_knows_its_place(void **state) {
    (void)state;
    int rank = -1, size = -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    assert_all_ranks(ann_comm_rank(comm) == rank && ann_comm_size(comm) == size);
    assert_all_ranks(ann_comm_local_rank(comm) == rank && ann_comm_local_size(comm) == size); /* one host */
}

static void agreement_on_success(void **state) {
    (void)state;
    assert_all_ranks(ann_agree(comm, ANN_OK) == ANN_OK);
}

/* Bit r of `failing`: rank r fails. All ranks must get the lowest failing rank's status and text. */
static void agree_on_failures_of(unsigned failing) {
    static const ann_status kinds[] = {ANN_ERR_IO, ANN_ERR_NOSPACE, ANN_ERR_NUMERIC, ANN_ERR_CORRUPT};
    const int rank = ann_comm_rank(comm);
    int lowest = 0;
    while (!(failing >> lowest & 1u)) lowest++;
    ann_error_clear();
    ann_status local = ANN_OK;
    if (failing >> rank & 1u) local = ann_error(kinds[rank % 4], "disk of %d", rank);
    const ann_status agreed = ann_agree(comm, local);
    char expected[64];
    (void)snprintf(expected, sizeof expected, ann_comm_size(comm) > 1 ? "rank %d: disk of %d" : "disk of %d",
                   lowest, lowest);
    assert_all_ranks(agreed == kinds[lowest % 4]);
    assert_all_ranks(strcmp(ann_error_text(), expected) == 0);
    assert_all_ranks(ann_error_status() == agreed);
}

static void agreement_on_any_set_of_failures(void **state) {
    (void)state;
    for (unsigned failing = 1; failing < 1u << ann_comm_size(comm); failing++) agree_on_failures_of(failing);
}

static void agreeing_twice_names_the_rank_once(void **state) {
    (void)state;
    const bool mine = ann_comm_rank(comm) == ann_comm_size(comm) - 1;
    const ann_status once = ann_agree(comm, mine ? ann_error(ANN_ERR_IO, "gone") : ANN_OK);
    char text[64];
    (void)snprintf(text, sizeof text, "%s", ann_error_text());
    assert_all_ranks(ann_agree(comm, once) == ANN_ERR_IO);
    assert_all_ranks(strcmp(ann_error_text(), text) == 0);
}

static void broadcast_from_every_root(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 3 << 20};
    unsigned char *data = malloc(3 << 20);
    assert_all_ranks(data != NULL);
    for (int root = 0; root < ann_comm_size(comm); root++)
        for (int s = 0; s < 4; s++) {
            const bool mine = root == ann_comm_rank(comm);
            for (size_t i = 0; i < sizes[s]; i++) data[i] = mine ? (unsigned char)(i * 7 + (size_t)root) : 0;
            bool ok = ann_comm_broadcast(comm, data, sizes[s], root) == ANN_OK;
            for (size_t i = 0; i < sizes[s]; i++) ok = ok && data[i] == (unsigned char)(i * 7 + (size_t)root);
            assert_all_ranks(ok);
        }
    assert_all_ranks(ann_comm_broadcast(comm, data, 1, ann_comm_size(comm)) == ANN_ERR_ARG);
    free(data);
}

/* The last size is more than one message holds. */
static void gathering_keeps_the_order_of_ranks(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 37, (64 << 20) + 5};
    const size_t ranks = (size_t)ann_comm_size(comm);
    for (int s = 0; s < 4; s++) {
        unsigned char *out = malloc(ranks * sizes[s] + 1), *mine = malloc(sizes[s] + 1);
        assert_all_ranks(out && mine);
        memset(mine, 'a' + ann_comm_rank(comm), sizes[s] + 1);
        bool ok = ann_comm_allgather(comm, out, mine, sizes[s]) == ANN_OK;
        for (size_t rank = 0; rank < ranks; rank++)
            for (size_t i = 0; i < sizes[s]; i += 1 + sizes[s] / 1000)
                ok = ok && out[rank * sizes[s] + i] == 'a' + (int)rank;
        free(out);
        free(mine);
        assert_all_ranks(ok);
    }
}

static void nobody_leaves_a_barrier_before_all_have_come(void **state) {
    (void)state;
    int come = 1, before = 0;
    const int last = ann_comm_size(comm) - 1;
    for (int turn = 0; turn < 20; turn++) {
        /* The last rank tells rank 0 just before it enters: the word must be there when rank 0 leaves. */
        MPI_Request request = MPI_REQUEST_NULL;
        if (last > 0 && ann_comm_rank(comm) == last) MPI_Send(&come, 1, MPI_INT, 0, 5, MPI_COMM_WORLD);
        const bool ok = ann_comm_barrier(comm) == ANN_OK;
        bool heard = true;
        if (last > 0 && ann_comm_rank(comm) == 0) {
            int flag = 0;
            MPI_Iprobe(last, 5, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
            heard = flag != 0;
            MPI_Irecv(&before, 1, MPI_INT, last, 5, MPI_COMM_WORLD, &request);
        }
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        assert_all_ranks(ok && heard);
    }
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(world_knows_its_place),
        cmocka_unit_test(agreement_on_success),
        cmocka_unit_test(agreement_on_any_set_of_failures),
        cmocka_unit_test(agreeing_twice_names_the_rank_once),
        cmocka_unit_test(broadcast_from_every_root),
        cmocka_unit_test(gathering_keeps_the_order_of_ranks),
        cmocka_unit_test(nobody_leaves_a_barrier_before_all_have_come),
    };
    const int failed = cmocka_run_group_tests(tests, setup, teardown);
    MPI_Finalize();
    return failed;
}
