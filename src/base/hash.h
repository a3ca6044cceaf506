/* 64-bit hashes (XXH3, libxxhash) of bytes and strings: for checksums, plan hashes and name lookups. Local.
 */
#ifndef ANN_BASE_HASH_H
#define ANN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

/* One-shot. Chain by passing the previous result as seed; start with 0. */
uint64_t ann_hash(const void *data, size_t bytes, uint64_t seed);
uint64_t ann_hash_str(const char *text);

/* ann_hash of bytes that come in parts: begin (seed 0, or another), updates, end. End may be called more than
 * once. */
typedef struct ann_hasher {
    _Alignas(64) unsigned char state[576];
} ann_hasher;
void ann_hasher_begin(ann_hasher *hasher);
void ann_hasher_begin_seeded(ann_hasher *hasher, uint64_t seed);
void ann_hasher_update(ann_hasher *hasher, const void *data, size_t bytes);
uint64_t ann_hasher_end(const ann_hasher *hasher);

/* Of a file's bytes. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_MEMORY. */
ann_status ann_hash_file(uint64_t *out, const char *path) ANN_MUST_CHECK;

#endif
