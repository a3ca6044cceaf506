/* Decoded blocks, the most recently used ones of which stay in memory. Blocks have numbers; several threads
   may ask for them at once, and each is decoded by one of them. Private to src/data. */
#ifndef ANN_DATA_CACHE_H
#define ANN_DATA_CACHE_H

#include <stdint.h>
#include "base/status.h"

typedef struct anni_cache anni_cache;

/* For blocks 0..blocks-1, of `bytes` altogether; what is in use may exceed them, one block for each thread.
   Owner: the caller, anni_cache_free. */
ann_status anni_cache_new(anni_cache **out, int64_t blocks, int64_t bytes) ANN_MUST_CHECK;
void anni_cache_free(anni_cache *cache);
/* The block's bytes, valid until anni_cache_release. If they are not there, fill(to, what) makes them: in the
   calling thread, without a lock. Errors: ANN_ERR_MEMORY, those of fill. Thread-safe. */
ann_status anni_cache_acquire(const uint8_t **out, anni_cache *cache, int64_t block, size_t bytes,
                              ann_status (*fill)(void *to, const void *what),
                              const void *what) ANN_MUST_CHECK;
void anni_cache_release(anni_cache *cache, int64_t block);
/* Lets go of every block that is not in use. */
void anni_cache_drop(anni_cache *cache);

#endif
