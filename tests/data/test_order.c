/* Orders of samples: what each promises, for many sizes, walked position by position. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "data/data.h"
#include "data/order_draw.h"
#include "support/check.h"

enum { SEED = 41, MAX_SAMPLES = 130 };

static ann_order *make(ann_order_options o) {
    ann_order *order;
    if (o.seed == 0) o.seed = SEED;
    check_ok(ann_order_new(&order, &o));
    return order;
}

/* ---- orders of whole epochs ---- */

/* Every epoch uses each sample once; with DROP, as many different ones as its batches have. */
static void check_epochs(const ann_order *order) {
    static uint8_t seen[MAX_SAMPLES];
    const int64_t length = ann_order_length(order), samples = ann_order_samples(order);
    const ann_order_options *o = ann_order_options_of(order);
    assert_int_equal(length, o->remainder == ANN_REMAINDER_DROP ? samples / o->batch * o->batch : samples);
    for (int64_t e = 0; e < 3; e++) {
        memset(seen, 0, sizeof seen);
        for (int64_t p = e * length; p < (e + 1) * length; p++) {
            int64_t epoch, sample;
            ann_order_at(order, p, &epoch, &sample);
            if (epoch != e || sample < 0 || sample >= samples || seen[sample]++ != 0)
                fail_msg("kind %d, %lld samples, block %lld, window %lld, lanes %d, remainder %d: position "
                         "%lld is sample %lld of epoch %lld",
                         (int)o->kind, (long long)samples, (long long)o->block, (long long)o->window,
                         o->lanes, (int)o->remainder, (long long)p, (long long)sample, (long long)epoch);
        }
    }
}

/* Calls `check` for every order of whole epochs that the sizes below allow. */
static int for_all(void (*check)(const ann_order *order)) {
    static const int64_t samples[] = {1, 3, 10, 53, 64, 130}, batches[] = {1, 4, 12, 100};
    static const int64_t blocks[] = {1, 7, 16, 5000}, windows[] = {1, 3, 1000};
    static const int lanes[] = {1, 2, 4};
    int count = 0;
    for (int i = 0; i < 6 * 4 * 4 * 3 * 3 * 3 * 3; i++) {
        int k = i;
        ann_order_options o = {.seed = SEED};
        o.samples = samples[k % 6], k /= 6;
        o.batch = batches[k % 4], k /= 4;
        o.block = blocks[k % 4], k /= 4;
        o.window = windows[k % 3], k /= 3;
        o.lanes = lanes[k % 3], k /= 3;
        o.remainder = (ann_remainder)(k % 3), k /= 3;
        o.kind = (ann_order_kind)k;
        if (o.kind != ANN_ORDER_WINDOW && (o.block != 1 || o.window != 1)) continue;
        if (o.remainder == ANN_REMAINDER_DROP && o.samples < o.batch) continue;
        if (o.lanes > 1 && (o.kind == ANN_ORDER_SEQUENTIAL || o.remainder == ANN_REMAINDER_CARRY ||
                            o.batch % o.lanes != 0 || o.lanes > o.samples))
            continue;
        ann_order *order = make(o);
        check(order);
        ann_order_free(order);
        count++;
    }
    return count;
}

static void test_each_sample_once_per_epoch(void **state) {
    (void)state;
    assert_true(for_all(check_epochs) > 500);
}

/* Shuffled orders are those of the keyed permutation, so that golden curves stay. */
static void test_shuffled_is_the_permutation(void **state) {
    (void)state;
    for (int64_t n = 1; n < 60; n += 7) {
        ann_order *order = make((ann_order_options){.kind = ANN_ORDER_SHUFFLED, .samples = n, .batch = 8});
        for (int64_t p = 0; p < 5 * n; p++) {
            int64_t epoch, sample;
            ann_order_at(order, p, &epoch, &sample);
            assert_int_equal(sample, ann_permute_index(SEED, ANN_STREAM_ORDER, (uint64_t)(p / n), (uint64_t)n,
                                                       (uint64_t)(p % n)));
        }
        ann_order_free(order);
    }
}

