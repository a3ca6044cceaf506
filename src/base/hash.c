#include "base/hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ann_hash(const void *data, size_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}
uint64_t ann_hash_str(const char *text) { return ann_hash(text, strlen(text), 0); }
