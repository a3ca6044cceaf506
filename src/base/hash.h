/* 64-bit hashes (XXH3, libxxhash) of bytes and strings: for checksums, plan hashes and name lookups. Local. */
#ifndef ANN_BASE_HASH_H
#define ANN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* One-shot. Chain by passing the previous result as seed; start with 0. */
uint64_t ann_hash(const void *data, size_t bytes, uint64_t seed);
uint64_t ann_hash_str(const char *text);

#endif
