// ranks: 1 2 3 4 5 6 7 8
/* The ring against MPI's own reduction, and the fault slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <mpi.h>
#include "base/hash.h"
#include "base/mem.h"
#include "base/philox.h"
#include "comm/tuning.h"
#include "tensor/chunk.h"
#include "comm/internal.h"
#include "support/mpi_verdict.h"

static const int64_t counts[] = {0, 1, 16, 17, 1000, 10007, 100003, 400009};
static const ann_dtype dtypes[] = {ANN_F32, ANN_F64, ANN_I64};
enum { N_COUNTS = sizeof counts / sizeof counts[0], N_DTYPES = 3 };
enum { ELEMS_MAX = 1 << 20, BUCKETS = 6, ALGORITHMS_MAX = 32 };

static ann_comm *comm;
static void *data, *again, *window; /* room for ELEMS_MAX + 8 elements of 8 bytes; window: seen by the host */
static double *part, *sum, *magnitude;

static void *room(size_t elems, size_t elem_bytes) {
    void *p = calloc(elems, elem_bytes);
    if (!p) MPI_Abort(MPI_COMM_WORLD, 1);
    return p;
}

static int setup(int node_size) {
    data = room(ELEMS_MAX + 8, 8);
    again = room(ELEMS_MAX + 8, 8);
    part = room(ELEMS_MAX + 8, 8);
    sum = room(ELEMS_MAX + 8, 8);
    magnitude = room(ELEMS_MAX + 8, 8);
    if (anni_comm_world_of_nodes(&comm, 60.0, node_size) != ANN_OK) return -1;
    return ann_comm_alloc(comm, &window, (ELEMS_MAX + 8) * 8) == ANN_OK ? 0 : -1;
}

/* One host, and hosts of one, two and three ranks, which stand for those of a cluster. */
static int one_host(void **state) { return (void)state, setup(0); }
static int hosts_of_one(void **state) { return (void)state, setup(1); }
static int hosts_of_two(void **state) { return (void)state, setup(2); }
static int hosts_of_three(void **state) { return (void)state, setup(3); }

static int teardown(void **state) {
    (void)state;
    ann_comm_release(comm, window);
    ann_comm_free(comm);
    free(data);
    free(again);
    free(part);
    free(sum);
    free(magnitude);
    return 0;
}

/* What rank `rank` brings: whole numbers for i64, values in [-1, 1) else. */
static double value(int rank, ann_dtype dtype, int64_t i) {
    const double u = ann_random_uniform(7, 1, (uint64_t)rank, (uint64_t)i) * 2.0 - 1.0;
    return dtype == ANN_I64 ? floor(u * 1e9) : u;
}

static void fill(void *to, ann_dtype dtype, int64_t elems) {
    for (int64_t i = 0; i < elems; i++) ann_elem_set(to, dtype, i, value(ann_comm_rank(comm), dtype, i));
}

