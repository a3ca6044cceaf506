#include "tensor/chunk.h"

enum { GRANULE_ELEMS = 16 }; /* 64 bytes of f32: a chunk starts on a cache line where the vector does */

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* The last chunks get the granules that are left over, so that the last granule, which may be a part of one,
   lies in one of the longer chunks. */
void ann_chunk_of(int64_t elems, int parts, int index, int64_t *begin, int64_t *count) {
    const int64_t granules = elems / GRANULE_ELEMS + (elems % GRANULE_ELEMS != 0);
    const int64_t each = granules / parts, longer = granules % parts;
    const int64_t first_longer = parts - longer;
    const int64_t before = index * each + (index > first_longer ? index - first_longer : 0);
    const int64_t here = each + (index >= first_longer);
    *begin = min_i64(before * GRANULE_ELEMS, elems);
    *count = min_i64((before + here) * GRANULE_ELEMS, elems) - *begin;
}
