#include "comm/ring.h"

enum { GRANULE_ELEMS = 16 }; /* 64 bytes of f32: a chunk starts on a cache line where the message does */

static int modulo(int value, int size) { return (value % size + size) % size; }

ann_ring_step ann_ring_at(int rank, int size, int step) {
    if (step < size - 1)
        return (ann_ring_step){modulo(rank - step, size), modulo(rank - step - 1, size), true};
    const int turn = step - (size - 1); /* of the allgather half; rank holds the sum of chunk rank + 1 */
    return (ann_ring_step){modulo(rank + 1 - turn, size), modulo(rank - turn, size), false};
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* The last chunks get the granules that are left over, so that the last granule, which may be a part of one,
   lies in one of the longer chunks. */
void ann_ring_chunk(int64_t elems, int size, int chunk, int64_t *begin, int64_t *count) {
    const int64_t granules = elems / GRANULE_ELEMS + (elems % GRANULE_ELEMS != 0);
    const int64_t each = granules / size, longer = granules % size;
    const int64_t first_longer = size - longer;
    const int64_t before = chunk * each + (chunk > first_longer ? chunk - first_longer : 0);
    const int64_t here = each + (chunk >= first_longer);
    *begin = min_i64(before * GRANULE_ELEMS, elems);
    *count = min_i64((before + here) * GRANULE_ELEMS, elems) - *begin;
}
