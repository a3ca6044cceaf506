/* Order, shards, batches and the ledger: whatever the number of ranks and wherever a stream starts, it is the
 * same stream. */
#include "data/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/philox.h"
#include "data/data.h"

enum { N = 53, CLASSES = 5, SEED = 77 };
static const int sizes[] = {1, 2, 3, 4, 7};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static ann_dataset *dataset; /* N samples, opened once */

/* An order that the test forgets: freed with the others at the end. */
static ann_order *orders[4096];
static int order_count;

static ann_order *order_of(ann_order_kind kind, uint64_t seed, int64_t samples, int64_t batch) {
    const ann_order_options options = {.kind = kind, .seed = seed, .samples = samples, .batch = batch};
    assert_true(order_count < (int)(sizeof orders / sizeof orders[0]));
    check_ok(ann_order_new(&orders[order_count], &options));
    return orders[order_count++];
}

static int64_t sample_at(const ann_order *order, int64_t position) {
    int64_t epoch, sample;
    ann_order_at(order, position, &epoch, &sample);
    return sample;
}

static int setup(void **state) {
    if (fixture_setup(state) != 0) return -1;
    const char *path = fixture_path("loader.h5");
    fixture_images(path, "train", N, CLASSES);
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    return ann_dataset_open(&dataset, &options) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    ann_dataset_close(dataset);
    for (int i = 0; i < order_count; i++) ann_order_free(orders[i]);
    return fixture_teardown(state);
}

static ann_loader_options options_for(int rank, int size, int64_t batch, int64_t first, int64_t end) {
    return (ann_loader_options){.dataset = dataset,
                                .order = order_of(ANN_ORDER_SHUFFLED, SEED, N, batch),
                                .rank = rank,
                                .size = size,
                                .first_position = first,
                                .end_position = end};
}

/* Orders over the N samples in batches of 12, with every kind and remainder. */
static ann_order *kind_of_order(int i) {
    static int32_t stratum[N];
    static float weights[N];
    ann_order_options o[] = {
        {.kind = ANN_ORDER_SHUFFLED, .remainder = ANN_REMAINDER_CUT},
        {.kind = ANN_ORDER_SHUFFLED, .remainder = ANN_REMAINDER_DROP, .lanes = 4},
        {.kind = ANN_ORDER_WINDOW, .block = 5, .window = 3},
        {.kind = ANN_ORDER_WINDOW, .block = 4, .window = 2, .remainder = ANN_REMAINDER_CUT, .lanes = 12},
        {.kind = ANN_ORDER_STRATIFIED, .stratum = stratum, .strata = CLASSES},
        {.kind = ANN_ORDER_WEIGHTED, .weights = weights},
    };
    if (i >= (int)(sizeof o / sizeof o[0])) return NULL;
    for (int s = 0; s < N; s++) {
        stratum[s] = s % CLASSES;
        weights[s] = (float)(s % 3);
    }
    o[i].seed = SEED;
    o[i].samples = N;
    o[i].batch = 12;
    assert_true(order_count < (int)(sizeof orders / sizeof orders[0]));
    check_ok(ann_order_new(&orders[order_count], &o[i]));
    return orders[order_count++];
}

/* ---- order and shards ---- */

static void test_shards_tile(void **state) {
    (void)state;
    for (int size = 1; size <= 9; size++) {
        for (int64_t n = 0; n <= 40; n++) {
            int64_t next = 1000;
            for (int rank = 0; rank < size; rank++) {
                int64_t first, count;
                ann_data_shard(&first, &count, 1000, n, rank, size);
                assert_int_equal(first, next);
                assert_true(count >= n / size && count <= n / size + 1);
                next += count;
            }
            assert_int_equal(next, 1000 + n);
        }
    }
}

static void test_order_is_a_permutation(void **state) {
    (void)state;
    static const int64_t samples[] = {1, 2, 3, 10, 60000, (1 << 20) + 7};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const int64_t n = samples[i];
        uint8_t *seen = calloc((size_t)n, 1);
        assert_non_null(seen);
        const ann_order *order = order_of(ANN_ORDER_SHUFFLED, SEED, n, 1);
        for (int64_t p = 3 * n; p < 4 * n; p++) { /* epoch 3 */
            const int64_t s = sample_at(order, p);
            assert_true(s >= 0 && s < n);
            if (seen[s]++ != 0) fail_msg("sample %lld of %lld twice", (long long)s, (long long)n);
        }
        free(seen);
    }
}

