/* The patterns, run by a simulation in one process: sums for 1..64 ranks, matching sends and receives, and
   what each step says that it must wait for, against a search for overlapping ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "comm/pattern.h"
#include "tensor/chunk.h"

enum { RANKS_MAX = 64 };
static const int64_t counts[] = {0, 1, 15, 16, 17, 100, 1024, 5000};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };
static const ann_collective collectives[] = {ANN_COLLECTIVE_ALLREDUCE, ANN_COLLECTIVE_REDUCE_SCATTER,
                                             ANN_COLLECTIVE_ALLGATHER};

static int64_t part(int rank, int64_t i) { return (int64_t)(rank + 1) * 1000003 + i * i; }

static int64_t sum_of_parts(int size, int64_t i) {
    int64_t sum = 0;
    for (int rank = 0; rank < size; rank++) sum += part(rank, i);
    return sum;
}

/* Runs the steps one after the other, all ranks at once; returns the elements sent in all. */
static int64_t simulate(ann_pattern pattern, ann_collective collective, int64_t *values, int size,
                        int64_t elems) {
    int64_t sent = 0;
    int64_t *before = malloc((size_t)(elems * size + 1) * sizeof *before);
    assert_non_null(before);
    for (int step = 0; step < ann_pattern_steps(pattern, collective, size); step++) {
        memcpy(before, values, (size_t)(elems * size) * sizeof *before);
        for (int rank = 0; rank < size; rank++) {
            const ann_pattern_step at = ann_pattern_at(pattern, collective, elems, rank, size, step);
            if (at.to >= 0) sent += at.send_count;
            if (at.from < 0) continue;
            const int64_t *from = before + at.from * elems;
            int64_t *to = values + rank * elems;
            for (int64_t i = at.recv_begin; i < at.recv_begin + at.recv_count; i++)
                to[i] = at.reduce ? to[i] + from[i] : from[i];
        }
    }
    free(before);
    return sent;
}

/* What rank `rank` must hold at i, or -1 where anything may be. */
static int64_t expected(ann_collective collective, int rank, int size, int64_t elems, int64_t i) {
    int64_t begin, count;
    if (collective == ANN_COLLECTIVE_ALLREDUCE) return sum_of_parts(size, i);
    if (collective == ANN_COLLECTIVE_REDUCE_SCATTER) {
        ann_chunk_of(elems, size, rank, &begin, &count);
        return i >= begin && i < begin + count ? sum_of_parts(size, i) : -1;
    }
    for (int r = 0; r < size; r++) {
        ann_chunk_of(elems, size, r, &begin, &count);
        if (i >= begin && i < begin + count) return part(r, i);
    }
    return -1;
}

