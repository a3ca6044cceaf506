/* The loader augments: whatever the number of ranks and threads, and wherever a stream starts, each position
   has the same views, partner and share. */
#include "data/fixture.h"

#include <stdlib.h>
#include <string.h>
#include "data/data.h"

enum { N = 41, SIDE = 6, ROW = SIDE * SIDE, BATCH = 8, EPOCHS = 3, END = EPOCHS * N, CLASSES = 4, LANES = 4 };

static ann_dataset *dataset;
static uint8_t images[N][ROW];

static int setup(void **state) {
    if (fixture_setup(state) != 0) return -1;
    const char *path = fixture_path("augment.h5");
    const hsize_t x_dims[] = {N, SIDE, SIDE, 1}, y_dims[] = {N};
    int32_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = i % CLASSES;
        for (int k = 0; k < ROW; k++) images[i][k] = (uint8_t)(i * 11 + k * k * 3);
    }
    fixture_put(path, "/train/x", H5T_STD_U8LE, H5T_NATIVE_UINT8, FIXTURE_CONTIGUOUS, images, 4, x_dims);
    fixture_put(path, "/train/y", H5T_STD_I32LE, H5T_NATIVE_INT32, FIXTURE_CONTIGUOUS, labels, 1, y_dims);
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    return ann_dataset_open(&dataset, &options) == ANN_OK ? 0 : -1;
}

static int teardown(void **state) {
    ann_dataset_close(dataset);
    return fixture_teardown(state);
}

static ann_augment *make(bool mixup) {
    static const ann_augment_op ops[] = {
        {.kind = ANN_AUGMENT_FLIP, .horizontal = 0.5},
        {.kind = ANN_AUGMENT_CROP, .p = 1, .pixels = {2, 2}, .border = ANN_BORDER_REFLECT},
        {.kind = ANN_AUGMENT_GAUSSIAN, .p = 0.8, .sigma = 0.1},
        {.kind = ANN_AUGMENT_MIXUP, .p = 0.9, .alpha = 1},
    };
    const ann_augment_options o = {
        .seed = 5, .dtype = ANN_U8, .shape = ANN_SHAPE(SIDE, SIDE, 1), .ops = ops, .op_count = mixup ? 4 : 3};
    ann_augment *augment;
    check_ok(ann_augment_new(&augment, &o));
    return augment;
}

static ann_order *order_of(ann_remainder remainder, int lanes) {
    const ann_order_options o = {.kind = ANN_ORDER_SHUFFLED,
                                 .seed = 2,
                                 .samples = N,
                                 .batch = BATCH,
                                 .remainder = remainder,
                                 .lanes = lanes};
    ann_order *order;
    check_ok(ann_order_new(&order, &o));
    return order;
}

/* What every position of the stream should have, computed without a loader. */
typedef struct row {
    uint8_t x[ROW], x2[ROW];
    int32_t y2;
    float mix;
} row;

static void view_of(uint8_t *out, const ann_augment *a, const ann_order *order, int64_t position, int view) {
    _Alignas(64) char scratch[4096];
    int64_t epoch, sample;
    assert_true(ann_augment_scratch_bytes(a) <= sizeof scratch);
    ann_order_at(order, position, &epoch, &sample);
    memcpy(out, images[sample], ROW);
    ann_augment_apply(a, out, epoch, sample, view, scratch);
}

static void expected_row(row *out, const ann_augment *a, const ann_order *order, int64_t first, int64_t count,
                         int64_t position) {
    const int lanes = ann_order_options_of(order)->lanes;
    uint8_t other[ROW];
    int64_t epoch, sample;
    const int64_t partner = ann_mixup_partner(a, &out->mix, first, count, lanes > 1 ? lanes : 1, position);
    ann_order_at(order, partner, &epoch, &sample);
    out->y2 = (int32_t)(sample % CLASSES);
    view_of(out->x, a, order, position, 0);
    view_of(out->x2, a, order, position, 1);
    view_of(other, a, order, partner, 0);
    ann_mixup_blend(a, out->x, other, out->mix);
}

static row *expected(const ann_augment *a, const ann_order *order) {
    row *rows = calloc(END, sizeof *rows);
    assert_non_null(rows);
    for (int64_t first = 0; first < END;) {
        const int64_t n = ann_order_batch(order, first, END);
        for (int64_t i = 0; i < n; i++) expected_row(&rows[first + i], a, order, first, n, first + i);
        first += n;
    }
    return rows;
}

static void check_batch(const ann_batch *b, const row *rows, bool mixup, int views) {
    const uint8_t *x = b->fields[ann_dataset_find(dataset, "x")], *x2 = b->x2;
    assert_int_equal(b->x2 != NULL, views == 2);
    assert_int_equal(b->y2 != NULL && b->mix != NULL, mixup);
    for (int64_t i = 0; i < b->count; i++) {
        const row *want = &rows[b->positions[i]];
        assert_memory_equal(x + i * ROW, want->x, ROW);
        if (views == 2) assert_memory_equal(x2 + i * ROW, want->x2, ROW);
        if (mixup) assert_true(b->y2[i] == want->y2 && b->mix[i] == want->mix);
    }
}

