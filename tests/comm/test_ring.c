/* The ring's schedule, simulated for all ranks in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "comm/ring.h"

enum { SIZE_MAX_RANKS = 64, GRANULE = 16 };
static const int64_t counts[] = {0, 1, 4, 15, 16, 17, 100, 1000, 10007};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };

static void chunks_partition_the_message(void **state) {
    (void)state;
    for (int size = 1; size <= SIZE_MAX_RANKS; size++)
        for (int i = 0; i < N_COUNTS; i++) {
            int64_t next = 0, least = INT64_MAX, most = 0;
            for (int chunk = 0; chunk < size; chunk++) {
                int64_t begin = -1, count = -1;
                ann_ring_chunk(counts[i], size, chunk, &begin, &count);
                assert_int_equal(begin, next);
                assert_true(count >= 0);
                if (count > 0) assert_int_equal(begin % GRANULE, 0);
                least = count < least ? count : least;
                most = count > most ? count : most;
                next = begin + count;
            }
            assert_int_equal(next, counts[i]);
            assert_true(most - least <= GRANULE);
        }
}

static void chunks_of_huge_messages_do_not_overflow(void **state) {
    (void)state;
    const int64_t elems = INT64_C(1) << 60;
    int64_t begin = 0, count = 0;
    ann_ring_chunk(elems + 3, SIZE_MAX_RANKS, SIZE_MAX_RANKS - 1, &begin, &count);
    assert_int_equal(begin + count, elems + 3);
    ann_ring_chunk(elems + 3, SIZE_MAX_RANKS, 0, &begin, &count);
    assert_int_equal(begin, 0);
    assert_true(count >= elems / SIZE_MAX_RANKS - GRANULE && count <= elems / SIZE_MAX_RANKS + GRANULE);
}

/* What a rank sends in a step is what its right neighbour expects; what it received in a step it sends in the
 * next. */
static void sends_and_receives_match(void **state) {
    (void)state;
    for (int size = 1; size <= SIZE_MAX_RANKS; size++) {
        assert_int_equal(ann_ring_steps(size), 2 * (size - 1));
        for (int step = 0; step < ann_ring_steps(size); step++)
            for (int rank = 0; rank < size; rank++) {
                const ann_ring_step mine = ann_ring_at(rank, size, step);
                const ann_ring_step right = ann_ring_at((rank + 1) % size, size, step);
                assert_in_range(mine.send_chunk, 0, size - 1);
                assert_int_equal(mine.send_chunk, right.recv_chunk);
                assert_int_equal(mine.reduce, step < size - 1);
                if (step > 0) assert_int_equal(mine.send_chunk, ann_ring_at(rank, size, step - 1).recv_chunk);
            }
    }
}

/* Part of rank r in element i: every pair differs, and sums up to 64 ranks are exact. */
static int64_t part(int rank, int64_t i) { return (rank + 1) * 100003 + i * (rank + 3); }

/* Runs the schedule on values[rank][elems]; returns how many elements were sent in all. */
static int64_t simulate(int64_t *values, int size, int64_t elems) {
    int64_t sent = 0;
    int64_t *before = malloc((size_t)(elems * size + 1) * sizeof *before);
    assert_non_null(before);
    for (int step = 0; step < ann_ring_steps(size); step++) {
        memcpy(before, values, (size_t)(elems * size) * sizeof *before);
        for (int rank = 0; rank < size; rank++) {
            const ann_ring_step at = ann_ring_at(rank, size, step);
            const int64_t *from = before + (rank + size - 1) % size * elems;
            int64_t *to = values + rank * elems;
            int64_t begin = 0, count = 0;
            ann_ring_chunk(elems, size, at.recv_chunk, &begin, &count);
            for (int64_t i = begin; i < begin + count; i++) to[i] = at.reduce ? to[i] + from[i] : from[i];
            sent += count;
        }
    }
    free(before);
    return sent;
}

static void every_rank_ends_with_the_sum(void **state) {
    (void)state;
    for (int size = 1; size <= SIZE_MAX_RANKS; size++)
        for (int i = 0; i < N_COUNTS; i++) {
            const int64_t elems = counts[i];
            int64_t *values = malloc((size_t)(elems * size + 1) * sizeof *values);
            assert_non_null(values);
            for (int64_t at = 0; at < elems * size; at++) values[at] = part((int)(at / elems), at % elems);
            assert_int_equal(simulate(values, size, elems), 2 * (size - 1) * elems); /* over all ranks */
            for (int64_t e = 0; e < elems; e++) {
                int64_t sum = 0;
                for (int rank = 0; rank < size; rank++) sum += part(rank, e);
                for (int rank = 0; rank < size; rank++) assert_int_equal(values[rank * elems + e], sum);
            }
            free(values);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_partition_the_message),
        cmocka_unit_test(chunks_of_huge_messages_do_not_overflow),
        cmocka_unit_test(sends_and_receives_match),
        cmocka_unit_test(every_rank_ends_with_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
