#include "base/hash.h"
#include "data/data.h"

void ann_ledger_add(ann_ledger *ledger, int64_t epoch, const int64_t *samples, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t pair[2] = {epoch, samples[i]};
        ledger->sum += ann_hash(pair, sizeof pair, 0);
    }
    ledger->count += (uint64_t)n;
}

void ann_ledger_add_batch(ann_ledger *ledger, const ann_batch *batch, int64_t samples) {
    for (int64_t i = 0; i < batch->count; i++) {
        ann_ledger_add(ledger, batch->positions[i] / samples, &batch->samples[i], 1);
    }
}

/* An epoch that lies wholly in the range uses every sample whatever its order is; the others need the
 * permutation. */
ann_ledger ann_ledger_expected(uint64_t seed, int64_t samples, int64_t first, int64_t end) {
    ann_ledger ledger = {0, 0};
    const int64_t whole_first = (first + samples - 1) / samples * samples,
                  whole_end = end / samples * samples;
    for (int64_t p = first; p < end; p++) {
        const ann_order order = p >= whole_first && p < whole_end ? ANN_ORDER_SEQUENTIAL : ANN_ORDER_SHUFFLED;
        const int64_t sample = ann_data_sample_at(order, seed, samples, p);
        ann_ledger_add(&ledger, p / samples, &sample, 1);
    }
    return ledger;
}
