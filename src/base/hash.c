#include "base/hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ann_hash(const void *data, size_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}
uint64_t ann_hash_str(const char *text) { return ann_hash(text, strlen(text), 0); }

_Static_assert(sizeof(ann_hasher) >= sizeof(XXH3_state_t), "room for xxhash's state");
_Static_assert(_Alignof(ann_hasher) >= _Alignof(XXH3_state_t), "its alignment");

void ann_hasher_begin(ann_hasher *hasher) { XXH3_64bits_reset((XXH3_state_t *)hasher->state); }
void ann_hasher_begin_seeded(ann_hasher *hasher, uint64_t seed) {
    XXH3_64bits_reset_withSeed((XXH3_state_t *)hasher->state, seed);
}
void ann_hasher_update(ann_hasher *hasher, const void *data, size_t bytes) {
    XXH3_64bits_update((XXH3_state_t *)hasher->state, data, bytes);
}
uint64_t ann_hasher_end(const ann_hasher *hasher) {
    return XXH3_64bits_digest((const XXH3_state_t *)hasher->state);
}