/* All ranks of a size, from the batch that starts at `first`. */
static void check_stream(const ann_augment *a, const ann_order *order, const row *rows, int size, int threads,
                         int64_t first, int views) {
    int64_t count = 0;
    for (int rank = 0; rank < size; rank++) {
        const ann_loader_options o = {.dataset = dataset,
                                      .order = order,
                                      .rank = rank,
                                      .size = size,
                                      .first_position = first,
                                      .end_position = END,
                                      .threads = threads,
                                      .augment = a,
                                      .views = views};
        ann_loader *loader;
        const ann_batch *b;
        check_ok(ann_loader_new(&loader, &o));
        for (;;) {
            check_ok(ann_loader_next(loader, &b));
            if (b == NULL) break;
            check_batch(b, rows, ann_augment_has_mixup(a), views);
            count += b->count;
        }
        ann_loader_free(loader);
    }
    assert_int_equal(count, END - first);
}

static void check_everywhere(bool mixup, int views, ann_remainder remainder, int lanes) {
    ann_augment *a = make(mixup);
    ann_order *order = order_of(remainder, lanes);
    row *rows = expected(a, order);
    for (int size = 1; size <= 4; size++)
        for (int threads = 1; threads <= 3; threads += 2) {
            check_stream(a, order, rows, size, threads, 0, views);
            check_stream(a, order, rows, size, threads, ann_order_after(order, 0, 7),
                         views); /* in mid-epoch */
        }
    free(rows);
    ann_order_free(order);
    ann_augment_free(a);
}

static void same_views_everywhere(void **state) {
    (void)state;
    check_everywhere(false, 1, ANN_REMAINDER_CARRY, 0);
    check_everywhere(false, 2, ANN_REMAINDER_CUT, 0);
}

static void same_mixup_everywhere(void **state) {
    (void)state;
    check_everywhere(true, 1, ANN_REMAINDER_CARRY, 0);
    check_everywhere(true, 1, ANN_REMAINDER_CUT, LANES);
}

/* The two views of a sample differ, and so do those of different epochs. */
static void views_differ(void **state) {
    (void)state;
    ann_augment *a = make(false);
    ann_order *order = order_of(ANN_REMAINDER_CARRY, 0);
    row *rows = expected(a, order);
    int same = 0, still = 0;
    for (int64_t p = 0; p < END; p++) {
        int64_t epoch, sample;
        ann_order_at(order, p, &epoch, &sample);
        same += memcmp(rows[p].x, rows[p].x2, ROW) == 0;
        still += memcmp(rows[p].x, images[sample], ROW) == 0;
        for (int64_t q = 0; q < p; q++) same += memcmp(rows[p].x, rows[q].x, ROW) == 0;
    }
    assert_int_equal(same, 0);
    /* Neither noise (0.2) nor flip (0.5) nor shift (1 of 25): each with probability 0.004. */
    assert_true(still <= 5);
    free(rows);
    ann_order_free(order);
    ann_augment_free(a);
}

/* A rank that holds nothing but its own lanes' share finds its partners there. */
static void mixup_in_memory(void **state) {
    (void)state;
    ann_augment *a = make(true);
    ann_order *order = order_of(ANN_REMAINDER_CUT, LANES);
    const ann_data_source source = {.path = fixture_path("augment.h5")};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    row *rows = expected(a, order);
    for (int rank = 0; rank < 2; rank++) {
        int64_t first, count;
        ann_dataset *part;
        ann_loader *loader;
        const ann_batch *b;
        check_ok(ann_dataset_open(&part, &options));
        check_ok(ann_order_share(order, rank, 2, &first, &count));
        check_ok(ann_dataset_hold(part, first, count));
        const ann_loader_options o = {
            .dataset = part, .order = order, .rank = rank, .size = 2, .end_position = END, .augment = a};
        check_ok(ann_loader_new(&loader, &o));
        for (;;) {
            check_ok(ann_loader_next(loader, &b));
            if (b == NULL) break;
            check_batch(b, rows, true, 1);
        }
        ann_loader_free(loader);
        ann_dataset_close(part);
    }
    free(rows);
    ann_order_free(order);
    ann_augment_free(a);
}

static void what_is_refused(void **state) {
    (void)state;
    static const ann_augment_op op = {.kind = ANN_AUGMENT_MASK, .p = 1, .fraction = 0.5};
    const ann_augment_options other = {
        .dtype = ANN_F32, .shape = ANN_SHAPE(SIDE, SIDE, 1), .ops = &op, .op_count = 1};
    ann_augment *mixup = make(true), *floats;
    ann_order *order = order_of(ANN_REMAINDER_CARRY, 0);
    ann_loader *loader;
    ann_loader_options o = {.dataset = dataset, .order = order, .size = 1, .end_position = END, .views = 2};
    check_ok(ann_augment_new(&floats, &other));
    check_fails(ann_loader_new(&loader, &o), ANN_ERR_ARG, "two views of a sample need an augmentation");
    o.augment = mixup;
    check_fails(ann_loader_new(&loader, &o), ANN_ERR_ARG, "mixup is for one view");
    o.views = 3;
    check_fails(ann_loader_new(&loader, &o), ANN_ERR_ARG, "3 views, accepted: 1 and 2");
    o.views = 1;
    o.augment = floats;
    check_fails(ann_loader_new(&loader, &o), ANN_ERR_ARG, "for another x than the dataset's");
    ann_order_free(order);
    ann_augment_free(mixup);
    ann_augment_free(floats);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_views_everywhere), cmocka_unit_test(same_mixup_everywhere),
        cmocka_unit_test(views_differ),          cmocka_unit_test(mixup_in_memory),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
