#include "data/order_draw.h"

#include <stdlib.h>
#include "base/philox.h"

struct ann_order {
    ann_order_options o; /* its borrowed arrays are NULL */
    int64_t length;      /* positions of an epoch */
    int64_t steps;       /* batches of an epoch; CUT and DROP */
    int64_t windows;     /* of an epoch of the largest lane */
    anni_strata strata;
    anni_alias alias;
};

/* ---- making one ---- */

static bool draws(ann_order_kind kind) { return kind == ANN_ORDER_STRATIFIED || kind == ANN_ORDER_WEIGHTED; }

static ann_status check_lanes(const ann_order_options *o) {
    if (o->lanes < 0 || o->lanes > o->samples) {
        return ann_error(ANN_ERR_ARG, "order: %d lanes, accepted: 1 to %lld, the samples", o->lanes,
                         (long long)o->samples);
    }
    if (o->lanes <= 1) return ANN_OK;
    if (o->kind != ANN_ORDER_SHUFFLED && o->kind != ANN_ORDER_WINDOW) {
        return ann_error(ANN_ERR_ARG, "order: lanes are for shuffled and window orders");
    }
    if (o->remainder == ANN_REMAINDER_CARRY) {
        return ann_error(ANN_ERR_ARG, "order: lanes need the remainder cut or drop");
    }
    if (o->batch % o->lanes != 0) {
        return ann_error(ANN_ERR_ARG, "order: %d lanes do not divide a batch of %lld", o->lanes,
                         (long long)o->batch);
    }
    return ANN_OK;
}

static ann_status check_options(const ann_order_options *o) {
    if ((unsigned)o->kind > ANN_ORDER_WEIGHTED || (unsigned)o->remainder > ANN_REMAINDER_DROP) {
        return ann_error(ANN_ERR_ARG, "order: kind %d, remainder %d", (int)o->kind, (int)o->remainder);
    }
    if (o->samples < 1 || o->batch < 1) {
        return ann_error(ANN_ERR_ARG, "order: %lld samples, batch %lld, accepted: 1 and more",
                         (long long)o->samples, (long long)o->batch);
    }
    if (o->kind == ANN_ORDER_WINDOW && (o->block < 1 || o->window < 1)) {
        return ann_error(ANN_ERR_ARG, "order: block %lld, window %lld, accepted: 1 and more",
                         (long long)o->block, (long long)o->window);
    }
    if (o->remainder == ANN_REMAINDER_DROP && o->samples < o->batch) {
        return ann_error(ANN_ERR_ARG,
                         "order: %lld samples are less than a batch of %lld: all would be dropped",
                         (long long)o->samples, (long long)o->batch);
    }
    if (draws(o->kind) && o->remainder != ANN_REMAINDER_CARRY) {
        return ann_error(ANN_ERR_ARG, "order: draws by stratum or weight have the remainder carry");
    }
    return check_lanes(o);
}

static int64_t divide_up(int64_t a, int64_t b) { return (a - 1) / b + 1; }

ann_status ann_order_new(ann_order **out, const ann_order_options *options) {
    *out = NULL;
    ANN_TRY(check_options(options));
    ann_order *order = calloc(1, sizeof *order);
    if (order == NULL) return ann_error(ANN_ERR_MEMORY, "order: out of memory");
    order->o = *options;
    ann_order_options *o = &order->o;
    if (o->lanes == 0) o->lanes = 1;
    if (o->block > o->samples) o->block = o->samples;
    order->length = o->remainder == ANN_REMAINDER_DROP ? o->samples / o->batch * o->batch : o->samples;
    order->steps = divide_up(order->length, o->batch);
    if (o->kind == ANN_ORDER_WINDOW) {
        const int64_t blocks = divide_up(divide_up(o->samples, o->lanes), o->block);
        if (o->window > blocks) o->window = blocks;
        order->windows = divide_up(blocks, o->window);
    }
    ann_status status = ANN_OK;
    if (o->kind == ANN_ORDER_STRATIFIED) status = anni_strata_init(&order->strata, options);
    if (o->kind == ANN_ORDER_WEIGHTED)
        status = anni_alias_init(&order->alias, options->weights, options->samples);
    o->stratum = NULL;
    o->shares = NULL;
    o->weights = NULL;
    if (status != ANN_OK) {
        ann_order_free(order);
        return status;
    }
    *out = order;
    return ANN_OK;
}