/* ---- batches ---- */

/* Walking from any position on, batch by batch, is what steps and after say. */
static void check_walk(const ann_order *order) {
    const ann_order_options *o = ann_order_options_of(order);
    const int64_t length = ann_order_length(order), limit = 2 * length + 5 < 400 ? 2 * length + 5 : 400;
    const int64_t stride = limit / 7 + 1;
    for (int64_t first = 0; first < limit; first += stride) {
        for (int64_t end = first + 1; end <= first + 2 * limit; end += stride) {
            int64_t steps = 0;
            for (int64_t p = first; p < end; steps++) {
                const int64_t n = ann_order_batch(order, p, end);
                assert_true(n >= 1 && n <= o->batch && n <= end - p);
                assert_int_equal(ann_order_after(order, first, steps), p);
                /* an epoch never ends inside a batch, unless batches carry over */
                if (o->remainder != ANN_REMAINDER_CARRY) assert_int_equal(p / length, (p + n - 1) / length);
                p += n;
            }
            assert_int_equal(ann_order_steps(order, first, end), steps);
        }
        assert_int_equal(ann_order_steps(order, first, first), 0);
    }
}

static void test_batches(void **state) {
    (void)state;
    for_all(check_walk);
}

/* From batch boundary to batch boundary there are whole batches and those of one smaller size, as announced;
   with DROP there are whole ones only. */
static void check_small(const ann_order *order) {
    const ann_order_options *o = ann_order_options_of(order);
    for (int64_t skip = 0; skip < 4; skip++) {
        const int64_t first = ann_order_after(order, 0, skip);
        for (int64_t steps = 1; steps < 12; steps++) {
            const int64_t end = ann_order_after(order, first, steps);
            const int64_t small = ann_order_small_batch(order, first, end);
            bool found = false;
            for (int64_t p = first, n; p < end; p += n) {
                n = ann_order_batch(order, p, end);
                found = found || n == small;
                assert_true(n == o->batch || n == small);
            }
            assert_int_equal(found, small != 0);
            if (o->remainder != ANN_REMAINDER_CUT) assert_int_equal(small, 0);
        }
    }
}

static void test_small_batches(void **state) {
    (void)state;
    for_all(check_small);
    ann_order *order = make((ann_order_options){.kind = ANN_ORDER_SHUFFLED, .samples = 50, .batch = 8});
    assert_int_equal(ann_order_small_batch(order, 0, 100), 4);
    ann_order_free(order);
}

/* ---- windows ---- */

/* The statement of the header, and that the blocks named for a window are those it reads. */
static void test_window_guarantee(void **state) {
    (void)state;
    enum { N = 1000, BLOCK = 16, WINDOW = 5, BLOCKS = (N + BLOCK - 1) / BLOCK };
    ann_order *order = make((ann_order_options){
        .kind = ANN_ORDER_WINDOW, .samples = N, .batch = 8, .block = BLOCK, .window = WINDOW});
    int64_t ranges[BLOCKS][2], first_window = -1, moved = 0;
    for (int64_t e = 0; e < 4; e++) {
        int64_t first[BLOCKS], last[BLOCKS], window_before = first_window;
        for (int b = 0; b < BLOCKS; b++) first[b] = last[b] = -1;
        for (int64_t p = e * N; p < (e + 1) * N; p++) {
            int64_t epoch, sample;
            ann_order_at(order, p, &epoch, &sample);
            const int64_t block = sample / BLOCK, window = ann_order_window(order, p);
            if (first[block] < 0) first[block] = p;
            last[block] = p;
            moved += sample != p % N;
            assert_true(window == window_before || window == window_before + 1);
            window_before = window;
            const int n = ann_order_window_blocks(order, window, ranges, BLOCKS);
            assert_true(n >= 1 && n <= WINDOW);
            bool found = false;
            for (int i = 0; i < n; i++)
                found = found || (sample >= ranges[i][0] && sample < ranges[i][0] + ranges[i][1]);
            assert_true(found);
        }
        first_window = window_before;
        for (int b = 0; b < BLOCKS; b++) assert_true(last[b] - first[b] < WINDOW * BLOCK);
    }
    /* a sample stays where it was with probability 1/N: 4 expected of 4000, 40 would be below 1e-25 */
    assert_true(moved > 4 * N - 40);
    assert_int_equal(ann_order_window_blocks(order, 0, ranges, 2), 2);
    ann_order_free(order);
}

