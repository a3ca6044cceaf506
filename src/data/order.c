#include "base/philox.h"
#include "data/data.h"

int64_t ann_data_sample_at(ann_order order, uint64_t seed, int64_t samples, int64_t position) {
    const int64_t epoch = position / samples, k = position % samples;
    if (order == ANN_ORDER_SEQUENTIAL) return k;
    return (int64_t)ann_permute_index(seed, ANN_STREAM_ORDER, (uint64_t)epoch, (uint64_t)samples,
                                      (uint64_t)k);
}

void ann_data_shard(int64_t *shard_first, int64_t *shard_count, int64_t first, int64_t n, int rank,
                    int size) {
    const int64_t begin = n * rank / size, end = n * (rank + 1) / size;
    *shard_first = first + begin;
    *shard_count = end - begin;
}