void ann_order_free(ann_order *order) {
    if (order == NULL) return;
    anni_strata_fini(&order->strata);
    anni_alias_fini(&order->alias);
    free(order);
}

const ann_order_options *ann_order_options_of(const ann_order *order) { return &order->o; }
int64_t ann_order_samples(const ann_order *order) { return order->o.samples; }
int64_t ann_order_length(const ann_order *order) { return order->length; }
bool ann_order_exact(const ann_order *order) { return !draws(order->o.kind); }

/* ---- blocks and windows ---- */

/* An epoch of `samples` samples as a row of slots, a block in each. All blocks are of equal size but the last
   of the dataset, the short one, which has a keyed slot of its own; the other blocks are permuted over the
   other slots. So where a slot starts is known without looking at the slots before it. */
typedef struct row {
    const ann_order *order;
    uint64_t key; /* of the epoch and the lane */
    int64_t samples, blocks, short_slot;
} row;

static row row_of(const ann_order *order, int64_t samples, uint64_t key) {
    row r = {order, key, samples, divide_up(samples, order->o.block), 0};
    r.short_slot = anni_pick(order->o.seed, ANN_STREAM_SHORT, key, r.blocks);
    return r;
}

static int64_t slot_start(const row *r, int64_t slot) {
    const int64_t block = r->order->o.block, missing = r->blocks * block - r->samples;
    return slot * block - (slot > r->short_slot ? missing : 0);
}

static int64_t slot_of(const row *r, int64_t k) {
    const int64_t block = r->order->o.block;
    if (k < slot_start(r, r->short_slot)) return k / block;
    const int64_t behind = slot_start(r, r->short_slot + 1);
    return k < behind ? r->short_slot : r->short_slot + 1 + (k - behind) / block;
}

static int64_t block_in(const row *r, int64_t slot) {
    if (slot == r->short_slot) return r->blocks - 1;
    return anni_permute(r->order->o.seed, ANN_STREAM_BLOCKS, r->key, r->blocks - 1,
                        slot < r->short_slot ? slot : slot - 1);
}

/* The slots [*first, *end) of a window. */
static void window_slots(const row *r, int64_t window, int64_t *first, int64_t *end) {
    *first = window * r->order->o.window;
    *end = *first + r->order->o.window;
    if (*end > r->blocks) *end = r->blocks;
}

static int64_t window_sample(const ann_order *order, int64_t samples, uint64_t key, int64_t k) {
    const row r = row_of(order, samples, key);
    const int64_t window = slot_of(&r, k) / order->o.window;
    int64_t slot, slot_end;
    window_slots(&r, window, &slot, &slot_end);
    const int64_t start = slot_start(&r, slot), count = slot_start(&r, slot_end) - start;
    const uint64_t window_key = key * (uint64_t)order->windows + (uint64_t)window;
    const int64_t at = start + anni_permute(order->o.seed, ANN_STREAM_WINDOW, window_key, count, k - start);
    const int64_t from = slot_of(&r, at);
    return block_in(&r, from) * order->o.block + at - slot_start(&r, from);
}

/* ---- positions ---- */

/* Sample number k of the order of `samples` samples. */
static int64_t sample_in(const ann_order *order, int64_t samples, uint64_t key, int64_t k) {
    if (order->o.kind == ANN_ORDER_SEQUENTIAL) return k;
    if (order->o.kind == ANN_ORDER_WINDOW) return window_sample(order, samples, key, k);
    return (int64_t)ann_permute_index(order->o.seed, ANN_STREAM_ORDER, key, (uint64_t)samples, (uint64_t)k);
}

static int64_t lane_first(const ann_order *order, int64_t lane) {
    return order->o.samples * lane / order->o.lanes;
}

/* Place k of an epoch is in batch k / batch, of n samples, and there in the last lane l whose part
   [l*n/lanes, (l+1)*n/lanes) starts at or before it. *nth: how many places of the lane come before it. */
static int64_t lane_of(const ann_order *order, int64_t k, int64_t *nth) {
    const int64_t batch = order->o.batch, lanes = order->o.lanes, left = order->length - k / batch * batch;
    const int64_t n = left < batch ? left : batch, j = k % batch;
    const int64_t lane = ((j + 1) * lanes - 1) / n;
    *nth = k / batch * (batch / lanes) + j - lane * n / lanes;
    return lane;
}