/* The short last block comes at any place of an epoch. */
static void test_short_block_moves(void **state) {
    (void)state;
    enum { N = 41, BLOCK = 8, EPOCHS = 400 };
    ann_order *order = make(
        (ann_order_options){.kind = ANN_ORDER_WINDOW, .samples = N, .batch = 8, .block = BLOCK, .window = 1});
    int at[6] = {0};
    for (int64_t e = 0; e < EPOCHS; e++)
        for (int64_t k = 0; k < N; k++) {
            int64_t epoch, sample;
            ann_order_at(order, e * N + k, &epoch, &sample);
            if (sample == N - 1) at[k / BLOCK]++; /* it is alone in its block, in slot k / BLOCK */
        }
    /* Binomial(400, 1/6): outside 67 +- 60 with probability below 1e-11 (Bernstein) */
    for (int slot = 0; slot < 6; slot++) assert_true(at[slot] > 7 && at[slot] < 127);
    ann_order_free(order);
}

/* ---- lanes ---- */

/* With lanes a multiple of the ranks, each rank's part of every batch lies in its share. */
static void check_lanes(const ann_order *order) {
    const ann_order_options *o = ann_order_options_of(order);
    for (int size = 1; size <= o->lanes; size *= 2) {
        int64_t next = 0;
        for (int rank = 0; rank < size; rank++) {
            int64_t first, count;
            check_ok(ann_order_share(order, rank, size, &first, &count));
            assert_int_equal(first, next);
            next += count;
            const int64_t end = 3 * ann_order_length(order);
            for (int64_t p = 0, n; p < end; p += n) {
                int64_t from, mine, epoch, sample;
                n = ann_order_batch(order, p, end);
                ann_data_shard(&from, &mine, p, n, rank, size);
                for (int64_t i = 0; i < mine; i++) {
                    ann_order_at(order, from + i, &epoch, &sample);
                    assert_true(sample >= first && sample < first + count);
                }
            }
        }
        assert_int_equal(next, ann_order_samples(order));
    }
}

static void test_lanes_keep_to_their_shares(void **state) {
    (void)state;
    for_all(check_lanes);
    int64_t first, count;
    ann_order *order = make((ann_order_options){
        .kind = ANN_ORDER_SHUFFLED, .samples = 50, .batch = 8, .lanes = 4, .remainder = ANN_REMAINDER_CUT});
    assert_int_equal(ann_order_share(order, 0, 3, &first, &count), ANN_ERR_ARG);
    ann_order_free(order);
}

/* ---- strata ---- */

