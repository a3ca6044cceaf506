/* Memory: aligned blocks in huge pages, and a growing arena for objects that die together. */
#ifndef ANN_BASE_MEM_H
#define ANN_BASE_MEM_H

#include <stddef.h>
#include "base/status.h"

#define ANN_ALIGN_BYTES 64 /* one cache line, one AVX-512 register */

static inline size_t ann_align_up(size_t bytes, size_t align) { return (bytes + align - 1) / align * align; }

/* Zeroed memory, aligned to ANN_ALIGN_BYTES; from 1 MiB on, aligned to 2 MiB and advised to be in huge pages.
   Owner: the caller, ann_mem_free(*out, bytes). Errors: ANN_ERR_MEMORY. Local. */
ann_status ann_mem_alloc(void **out, size_t bytes) ANN_MUST_CHECK;
void ann_mem_free(void *p, size_t bytes);
/* Whole pages inside of [p, p + bytes), a part of what ann_mem_alloc gave, are given back to the system until
   they are written again, in small pages then: they read as zero. */
void ann_mem_discard(void *p, size_t bytes);

/* Arena: allocations are never freed one by one. All are zeroed and aligned to 16 bytes. */
typedef struct ann_arena ann_arena;
ann_status ann_arena_new(ann_arena **out) ANN_MUST_CHECK;
void ann_arena_free(ann_arena *arena);
/* Returns NULL when memory is exhausted. */
void *ann_arena_alloc(ann_arena *arena, size_t bytes);
/* Copies of a NUL-terminated string, and of formatted text. NULL when memory is exhausted. */
char *ann_arena_strdup(ann_arena *arena, const char *text);
char *ann_arena_printf(ann_arena *arena, const char *fmt, ...) ANN_PRINTF(2, 3);

#endif