/* sum = MPI's sum in f64 of the parts as stored in `dtype`; magnitude = the sum of their absolute values. */
static void expect(const void *parts, ann_dtype dtype, int64_t elems) {
    for (int64_t i = 0; i < elems; i++) part[i] = ann_elem_get(parts, dtype, i);
    MPI_Allreduce(part, sum, (int)elems, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    for (int64_t i = 0; i < elems; i++) part[i] = fabs(part[i]);
    MPI_Allreduce(part, magnitude, (int)elems, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

/* P - 1 additions, each rounded once: error at most (P-1) eps/2 * sum |x|, here and in the reference; i64 is
 * exact. */
static bool is_sum(const void *got, ann_dtype dtype, int64_t elems) {
    const double eps = dtype == ANN_F32 ? 0x1p-23 : dtype == ANN_F64 ? 0x1p-52 : 0.0;
    for (int64_t i = 0; i < elems; i++) {
        const double error = fabs(ann_elem_get(got, dtype, i) - sum[i]);
        if (!(error <= eps * (ann_comm_size(comm) - 1) * magnitude[i])) return false;
    }
    return true;
}

static bool same_on_all_ranks(const void *got, size_t bytes) {
    const uint64_t mine = ann_hash(got, bytes, 0);
    uint64_t first = mine;
    MPI_Bcast(&first, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return mine == first;
}

/* Calls `check` with each algorithm that can be used here forced, and as the communicator chooses. */
static void with_each_algorithm(void (*check)(void)) {
    ann_algorithm algorithms[ALGORITHMS_MAX];
    const int n = ann_comm_algorithms(comm, algorithms, ALGORITHMS_MAX);
    assert_all_ranks(n > 0 || ann_comm_size(comm) == 1);
    for (int i = 0; i <= n; i++) {
        assert_all_ranks(ann_comm_force(comm, i < n ? &algorithms[i] : NULL) == ANN_OK);
        check();
    }
}

static ann_dtype sum_dtype;
static int64_t sum_elems; /* of what `data` holds, whose sum `expect` has found */

static void check_sum(void) {
    const size_t bytes = (size_t)sum_elems * ann_dtype_bytes(sum_dtype);
    for (int where = 0; where < 2; where++) {
        void *message = where ? window : again;
        memcpy(message, data, bytes);
        const bool ok = ann_comm_allreduce(comm, message, sum_elems, sum_dtype) == ANN_OK,
                   same = same_on_all_ranks(message, bytes);
        assert_all_ranks(ok && same && is_sum(message, sum_dtype, sum_elems));
    }
}

static void sums_equal_those_of_mpi(void **state) {
    (void)state;
    for (int d = 0; d < N_DTYPES; d++)
        for (int c = 0; c < N_COUNTS; c++) {
            sum_dtype = dtypes[d];
            sum_elems = counts[c];
            fill(data, sum_dtype, sum_elems);
            expect(data, sum_dtype, sum_elems);
            with_each_algorithm(check_sum);
        }
}

/* Elements behind the message are left alone. */
static bool is_right_for(int64_t elems) {
    const int size = ann_comm_size(comm);
    float *message = elems % 2 ? window : again;
    for (int64_t i = 0; i < elems; i++) message[i] = (float)(i % 13 + ann_comm_rank(comm));
    message[elems] = 12345;
    bool ok = ann_comm_allreduce(comm, message, elems, ANN_F32) == ANN_OK && message[elems] == 12345;
    for (int64_t i = 0; i < elems && ok; i++)
        ok = message[i] == (float)(i % 13 * size + size * (size - 1) / 2);
    return ok;
}

static void check_some_small_sizes(void) {
    bool ok = true;
    for (int64_t elems = 0; elems <= 4097; elems += elems < 36 || elems > 4090 ? 1 : 143)
        ok = is_right_for(elems) && ok;
    assert_all_ranks(ok);
}

static void every_small_size(void **state) {
    (void)state;
    bool ok = true;
    with_each_algorithm(check_some_small_sizes);
    for (int64_t elems = 0; elems <= 4097; elems++) ok = is_right_for(elems) && ok;
    assert_all_ranks(ok);
}

static void check_chunks(void) {
    const int size = ann_comm_size(comm), rank = ann_comm_rank(comm);
    for (int c = 0; c < N_COUNTS; c++)
        for (int where = 0; where < 2; where++) {
            const int64_t elems = counts[c];
            int64_t begin, count;
            float *message = where ? window : again;
            ann_chunk_of(elems, size, rank, &begin, &count);
            fill(data, ANN_F32, elems);
            expect(data, ANN_F32, elems);
            memcpy(message, data, (size_t)elems * 4);
            bool ok = ann_comm_reduce_scatter(comm, message, elems, ANN_F32) == ANN_OK;
            memcpy(data, message, (size_t)elems * 4);
            for (int64_t i = 0; i < elems; i++)
                if (i < begin || i >= begin + count) ((float *)data)[i] = (float)sum[i];
            assert_all_ranks(ok && is_sum(data, ANN_F32, elems));
            memset(message, 0xff, (size_t)elems * 4);
            memcpy(message + begin, (float *)data + begin, (size_t)count * 4);
            ok = ann_comm_gather_chunks(comm, message, elems, ANN_F32) == ANN_OK;
            assert_all_ranks(ok && is_sum(message, ANN_F32, elems));
            assert_all_ranks(same_on_all_ranks(message, (size_t)elems * 4));
        }
}

static void chunks_are_summed_and_gathered(void **state) {
    (void)state;
    with_each_algorithm(check_chunks);
}

/* By the tree over ranks, each algorithm gives the same bits. */
static uint64_t tree_hash;

static void check_tree(void) {
    const int64_t elems = 100003;
    fill(window, ANN_F32, elems);
    assert_all_ranks(ann_comm_allreduce(comm, window, elems, ANN_F32) == ANN_OK);
    const uint64_t hash = ann_hash(window, (size_t)elems * 4, 0);
    assert_all_ranks(tree_hash == 0 || tree_hash == hash);
    tree_hash = hash;
}

static void the_tree_gives_the_same_bits_by_every_algorithm(void **state) {
    (void)state;
    const int size = ann_comm_size(comm);
    const bool possible = (size & (size - 1)) == 0;
    assert_all_ranks((ann_comm_set_sum_order(comm, ANN_SUM_ORDER_TREE) == ANN_OK) == possible);
    if (possible) with_each_algorithm(check_tree);
    assert_all_ranks(ann_comm_set_sum_order(comm, ANN_SUM_ORDER_ANY) == ANN_OK);
}

static void the_same_input_gives_the_same_bits(void **state) {
    (void)state;
    const int64_t elems = 100003;
    uint64_t hash[2] = {0, 1};
    for (int turn = 0; turn < 2; turn++) {
        fill(data, ANN_F32, elems);
        assert_all_ranks(ann_comm_allreduce(comm, data, elems, ANN_F32) == ANN_OK);
        hash[turn] = ann_hash(data, (size_t)elems * 4, 0);
    }
    assert_all_ranks(hash[0] == hash[1]);
}

/* Of values that a format holds exactly, and whose sums it holds too, nothing is lost on the way. */
static void check_wires(void) {
    static const ann_wire wires[] = {ANN_WIRE_BF16, ANN_WIRE_F16, ANN_WIRE_SPARSE};
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    const int size = ann_comm_size(comm);
    for (int w = 0; w < 3; w++)
        for (int c = 0; c < N_COUNTS; c++) {
            const int64_t elems = counts[c];
            float *values = c % 2 ? window : again;
            int request = 0;
            ann_outcome all;
            for (int64_t i = 0; i < elems; i++)
                values[i] = i % 10 == 3 ? (float)(i % 7 - 2 + ann_comm_rank(comm)) : 0;
            const ann_message message = {
                .data = values, .elems = elems, .dtype = ANN_F32, .wire = wires[w], .most = elems / 10 + 1};
            bool ok =
                ops->start(ops->self, &message, (ann_outcome){.nonfinite = ann_comm_rank(comm) == size - 1},
                           &request) == ANN_OK &&
                ops->wait(ops->self, request, &all) == ANN_OK && all.nonfinite && !all.failed;
            for (int64_t i = 0; i < elems && ok; i++) {
                const float want = (float)((i % 7 - 2) * size + size * (size - 1) / 2);
                ok = values[i] == (i % 10 == 3 ? want : 0);
            }
            assert_all_ranks(ok);
        }
}

static void values_travel_in_other_formats(void **state) {
    (void)state;
    with_each_algorithm(check_wires);
}

/* What is rounded on the way is the same on all ranks, and off by the format's precision. */
static void check_rounding(void) {
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    const int64_t elems = 10007;
    int request = 0;
    ann_outcome all;
    fill(again, ANN_F32, elems);
    expect(again, ANN_F32, elems);
    const ann_message message = {.data = again, .elems = elems, .dtype = ANN_F32, .wire = ANN_WIRE_BF16};
    bool ok = ops->start(ops->self, &message, (ann_outcome){0}, &request) == ANN_OK &&
              ops->wait(ops->self, request, &all) == ANN_OK;
    /* Each value is rounded on its way and once as a sum, by 2^-9; in a tree of exchanges at every level. */
    for (int64_t i = 0; i < elems && ok; i++)
        ok = fabs(ann_elem_get(again, ANN_F32, i) - sum[i]) <= 6 * 0x1p-9 * magnitude[i] * 1.01;
    const bool same = same_on_all_ranks(again, (size_t)elems * 4);
    assert_all_ranks(ok && same);
}

static void rounded_sums_are_the_same_on_all_ranks(void **state) {
    (void)state;
    with_each_algorithm(check_rounding);
}

static void other_dtypes_are_refused_on_every_rank(void **state) {
    (void)state;
    assert_all_ranks(ann_comm_allreduce(comm, data, 4, ANN_U8) == ANN_ERR_DTYPE);
    assert_all_ranks(ann_comm_allreduce(comm, data, 4, ANN_I32) == ANN_ERR_DTYPE);
}

static ann_status start(const ann_channel_ops *ops, int32_t channel, void *to_sum, int64_t elems,
                        ann_dtype dtype, bool failed, int *request) {
    const ann_message message = {.channel = channel, .data = to_sum, .elems = elems, .dtype = dtype};
    return ops->start(ops->self, &message, (ann_outcome){.failed = failed}, request);
}
static ann_status wait(const ann_channel_ops *ops, int request, bool *failed) {
    ann_outcome all;
    const ann_status status = ops->wait(ops->self, request, &all);
    *failed = all.failed;
    return status;
}

typedef struct bucket {
    float *data;
    int64_t elems;
    int request;
    bool fault;
} bucket;

/* Buckets one behind the other in `data`, each with its fault slot. */
static void buckets_place(bucket *buckets) {
    static const int64_t sizes[BUCKETS] = {1, 5000, 16, 70001, 0, 333};
    float *at = data;
    for (int b = 0; b < BUCKETS; b++) {
        buckets[b] = (bucket){.data = at, .elems = sizes[b]};
        at += sizes[b] + ANN_MESSAGE_SLOTS;
    }
}

static void buckets_run(bucket *buckets, int faulty, bool garbage) {
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    bool ok = true;
    for (int b = 0; b < BUCKETS; b++) {
        fill(buckets[b].data, ANN_F32, buckets[b].elems);
        if (b == faulty && garbage)
            memset(buckets[b].data, 0xff, (size_t)(buckets[b].elems + ANN_MESSAGE_SLOTS) * 4); /* NaNs */
        const ann_status status =
            start(ops, b % 2, buckets[b].data, buckets[b].elems, ANN_F32, b == faulty, &buckets[b].request);
        ok = ok && status == ANN_OK && ops->progress(ops->self) == ANN_OK;
    }
    for (int b = 0; b < BUCKETS; b++) ok = ok && wait(ops, buckets[b].request, &buckets[b].fault) == ANN_OK;
    assert_all_ranks(ok);
}

static void several_buckets_at_once(void **state) {
    (void)state;
    bucket buckets[BUCKETS];
    buckets_place(buckets);
    buckets_run(buckets, -1, false);
    for (int b = 0; b < BUCKETS; b++) {
        assert_all_ranks(!buckets[b].fault);
        fill(again, ANN_F32, buckets[b].elems);
        expect(again, ANN_F32, buckets[b].elems);
        assert_all_ranks(is_sum(buckets[b].data, ANN_F32, buckets[b].elems));
    }
}

/* More than there are lanes, and more than the table holds at first; waited for in the opposite order. */
static void many_requests_wait_their_turn(void **state) {
    (void)state;
    enum { MANY = 200, ELEMS = 40 };
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    int64_t *values = data;
    int request[MANY];
    bool ok = true, fault = true;
    for (int i = 0; i < MANY; i++) {
        int64_t *message = values + i * (ELEMS + ANN_MESSAGE_SLOTS);
        for (int e = 0; e < ELEMS; e++) message[e] = i + e;
        ok = start(ops, 3, message, ELEMS, ANN_I64, false, &request[i]) == ANN_OK && ok;
    }
    for (int i = MANY - 1; i >= 0; i--) {
        ok = wait(ops, request[i], &fault) == ANN_OK && !fault && ok;
        for (int e = 0; e < ELEMS; e++)
            ok = ok && values[i * (ELEMS + ANN_MESSAGE_SLOTS) + e] == (i + e) * ann_comm_size(comm);
    }
    assert_all_ranks(ok);
    ok = wait(ops, request[0], &fault) == ANN_ERR_ARG; /* it has been waited for */
    assert_all_ranks(ok);
}

static void a_fault_in_any_bucket_of_any_rank_is_seen_by_all(void **state) {
    (void)state;
    bucket buckets[BUCKETS];
    for (int garbage = 0; garbage < 2; garbage++)
        for (int rank = 0; rank < ann_comm_size(comm); rank++)
            for (int faulty = 0; faulty < BUCKETS; faulty++) {
                buckets_place(buckets);
                buckets_run(buckets, rank == ann_comm_rank(comm) ? faulty : -1, garbage);
                bool only_there = true;
                for (int b = 0; b < BUCKETS; b++)
                    only_there = only_there && buckets[b].fault == (b == faulty);
                assert_all_ranks(only_there);
            }
}

static void huge_values_do_not_hide_a_fault(void **state) {
    (void)state;
    const ann_channel_ops *ops = ann_comm_channel_ops(comm);
    for (int d = 0; d < N_DTYPES; d++) {
        int request = 0;
        bool fault = false, ok = true;
        memset(data, 0x7f, (100 + ANN_MESSAGE_SLOTS) * 8);
        ok = start(ops, 0, data, 100, dtypes[d], true, &request) == ANN_OK; /* every rank has failed */
        ok = ok && wait(ops, request, &fault) == ANN_OK && fault;
        assert_all_ranks(ok);
    }
}

static void a_communicator_of_one_needs_nobody(void **state) {
    (void)state;
    ann_comm *self = NULL;
    bool fault = true;
    float three[4] = {1, 2, 3};
    int request = 0;
    bool ok = ann_comm_self(&self) == ANN_OK && ann_comm_size(self) == 1 && ann_comm_rank(self) == 0 &&
              ann_comm_local_size(self) == 1 && ann_comm_local_rank(self) == 0;
    ok = ok && ann_comm_allreduce(self, three, 3, ANN_F32) == ANN_OK && three[2] == 3.0f;
    const ann_channel_ops *ops = ann_comm_channel_ops(self);
    ok = ok && ops->size == 1 && start(ops, 0, three, 2, ANN_F32, false, &request) == ANN_OK;
    ok = ok && wait(ops, request, &fault) == ANN_OK && !fault && three[1] == 2.0f;
    ok = ok && start(ops, 0, three, 2, ANN_F32, true, &request) == ANN_OK;
    ok = ok && wait(ops, request, &fault) == ANN_OK && fault;
    ann_comm_free(self);
    assert_all_ranks(ok);
}

int main(int argc, char **argv) {
    int level = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_equal_those_of_mpi),
        cmocka_unit_test(every_small_size),
        cmocka_unit_test(chunks_are_summed_and_gathered),
        cmocka_unit_test(the_tree_gives_the_same_bits_by_every_algorithm),
        cmocka_unit_test(the_same_input_gives_the_same_bits),
        cmocka_unit_test(values_travel_in_other_formats),
        cmocka_unit_test(rounded_sums_are_the_same_on_all_ranks),
        cmocka_unit_test(other_dtypes_are_refused_on_every_rank),
        cmocka_unit_test(several_buckets_at_once),
        cmocka_unit_test(many_requests_wait_their_turn),
        cmocka_unit_test(a_fault_in_any_bucket_of_any_rank_is_seen_by_all),
        cmocka_unit_test(huge_values_do_not_hide_a_fault),
        cmocka_unit_test(a_communicator_of_one_needs_nobody),
    };
    int failed = cmocka_run_group_tests_name("one host", tests, one_host, teardown);
    failed += cmocka_run_group_tests_name("hosts of one rank", tests, hosts_of_one, teardown);
    failed += cmocka_run_group_tests_name("hosts of two ranks", tests, hosts_of_two, teardown);
    failed += cmocka_run_group_tests_name("hosts of three ranks", tests, hosts_of_three, teardown);
    MPI_Finalize();
    return failed;
}