void ann_order_at(const ann_order *order, int64_t position, int64_t *epoch, int64_t *sample) {
    const ann_order_options *o = &order->o;
    if (o->kind == ANN_ORDER_STRATIFIED) {
        anni_strata_at(&order->strata, o->seed, position, epoch, sample);
        return;
    }
    const int64_t k = position % order->length;
    *epoch = position / order->length;
    if (o->kind == ANN_ORDER_WEIGHTED) {
        *sample = anni_alias_draw(&order->alias, o->seed, position);
        return;
    }
    if (o->lanes == 1) {
        *sample = sample_in(order, o->samples, (uint64_t)*epoch, k);
        return;
    }
    int64_t nth;
    const int64_t lane = lane_of(order, k, &nth), first = lane_first(order, lane);
    const uint64_t key = (uint64_t)*epoch * (uint64_t)o->lanes + (uint64_t)lane;
    *sample = first + sample_in(order, lane_first(order, lane + 1) - first, key, nth);
}

/* ---- batches ---- */

/* With CUT and DROP each epoch is a row of batches; they are numbered through all epochs. */
static int64_t batch_number(const ann_order *order, int64_t position) {
    return position / order->length * order->steps + position % order->length / order->o.batch;
}

static int64_t batch_start(const ann_order *order, int64_t number) {
    return number / order->steps * order->length + number % order->steps * order->o.batch;
}

int64_t ann_order_after(const ann_order *order, int64_t first, int64_t steps) {
    if (steps == 0) return first;
    if (order->o.remainder == ANN_REMAINDER_CARRY) return first + steps * order->o.batch;
    return batch_start(order, batch_number(order, first) + steps);
}

int64_t ann_order_batch(const ann_order *order, int64_t position, int64_t end) {
    const int64_t next = ann_order_after(order, position, 1);
    return (next < end ? next : end) - position;
}

int64_t ann_order_steps(const ann_order *order, int64_t first, int64_t end) {
    if (end <= first) return 0;
    if (order->o.remainder == ANN_REMAINDER_CARRY) return divide_up(end - first, order->o.batch);
    return batch_number(order, end - 1) - batch_number(order, first) + 1;
}

int64_t ann_order_small_batch(const ann_order *order, int64_t first, int64_t end) {
    if (order->o.remainder == ANN_REMAINDER_CARRY) return (end - first) % order->o.batch;
    const bool whole_epoch = end / order->length > first / order->length;
    return whole_epoch ? order->length % order->o.batch : 0;
}

/* ---- where in the dataset ---- */

ann_status ann_order_share(const ann_order *order, int rank, int size, int64_t *first, int64_t *count) {
    const int lanes = order->o.lanes;
    if (size < 1 || lanes % size != 0) {
        return ann_error(ANN_ERR_ARG,
                         "with %d lane%s each of %d ranks would need the whole dataset in memory, accepted: "
                         "a number of lanes that is a multiple of the ranks",
                         lanes, lanes == 1 ? "" : "s", size);
    }
    *first = lane_first(order, (int64_t)rank * (lanes / size));
    *count = lane_first(order, ((int64_t)rank + 1) * (lanes / size)) - *first;
    return ANN_OK;
}

/* Lanes are all in the same window but for a short block's difference; lane 0 speaks for all. */
int64_t ann_order_window(const ann_order *order, int64_t position) {
    if (order->o.kind != ANN_ORDER_WINDOW) return 0;
    const int64_t epoch = position / order->length;
    const int64_t lanes = order->o.lanes, k = position % order->length / lanes;
    const int64_t samples = lane_first(order, 1);
    const row r = row_of(order, samples, (uint64_t)(epoch * lanes));
    return epoch * order->windows + slot_of(&r, k < samples ? k : samples - 1) / order->o.window;
}

int ann_order_window_blocks(const ann_order *order, int64_t window, int64_t (*ranges)[2], int max) {
    const ann_order_options *o = &order->o;
    int n = 0;
    for (int64_t lane = 0; o->kind == ANN_ORDER_WINDOW && lane < o->lanes; lane++) {
        const int64_t first = lane_first(order, lane), samples = lane_first(order, lane + 1) - first;
        const int64_t epoch = window / order->windows;
        const row r = row_of(order, samples, (uint64_t)(epoch * o->lanes + lane));
        int64_t slot, end;
        window_slots(&r, window % order->windows, &slot, &end);
        for (; slot < end && n < max; slot++, n++) {
            ranges[n][0] = first + block_in(&r, slot) * o->block;
            ranges[n][1] = slot_start(&r, slot + 1) - slot_start(&r, slot);
        }
    }
    return n;
}