/* Two unrelated orders of 60000 agree in about one place; 20 would have probability below 1e-18. */
static void test_orders_differ(void **state) {
    (void)state;
    enum { MANY = 60000 };
    int same_epoch = 0, same_seed = 0, same_identity = 0;
    const ann_order *one = order_of(ANN_ORDER_SHUFFLED, SEED, MANY, 1),
                    *other = order_of(ANN_ORDER_SHUFFLED, SEED + 1, MANY, 1),
                    *plain = order_of(ANN_ORDER_SEQUENTIAL, SEED, MANY, 1);
    for (int64_t k = 0; k < MANY; k++) {
        const int64_t s = sample_at(one, k);
        same_epoch += s == sample_at(one, k + MANY);
        same_seed += s == sample_at(other, k);
        same_identity += s == k;
        assert_int_equal(sample_at(plain, k + MANY), k);
    }
    assert_true(same_epoch < 20 && same_seed < 20 && same_identity < 20);
}

/* ---- batches ---- */

/* Everything a batch says, against the order; position is where the last batch of this rank must go on. */
static void check_batch(const ann_batch *batch, const ann_loader_options *o, int64_t global_first) {
    int64_t first, count;
    assert_int_equal(batch->global_first, global_first);
    assert_int_equal(batch->global_count, ann_order_batch(o->order, global_first, o->end_position));
    ann_data_shard(&first, &count, global_first, batch->global_count, o->rank, o->size);
    assert_int_equal(batch->first, first);
    assert_int_equal(batch->count, count);
    const uint8_t *x = batch->fields[0];
    const int32_t *y = batch->fields[1];
    assert_int_equal((uintptr_t)x % 64, 0);
    assert_int_equal((uintptr_t)y % 64, 0);
    assert_int_equal((uintptr_t)batch->positions % 64, 0);
    for (int64_t i = 0; i < count; i++) {
        int64_t epoch, sample;
        ann_order_at(o->order, first + i, &epoch, &sample);
        assert_int_equal(batch->epochs[i], epoch);
        assert_int_equal(batch->positions[i], first + i);
        assert_int_equal(batch->samples[i], sample);
        assert_int_equal(y[i], sample % CLASSES);
        for (int k = 0; k < FIXTURE_ROW; k++)
            assert_int_equal(x[i * FIXTURE_ROW + k], fixture_pixel(sample, k));
    }
}

/* Runs one rank's loader to its end and notes how often each position came. */
static void run_loader(const ann_loader_options *o, int *seen, ann_ledger *ledger) {
    ann_loader *loader;
    const ann_batch *batch;
    check_ok(ann_loader_new(&loader, o));
    for (int64_t global_first = o->first_position; global_first < o->end_position;
         global_first = ann_order_after(o->order, global_first, 1)) {
        check_ok(ann_loader_next(loader, &batch));
        assert_non_null(batch);
        check_batch(batch, o, global_first);
        for (int64_t i = 0; i < batch->count; i++) seen[batch->positions[i] - o->first_position]++;
        ann_ledger_add_batch(ledger, batch);
    }
    for (int again = 0; again < 2; again++) {
        check_ok(ann_loader_next(loader, &batch));
        assert_null(batch);
    }
    assert_true(ann_loader_wait_ns(loader) >= 0);
    ann_loader_free(loader);
}

/* The ranks' shards join to the global sequence, through several epochs that no batch size divides. */
static void test_ranks_join(void **state) {
    (void)state;
    static const int64_t batches[] = {1, 8, 16, N, 2 * N + 5, 1000};
    for (int i = 0; i < SIZES; i++) {
        for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
            enum { END = 3 * N + 20 };
            int seen[END] = {0};
            ann_ledger sum = {0, 0};
            for (int rank = 0; rank < sizes[i]; rank++) {
                ann_loader_options o = options_for(rank, sizes[i], batches[b], 0, END);
                o.depth = (int)b;
                run_loader(&o, seen, &sum);
            }
            for (int p = 0; p < END; p++) assert_int_equal(seen[p], 1);
            const ann_ledger want = ann_ledger_expected(order_of(ANN_ORDER_SHUFFLED, SEED, N, 1), 0, END);
            assert_true(sum.sum == want.sum && sum.count == want.count);
        }
    }
}

