#include "base/hash.h"
#include "data/data.h"

void ann_ledger_add(ann_ledger *ledger, int64_t epoch, const int64_t *samples, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t pair[2] = {epoch, samples[i]};
        ledger->sum += ann_hash(pair, sizeof pair, 0);
    }
    ledger->count += (uint64_t)n;
}

void ann_ledger_add_batch(ann_ledger *ledger, const ann_batch *batch) {
    for (int64_t i = 0; i < batch->count; i++)
        ann_ledger_add(ledger, batch->epochs[i], &batch->samples[i], 1);
}

/* An epoch that lies wholly in the range and uses every sample does so whatever its order is. */
static bool is_whole(const ann_order *order, int64_t epoch, int64_t first, int64_t end) {
    const int64_t length = ann_order_length(order);
    return ann_order_exact(order) && length == ann_order_samples(order) && epoch * length >= first &&
           (epoch + 1) * length <= end;
}

ann_ledger ann_ledger_expected(const ann_order *order, int64_t first, int64_t end) {
    const int64_t length = ann_order_length(order);
    ann_ledger ledger = {0, 0};
    for (int64_t p = first; p < end; p++) {
        int64_t epoch = p / length, sample = p % length;
        if (!is_whole(order, epoch, first, end)) ann_order_at(order, p, &epoch, &sample);
        ann_ledger_add(&ledger, epoch, &sample, 1);
    }
    return ledger;
}