static void test_strata_are_exact(void **state) {
    (void)state;
    enum { N = 97, STRATA = 5, ROUND = 7, ROUNDS = 300 };
    static const int64_t shares[STRATA] = {3, 0, 1, 2, 1};
    static const int64_t sizes[STRATA] = {40, 10, 1, 30, 16};
    int32_t stratum[N];
    int64_t used[N] = {0}, next[STRATA] = {0};
    for (int i = 0, s = 0, left = (int)sizes[0]; i < N; i++, left--) {
        if (left == 0) left = (int)sizes[++s];
        stratum[(i * 31) % N] = s; /* scattered; 31 and 97 have no common divisor */
    }
    ann_order *order = make((ann_order_options){.kind = ANN_ORDER_STRATIFIED,
                                                .samples = N,
                                                .batch = 8,
                                                .stratum = stratum,
                                                .strata = STRATA,
                                                .shares = shares});
    assert_false(ann_order_exact(order));
    int same_place = 0;
    int32_t pattern[ROUND] = {0};
    for (int64_t r = 0; r < ROUNDS; r++) {
        int64_t have[STRATA] = {0};
        for (int64_t i = 0; i < ROUND; i++) {
            int64_t epoch, sample;
            ann_order_at(order, r * ROUND + i, &epoch, &sample);
            const int32_t s = stratum[sample];
            same_place += r > 0 && pattern[i] == s;
            pattern[i] = s;
            have[s]++;
            assert_int_equal(used[sample], epoch); /* once in each epoch of its stratum before */
            used[sample]++;
            next[s]++;
        }
        for (int s = 0; s < STRATA; s++) assert_int_equal(have[s], shares[s]);
    }
    for (int s = 0; s < STRATA; s++) assert_int_equal(next[s], ROUNDS * shares[s]);
    assert_true(same_place < ROUNDS * ROUND * 3 / 4); /* the order in a round is not always the same */
    ann_order_free(order);
}

/* Without shares: equally many of each stratum that has samples. */
static void test_equal_shares(void **state) {
    (void)state;
    static const int32_t stratum[] = {0, 0, 0, 0, 0, 2, 2, 4};
    int have[5] = {0};
    ann_order *order = make((ann_order_options){
        .kind = ANN_ORDER_STRATIFIED, .samples = 8, .batch = 3, .stratum = stratum, .strata = 5});
    for (int64_t p = 0; p < 30; p++) {
        int64_t epoch, sample;
        ann_order_at(order, p, &epoch, &sample);
        have[stratum[sample]]++;
    }
    assert_true(have[0] == 10 && have[1] == 0 && have[2] == 10 && have[3] == 0 && have[4] == 10);
    ann_order_free(order);
}

/* ---- weights ---- */

/* The table gives each sample its share of the weights: the chances of columns and aliases add up to it. n
   additions and subtractions of numbers up to n: n^2 eps of error in n * chance. */
static void test_alias_table(void **state) {
    (void)state;
    enum { N = 700 };
    float weights[N];
    double chance[N] = {0}, sum = 0;
    for (int i = 0; i < N; i++) {
        weights[i] = i % 7 == 0 ? 0 : powf(10, 4 * (float)ann_random_uniform(SEED, 1, 0, (uint64_t)i));
        sum += (double)weights[i];
    }
    anni_alias alias = {0};
    check_ok(anni_alias_init(&alias, weights, N));
    for (int i = 0; i < N; i++) {
        assert_true(alias.keep[i] >= 0 && alias.keep[i] <= 1);
        chance[i] += alias.keep[i] / N;
        if (alias.keep[i] < 1) {
            assert_true(weights[alias.alias[i]] > 0);
            chance[alias.alias[i]] += (1 - alias.keep[i]) / N;
        }
    }
    for (int i = 0; i < N; i++) {
        assert_true(fabs(chance[i] - (double)weights[i] / sum) <= N * 0x1p-52);
        if (weights[i] <= 0) assert_true(alias.keep[i] <= 0);
    }
    anni_alias_fini(&alias);
}

/* Counts of draws against n p_i: Pearson's sum is chi-square of k = K - 1 degrees, and Laurent and Massart
   (Ann. Statist. 28, 2000, lemma 1) give P(X > k + 2 sqrt(k x) + 2 x) < exp(-x) and P(X < k - 2 sqrt(k x)) <
   exp(-x); x = 30. Each expected count is 1000 or more, so the normal limit holds well. */