/* Stopping anywhere and going on with another number of ranks uses every position once. */
static void test_resume_anywhere(void **state) {
    (void)state;
    enum { END = 2 * N + 9 };
    for (int64_t stop = 1; stop < END; stop++) {
        int before[END] = {0}, after[END] = {0};
        ann_ledger sum = {0, 0};
        const int size_before = sizes[stop % SIZES], size_after = sizes[(stop + 1) % SIZES];
        for (int rank = 0; rank < size_before; rank++) {
            const ann_loader_options o = options_for(rank, size_before, 16, 0, stop);
            run_loader(&o, before, &sum);
        }
        for (int rank = 0; rank < size_after; rank++) {
            const ann_loader_options o = options_for(rank, size_after, 16, stop, END);
            run_loader(&o, after, &sum);
        }
        for (int64_t p = 0; p < END; p++) assert_int_equal(p < stop ? before[p] : after[p - stop], 1);
        const ann_ledger want = ann_ledger_expected(order_of(ANN_ORDER_SHUFFLED, SEED, N, 1), 0, END);
        assert_true(sum.sum == want.sum && sum.count == want.count);
    }
}

/* The same with every kind of order and several workers; stops are where batches end. */
static void test_resume_every_order(void **state) {
    (void)state;
    enum { END = 2 * N + 9 };
    for (int kind = 0; kind_of_order(kind) != NULL; kind++) {
        const ann_order *order = kind_of_order(kind);
        for (int64_t stop = ann_order_after(order, 0, 1); stop < END;
             stop = ann_order_after(order, stop, 1)) {
            int before[END] = {0}, after[END] = {0};
            ann_ledger sum = {0, 0};
            const int size_before = sizes[stop % SIZES], size_after = sizes[(stop + 1) % SIZES];
            for (int rank = 0; rank < size_before; rank++) {
                ann_loader_options o = options_for(rank, size_before, 1, 0, stop);
                o.order = order;
                o.threads = 1 + (int)(stop % 3);
                run_loader(&o, before, &sum);
            }
            for (int rank = 0; rank < size_after; rank++) {
                ann_loader_options o = options_for(rank, size_after, 1, stop, END);
                o.order = order;
                o.max_threads = 4;
                run_loader(&o, after, &sum);
            }
            for (int64_t p = 0; p < END; p++) assert_int_equal(p < stop ? before[p] : after[p - stop], 1);
            const ann_ledger want = ann_ledger_expected(order, 0, END);
            assert_true(sum.sum == want.sum && sum.count == want.count);
        }
    }
}

/* However far depth and threads adapt, they stay within their limits, and the batches are the same. */
static void test_adapts_within_limits(void **state) {
    (void)state;
    enum { END = 400 * N };
    static int seen[END];
    memset(seen, 0, sizeof seen);
    ann_loader_options o = options_for(0, 1, 64, 0, END);
    o.max_threads = 3;
    ann_loader *loader;
    const ann_batch *batch;
    check_ok(ann_loader_new(&loader, &o));
    assert_true(ann_loader_depth(loader) == 2 && ann_loader_threads(loader) == 1);
    for (int64_t first = 0; first < END; first += 64) {
        check_ok(ann_loader_next(loader, &batch));
        check_batch(batch, &o, first);
        assert_true(ann_loader_depth(loader) <= 64 && ann_loader_threads(loader) <= 3);
    }
    ann_loader_free(loader);
    o.depth = 3;
    o.threads = 5;
    check_ok(ann_loader_new(&loader, &o));
    for (int i = 0; i < 20; i++) check_ok(ann_loader_next(loader, &batch));
    assert_true(ann_loader_depth(loader) == 3 && ann_loader_threads(loader) == 5);
    ann_loader_free(loader);
}