static void check_result(ann_pattern pattern, ann_collective collective, int size, int64_t elems) {
    int64_t *values = malloc((size_t)(elems * size + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t at = 0; at < elems * size; at++) values[at] = part((int)(at / elems), at % elems);
    const int64_t sent = simulate(pattern, collective, values, size, elems);
    if (pattern == ANN_PATTERN_RING || pattern == ANN_PATTERN_PAIRWISE)
        assert_int_equal(sent, (collective == ANN_COLLECTIVE_ALLREDUCE ? 2 : 1) * (size - 1) * elems);
    for (int rank = 0; rank < size; rank++)
        for (int64_t i = 0; i < elems; i++) {
            const int64_t want = expected(collective, rank, size, elems, i);
            if (want >= 0) assert_int_equal(values[rank * elems + i], want);
        }
    free(values);
}

static void every_rank_ends_with_its_result(void **state) {
    (void)state;
    for (int p = 0; p < ANN_PATTERN_COUNT; p++)
        for (size_t c = 0; c < 3; c++) {
            if (!ann_pattern_can((ann_pattern)p, collectives[c])) continue;
            for (int size = 1; size <= RANKS_MAX; size++)
                for (int i = 0; i < N_COUNTS; i++)
                    check_result((ann_pattern)p, collectives[c], size,
                                 size > 16 ? counts[i] % 1100 : counts[i]);
        }
}

static void sends_and_receives_match(void **state) {
    (void)state;
    for (int p = 0; p < ANN_PATTERN_COUNT; p++)
        for (size_t c = 0; c < 3; c++) {
            if (!ann_pattern_can((ann_pattern)p, collectives[c])) continue;
            for (int size = 2; size <= RANKS_MAX; size++)
                for (int step = 0; step < ann_pattern_steps((ann_pattern)p, collectives[c], size); step++)
                    for (int rank = 0; rank < size; rank++) {
                        const ann_pattern_step mine =
                            ann_pattern_at((ann_pattern)p, collectives[c], 1000, rank, size, step);
                        if (mine.to < 0) continue;
                        assert_in_range(mine.to, 0, size - 1);
                        assert_int_not_equal(mine.to, rank);
                        const ann_pattern_step theirs =
                            ann_pattern_at((ann_pattern)p, collectives[c], 1000, mine.to, size, step);
                        assert_int_equal(theirs.from, rank);
                        assert_int_equal(theirs.recv_begin, mine.send_begin);
                        assert_int_equal(theirs.recv_count, mine.send_count);
                    }
        }
}

static bool overlap(int64_t a, int64_t n, int64_t b, int64_t m) {
    return n > 0 && m > 0 && a < b + m && b < a + n;
}

/* What a step sends on or overwrites, found by search, is not later than what it says it waits for. */
static void check_dependencies(ann_pattern pattern, ann_collective collective, int size, int rank) {
    enum { ELEMS = 3000 };
    for (int step = 0; step < ann_pattern_steps(pattern, collective, size); step++) {
        const ann_pattern_step now = ann_pattern_at(pattern, collective, ELEMS, rank, size, step);
        assert_true(now.send_after < step && now.recv_after <= step);
        for (int earlier = 0; earlier <= step; earlier++) {
            const ann_pattern_step then = ann_pattern_at(pattern, collective, ELEMS, rank, size, earlier);
            if (now.to >= 0 && then.from >= 0 && earlier < step &&
                overlap(now.send_begin, now.send_count, then.recv_begin, then.recv_count)) {
                assert_true(now.send_after >= earlier);
                if (now.send_after == earlier && now.send_after_same)
                    assert_true(now.send_begin == then.recv_begin && now.send_count == then.recv_count);
            }
            if (now.from >= 0 && then.to >= 0 &&
                overlap(now.recv_begin, now.recv_count, then.send_begin, then.send_count)) {
                assert_true(now.recv_after >= earlier);
                if (now.recv_after == earlier && now.recv_after_same)
                    assert_true(now.recv_begin == then.send_begin && now.recv_count == then.send_count);
            }
        }
    }
}

static void steps_wait_for_what_they_need(void **state) {
    (void)state;
    for (int p = 0; p < ANN_PATTERN_COUNT; p++)
        for (size_t c = 0; c < 3; c++) {
            if (!ann_pattern_can((ann_pattern)p, collectives[c])) continue;
            for (int size = 2; size <= 33; size++)
                for (int rank = 0; rank < size; rank++)
                    check_dependencies((ann_pattern)p, collectives[c], size, rank);
        }
}

/* Doubling and halving add up by the tree over ranks in which 2i and 2i + 1 come first. */
static float tree_sum(const float *parts, int n) {
    return n == 1 ? parts[0] : tree_sum(parts, n / 2) + tree_sum(parts + n / 2, n / 2);
}

static void doubling_and_halving_add_up_by_the_tree(void **state) {
    (void)state;
    enum { ELEMS = 64 };
    for (int p = ANN_PATTERN_DOUBLING; p <= ANN_PATTERN_HALVING; p++)
        for (int size = 2; size <= RANKS_MAX; size *= 2) {
            float values[RANKS_MAX][ELEMS], before[RANKS_MAX][ELEMS], parts[RANKS_MAX];
            for (int r = 0; r < size; r++)
                for (int i = 0; i < ELEMS; i++) values[r][i] = 1.0f / (float)(1 + r * 7 + i * 3);
            for (int r = 0; r < size; r++) parts[r] = values[r][5];
            const float want = tree_sum(parts, size);
            const ann_collective all = ANN_COLLECTIVE_ALLREDUCE;
            for (int step = 0; step < ann_pattern_steps((ann_pattern)p, all, size); step++) {
                memcpy(before, values, sizeof values);
                for (int r = 0; r < size; r++) {
                    const ann_pattern_step at = ann_pattern_at((ann_pattern)p, all, ELEMS, r, size, step);
                    for (int64_t i = at.recv_begin; i < at.recv_begin + at.recv_count; i++)
                        values[r][i] = at.reduce ? values[r][i] + before[at.from][i] : before[at.from][i];
                }
            }
            for (int r = 0; r < size; r++) assert_true(values[r][5] == want);
        }
}

static void huge_messages_do_not_overflow(void **state) {
    (void)state;
    const int64_t elems = (int64_t)3 << 40;
    for (int p = 0; p < ANN_PATTERN_COUNT; p++)
        for (int step = 0; step < ann_pattern_steps((ann_pattern)p, ANN_COLLECTIVE_ALLREDUCE, 8); step++) {
            const ann_pattern_step at =
                ann_pattern_at((ann_pattern)p, ANN_COLLECTIVE_ALLREDUCE, elems, 7, 8, step);
            assert_true(at.send_begin >= 0 && at.send_count >= 0 && at.send_begin + at.send_count <= elems);
            assert_true(at.recv_begin >= 0 && at.recv_count >= 0 && at.recv_begin + at.recv_count <= elems);
            assert_true((at.to < 0) == (at.send_count == 0) && (at.from < 0) == (at.recv_count == 0));
        }
}

static void chunks_partition_a_vector(void **state) {
    (void)state;
    for (int parts = 1; parts <= RANKS_MAX; parts++)
        for (int64_t elems = 0; elems < 3000; elems += elems < 100 ? 1 : 97) {
            int64_t end = 0, least = INT64_MAX, most = 0;
            for (int i = 0; i < parts; i++) {
                int64_t begin, count;
                ann_chunk_of(elems, parts, i, &begin, &count);
                assert_int_equal(begin, end);
                assert_true(count == 0 || begin % 16 == 0);
                end = begin + count;
                if (count < least) least = count;
                if (count > most) most = count;
            }
            assert_int_equal(end, elems);
            assert_true(most - least <= 16);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rank_ends_with_its_result),
        cmocka_unit_test(sends_and_receives_match),
        cmocka_unit_test(steps_wait_for_what_they_need),
        cmocka_unit_test(doubling_and_halving_add_up_by_the_tree),
        cmocka_unit_test(huge_messages_do_not_overflow),
        cmocka_unit_test(chunks_partition_a_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
