// ranks: 2 3
/* Between hosts messages arrive while a rank is away computing, without a call of its own; with
   MPI_THREAD_FUNNELED, or on one host, there is no thread, and nothing else changes. */
#include <mpi.h>
#include "base/clock.h"
#include "comm/internal.h"
#include "support/check.h"
#include "support/mpi_verdict.h"

enum { ELEMS = 300000, ROUNDS = 20 };
static const int64_t MS = 1000 * 1000;
static float values[ELEMS + ANN_MESSAGE_SLOTS];
static int level;

static ann_status begin(ann_comm *comm, int *request) {
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    const ann_message message = {.data = values, .elems = ELEMS, .dtype = ANN_F32, .label = "values"};
    for (int i = 0; i < ELEMS; i++) values[i] = (float)(i % 100 + ann_comm_rank(comm));
    return ops->start(ops->self, &message, (ann_outcome){false, false}, request);
}

static bool are_summed(const ann_comm *comm) {
    const int n = ann_comm_size(comm);
    bool right = true;
    for (int i = 0; i < ELEMS; i++) right = right && values[i] == (float)(i % 100 * n + n * (n - 1) / 2);
    return right;
}

/* Away for so long that the message must come, in all of 20 s. */
static bool comes_meanwhile(ann_comm *comm, int request) {
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    for (int i = 0; i < 2000 && comm->requests[request]->state != ANNI_DONE; i++) {
        ops->away(ops->self);
        ann_sleep_ns(10 * MS);
        ops->back(ops->self);
    }
    return comm->requests[request]->state == ANNI_DONE;
}

static void messages_arrive_while_a_rank_computes(void **state) {
    ann_comm *comm;
    ann_outcome all;
    int request = 0;
    (void)state;
    assert_all_ranks(level >= MPI_THREAD_SERIALIZED);
    assert_all_ranks(anni_comm_world_of_nodes(&comm, 60, 1) == ANN_OK);
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    for (int round = 0; round < ROUNDS; round++) {
        assert_all_ranks(begin(comm, &request) == ANN_OK);
        assert_all_ranks(comes_meanwhile(comm, request));
        assert_all_ranks(ops->wait(ops->self, request, &all) == ANN_OK && !all.failed && are_summed(comm));
    }
    ann_comm_free(comm);
}

/* Short absences, and waits at once: whoever comes first moves the messages. */
static void both_move_them(void **state) {
    ann_comm *comm;
    ann_outcome all;
    int request = 0;
    (void)state;
    assert_all_ranks(anni_comm_world_of_nodes(&comm, 60, 1) == ANN_OK);
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    for (int round = 0; round < 10 * ROUNDS; round++) {
        assert_all_ranks(begin(comm, &request) == ANN_OK);
        for (int i = 0; i < round % 7; i++) {
            ops->away(ops->self);
            ann_sleep_ns(round % 3 * MS / 10);
            ops->back(ops->self);
        }
        assert_all_ranks(ops->wait(ops->self, request, &all) == ANN_OK && !all.failed && are_summed(comm));
    }
    ann_comm_free(comm);
}

/* An absence with nothing under way, and one host. */
static void no_thread_is_no_fault(void **state) {
    ann_comm *comm;
    ann_outcome all;
    int request = 0;
    (void)state;
    assert_all_ranks(ann_comm_world(&comm, 60) == ANN_OK);
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    ops->away(ops->self);
    ops->back(ops->self);
    assert_all_ranks(begin(comm, &request) == ANN_OK);
    ops->away(ops->self);
    ops->back(ops->self);
    assert_all_ranks(ops->wait(ops->self, request, &all) == ANN_OK && are_summed(comm));
    assert_all_ranks(!comm->background);
    ann_comm_free(comm);
}

int main(int argc, char **argv) {
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_while_a_rank_computes),
        cmocka_unit_test(both_move_them),
        cmocka_unit_test(no_thread_is_no_fault),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