/* A read that fails comes after all batches before it, whichever worker met it, and stays. */
static void test_error_comes_in_its_place(void **state) {
    (void)state;
    enum { HELD = 20 };
    const ann_data_source source = {.path = fixture_path("loader.h5")};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    for (int threads = 1; threads <= 4; threads++) {
        ann_dataset *part;
        ann_loader *loader;
        const ann_batch *batch;
        check_ok(ann_dataset_open(&part, &options));
        check_ok(ann_dataset_hold(part, 0, HELD));
        ann_loader_options o = options_for(0, 1, 8, 0, N);
        o.dataset = part;
        o.order = order_of(ANN_ORDER_SEQUENTIAL, SEED, N, 8);
        o.threads = threads;
        check_ok(ann_loader_new(&loader, &o));
        for (int64_t first = 0; first + 8 <= HELD; first += 8) {
            check_ok(ann_loader_next(loader, &batch));
            check_batch(batch, &o, first);
        }
        for (int again = 0; again < 2; again++) {
            assert_int_equal(ann_loader_next(loader, &batch), ANN_ERR_ARG);
            assert_null(batch);
        }
        ann_loader_free(loader);
        ann_dataset_close(part);
    }
}

/* Evaluation: every sample once and in order, the last batch cut, some ranks' shares of it empty. */
static void test_sequential(void **state) {
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        int seen[N] = {0};
        ann_ledger sum = {0, 0};
        for (int rank = 0; rank < sizes[i]; rank++) {
            ann_loader_options o = options_for(rank, sizes[i], 10, 0, N);
            o.order = order_of(ANN_ORDER_SEQUENTIAL, SEED, N, 10);
            run_loader(&o, seen, &sum);
        }
        for (int s = 0; s < N; s++) assert_int_equal(seen[s], 1);
        assert_int_equal(sum.count, N);
    }
}

static void test_limited_dataset(void **state) {
    (void)state;
    enum { LIMIT = 12, ROUNDS = 3 };
    const ann_data_source source = {.path = fixture_path("loader.h5")};
    const ann_dataset_options limited = {.sources = &source,
                                         .source_count = 1,
                                         .split = "train",
                                         .limit = LIMIT,
                                         .balanced = true,
                                         .subset_seed = 4};
    ann_dataset *few;
    check_ok(ann_dataset_open(&few, &limited));
    ann_loader_options o = options_for(0, 1, 5, 0, ROUNDS * LIMIT);
    o.dataset = few;
    o.order = order_of(ANN_ORDER_SHUFFLED, SEED, LIMIT, 5);
    ann_loader *loader;
    check_ok(ann_loader_new(&loader, &o));
    int seen[LIMIT] = {0};
    const ann_batch *batch;
    ann_ledger ledger = {0, 0};
    check_ok(ann_loader_next(loader, &batch));
    while (batch != NULL) {
        for (int64_t k = 0; k < batch->count; k++) seen[batch->samples[k]]++;
        ann_ledger_add_batch(&ledger, batch);
        check_ok(ann_loader_next(loader, &batch));
    }
    for (int s = 0; s < LIMIT; s++) assert_int_equal(seen[s], ROUNDS);
    const ann_ledger want = ann_ledger_expected(o.order, 0, ROUNDS * LIMIT);
    assert_true(ledger.sum == want.sum && ledger.count == want.count);
    ann_loader_free(loader);
    ann_dataset_close(few);
}

/* The batch in the caller's hands stays as it is while the thread reads ahead as far as it may. */
static void test_batch_is_kept_while_reading_ahead(void **state) {
    (void)state;
    for (int depth = 1; depth <= 4; depth++) {
        ann_loader_options o = options_for(0, 1, 8, 0, 4 * N);
        o.depth = depth;
        ann_loader *loader;
        const ann_batch *batch;
        check_ok(ann_loader_new(&loader, &o));
        for (int64_t first = 0; first < o.end_position; first += 8) {
            check_ok(ann_loader_next(loader, &batch));
            ann_sleep_ns(200000);
            check_batch(batch, &o, first);
        }
        ann_loader_free(loader);
    }
}

static void test_early_free(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        ann_loader_options o = options_for(0, 1, 16, 0, INT64_MAX / 2);
        o.depth = 1 + i % 3;
        ann_loader *loader;
        const ann_batch *batch;
        check_ok(ann_loader_new(&loader, &o));
        for (int k = 0; k < i % 5; k++) check_ok(ann_loader_next(loader, &batch));
        if (i % 2 == 0) ann_sleep_ns(100000); /* most likely the ring is full and the thread asleep */
        ann_loader_free(loader);
    }
    ann_loader_free(NULL);
}