static void test_weighted_draws(void **state) {
    (void)state;
    enum { K = 50, DRAWS = 1 << 20 };
    float weights[K + 1];
    int64_t counts[K + 1] = {0};
    double sum = 0, pearson = 0;
    for (int i = 0; i < K; i++) sum += (double)(weights[i] = (float)(1 + i % 10));
    weights[K] = 0;
    ann_order *order = make(
        (ann_order_options){.kind = ANN_ORDER_WEIGHTED, .samples = K + 1, .batch = 16, .weights = weights});
    for (int64_t p = 0; p < DRAWS; p++) {
        int64_t epoch, sample;
        ann_order_at(order, p, &epoch, &sample);
        assert_int_equal(epoch, p / (K + 1));
        counts[sample]++;
    }
    assert_int_equal(counts[K], 0);
    for (int i = 0; i < K; i++) {
        const double expected = DRAWS * (double)weights[i] / sum, off = (double)counts[i] - expected;
        assert_true(expected >= 1000);
        pearson += off * off / expected;
    }
    const double k = K - 1, x = 30;
    print_message("chi-square of %d degrees: %.1f\n", K - 1, pearson);
    assert_true(pearson < k + 2 * sqrt(k * x) + 2 * x);
    assert_true(pearson > k - 2 * sqrt(k * x));
    ann_order_free(order);
}

/* Over many keys, item 0 goes everywhere equally often (chi-square, bounds as above, x = 30), and where it
   goes says nothing of item 1: it is just behind it once in n (Bernstein: more than sqrt(2 m x) + x / 3 off
   the mean m with probability below 2 exp(-x)). */
static void test_permutation_is_uniform(void **state) {
    (void)state;
    static const int64_t sizes[] = {3, 10, 64, 65, 100, 300, 1000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int64_t n = sizes[s], keys = 200 * n;
        int64_t counts[1000] = {0}, behind = 0;
        double pearson = 0;
        for (int64_t key = 0; key < keys; key++) {
            const int64_t a = anni_permute(SEED, 7, (uint64_t)key, n, 0);
            const int64_t b = anni_permute(SEED, 7, (uint64_t)key, n, 1);
            assert_true(a >= 0 && a < n && b >= 0 && b < n && a != b);
            counts[a]++;
            behind += b == (a + 1) % n;
        }
        for (int64_t i = 0; i < n; i++) pearson += pow((double)counts[i] - 200, 2) / 200;
        const double k = (double)n - 1, x = 30, mean = (double)keys / k;
        print_message("%lld items: chi-square %.1f, neighbours %lld of %.0f\n", (long long)n, pearson,
                      (long long)behind, mean);
        assert_true(pearson < k + 2 * sqrt(k * x) + 2 * x && pearson > k - 2 * sqrt(k * x));
        assert_true(fabs((double)behind - mean) <= sqrt(2 * mean * x) + x / 3);
    }
}

/* ---- the ledger, resuming, mistakes ---- */

/* The expected ledger is the sum over all positions, and over any two stretches of them: whole epochs are
   added up without their order. */
static void check_ledger(const ann_order *order) {
    const int64_t end = 2 * ann_order_length(order) + 3;
    ann_ledger sum = {0, 0};
    for (int64_t p = 0; p < end; p++) {
        int64_t epoch, sample;
        ann_order_at(order, p, &epoch, &sample);
        ann_ledger_add(&sum, epoch, &sample, 1);
    }
    const ann_ledger whole = ann_ledger_expected(order, 0, end);
    assert_true(whole.sum == sum.sum && whole.count == (uint64_t)end);
    for (int64_t stop = 0; stop <= end; stop += end / 5 + 1) {
        const ann_ledger a = ann_ledger_expected(order, 0, stop), b = ann_ledger_expected(order, stop, end);
        assert_true(a.sum + b.sum == sum.sum && a.count + b.count == sum.count);
    }
}