static ann_status try_loader(int rank, int size, int64_t batch, int64_t first, int64_t end, int depth) {
    ann_loader_options o = options_for(rank, size, batch, first, end);
    o.depth = depth;
    ann_loader *loader = (ann_loader *)1;
    const ann_status status = ann_loader_new(&loader, &o);
    if (status == ANN_OK) ann_loader_free(loader);
    else assert_null(loader);
    return status;
}

static void test_bad_options(void **state) {
    (void)state;
    check_fails(try_loader(-1, 2, 8, 0, N, 0), ANN_ERR_ARG, "rank -1 of 2");
    check_fails(try_loader(2, 2, 8, 0, N, 0), ANN_ERR_ARG, "rank 2 of 2");
    check_fails(try_loader(0, 0, 8, 0, N, 0), ANN_ERR_ARG, "rank 0 of 0");
    check_fails(try_loader(0, 1, 8, N, N, 0), ANN_ERR_ARG, "positions 53..53");
    check_fails(try_loader(0, 1, 8, -1, N, 0), ANN_ERR_ARG, "positions -1..53");
    check_fails(try_loader(0, 1, 8, 0, N, -1), ANN_ERR_ARG, "depth -1");
    check_fails(try_loader(0, 1, 8, 0, N, 1 << 20), ANN_ERR_ARG, "depth 1048576");
    ann_loader *loader;
    ann_loader_options o = options_for(0, 1, 8, 0, N);
    o.dataset = NULL;
    check_fails(ann_loader_new(&loader, &o), ANN_ERR_ARG, "no dataset");
}

/* ---- the ledger ---- */

/* All pairs of a stream, to be tampered with. */
static ann_ledger ledger_of(const int64_t *epochs, const int64_t *samples, int n) {
    ann_ledger ledger = {0, 0};
    for (int i = n - 1; i >= 0; i--) ann_ledger_add(&ledger, epochs[i], &samples[i], 1);
    return ledger;
}

static bool is_expected(const ann_ledger *ledger, const ann_order *order, int end) {
    const ann_ledger want = ann_ledger_expected(order, 0, end);
    return ledger->sum == want.sum && ledger->count == want.count;
}

/* One sample lost, repeated, taken twice instead of another, or counted to the wrong epoch: each is noticed.
 */
static void test_ledger_notices(void **state) {
    (void)state;
    enum { END = 2 * N + 20 };
    int64_t epochs[END + 1], samples[END + 1];
    const ann_order *order = order_of(ANN_ORDER_SHUFFLED, SEED, N, 1);
    for (int p = 0; p <= END; p++) {
        epochs[p] = p / N;
        samples[p] = sample_at(order, p);
    }
    for (int end = 0; end <= END; end++) {
        const ann_ledger honest = ledger_of(epochs, samples, end);
        assert_true(is_expected(&honest, order, end));
        if (end < END) assert_false(is_expected(&honest, order, end + 1));
    }
    for (int i = 0; i < END; i++) {
        ann_ledger repeated = ledger_of(epochs, samples, END);
        ann_ledger_add(&repeated, epochs[i], &samples[i], 1);
        assert_false(is_expected(&repeated, order, END));
        assert_false(is_expected(&repeated, order, END + 1));

        const int64_t sample = samples[i], epoch = epochs[i];
        samples[i] = samples[(i + 1) % END];
        const ann_ledger replaced = ledger_of(epochs, samples, END);
        assert_int_equal(is_expected(&replaced, order, END), samples[i] == sample);
        samples[i] = sample;
        epochs[i] = epoch + 1;
        const ann_ledger moved = ledger_of(epochs, samples, END);
        assert_false(is_expected(&moved, order, END));
        epochs[i] = epoch;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards_tile),          cmocka_unit_test(test_order_is_a_permutation),
        cmocka_unit_test(test_orders_differ),        cmocka_unit_test(test_ranks_join),
        cmocka_unit_test(test_resume_anywhere),      cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_limited_dataset),      cmocka_unit_test(test_batch_is_kept_while_reading_ahead),
        cmocka_unit_test(test_early_free),           cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_ledger_notices),       cmocka_unit_test(test_resume_every_order),
        cmocka_unit_test(test_adapts_within_limits), cmocka_unit_test(test_error_comes_in_its_place),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