static void test_ledgers(void **state) {
    (void)state;
    for_all(check_ledger);
    static const int32_t stratum[] = {0, 1, 0, 0, 1, 2, 2};
    static const float weights[] = {1, 2, 0, 5, 1, 1, 3};
    for (int kind = ANN_ORDER_STRATIFIED; kind <= ANN_ORDER_WEIGHTED; kind++) {
        ann_order *order = make((ann_order_options){.kind = (ann_order_kind)kind,
                                                    .samples = 7,
                                                    .batch = 4,
                                                    .stratum = stratum,
                                                    .strata = 3,
                                                    .weights = weights});
        check_ledger(order);
        ann_order_free(order);
    }
}

static void refuses(ann_order_options o, const char *words) {
    ann_order *order = (ann_order *)1;
    o.seed = SEED;
    const ann_status status = ann_order_new(&order, &o);
    if (status != ANN_ERR_ARG || order != NULL || strstr(ann_error_text(), words) == NULL)
        fail_msg("%s: \"%s\", wanted \"...%s...\"", ann_status_name(status), ann_error_text(), words);
}

static void test_bad_options(void **state) {
    (void)state;
    static const int32_t strata[] = {0, 1, 3};
    static const int64_t none[] = {0, 0, 0, 0}, empty[] = {1, 1, 1, 1}, negative[] = {1, -1, 0, 1};
    static const float zero[3], bad[] = {1, -1, 2}, nan[] = {1, NAN, 2};
    const ann_order_options plain = {.kind = ANN_ORDER_SHUFFLED, .samples = 3, .batch = 2};
    ann_order_options o = plain;
    o.samples = 0, refuses(o, "0 samples");
    o = plain, o.batch = 0, refuses(o, "batch 0");
    o = plain, o.kind = (ann_order_kind)9, refuses(o, "kind 9");
    o = plain, o.kind = ANN_ORDER_WINDOW, refuses(o, "block 0");
    o = plain, o.batch = 4, o.remainder = ANN_REMAINDER_DROP,
    refuses(o, "3 samples are less than a batch of 4");
    o = plain, o.lanes = 4, refuses(o, "4 lanes, accepted: 1 to 3");
    o = plain, o.lanes = 2, refuses(o, "lanes need the remainder cut or drop");
    o = plain, o.lanes = 3, o.remainder = ANN_REMAINDER_CUT, refuses(o, "3 lanes do not divide a batch of 2");
    o = plain, o.lanes = 2, o.kind = ANN_ORDER_SEQUENTIAL, refuses(o, "lanes are for");
    o = plain, o.kind = ANN_ORDER_WEIGHTED, refuses(o, "no weights");
    o.weights = zero, refuses(o, "all weights are 0");
    o.weights = bad, refuses(o, "sample 1 is -1");
    o.weights = nan, refuses(o, "sample 1 is nan");
    o.remainder = ANN_REMAINDER_CUT, refuses(o, "remainder carry");
    o = plain, o.kind = ANN_ORDER_STRATIFIED, refuses(o, "no strata");
    o.stratum = strata, o.strata = 3, refuses(o, "sample 2 is in stratum 3 of 3");
    o.strata = 4, o.shares = none, refuses(o, "all shares are 0");
    o.shares = empty, refuses(o, "stratum 2 has a share of 1 and no samples");
    o.shares = negative, refuses(o, "share -1 of stratum 1");
    ann_order_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_sample_once_per_epoch),
        cmocka_unit_test(test_shuffled_is_the_permutation),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_small_batches),
        cmocka_unit_test(test_window_guarantee),
        cmocka_unit_test(test_short_block_moves),
        cmocka_unit_test(test_lanes_keep_to_their_shares),
        cmocka_unit_test(test_strata_are_exact),
        cmocka_unit_test(test_equal_shares),
        cmocka_unit_test(test_alias_table),
        cmocka_unit_test(test_weighted_draws),
        cmocka_unit_test(test_permutation_is_uniform),
        cmocka_unit_test(test_ledgers),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
