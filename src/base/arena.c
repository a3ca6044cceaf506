#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN ((size_t)16)
#define CHUNK_BYTES ((size_t)16384)

typedef struct chunk {
    struct chunk *next;
    size_t used, size; /* of data */
    _Alignas(16) unsigned char data[];
} chunk;

struct ann_arena {
    chunk *chunks; /* the first is the one being filled */
};

static chunk *chunk_new(size_t size) {
    chunk *c = size <= SIZE_MAX - sizeof *c ? calloc(1, sizeof *c + size) : NULL;
    if (c) c->size = size;
    return c;
}

ann_status ann_arena_new(ann_arena **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ANN_OK : ann_error(ANN_ERR_MEMORY, "cannot allocate an arena");
}

void ann_arena_free(ann_arena *arena) {
    if (!arena) return;
    for (chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

void *ann_arena_alloc(ann_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    const size_t need = ann_align_up(bytes ? bytes : 1, ARENA_ALIGN);
    chunk *head = arena->chunks;
    if (head && head->size - head->used >= need) {
        void *p = head->data + head->used;
        head->used += need;
        return p;
    }
    const bool large = need > CHUNK_BYTES / 4;
    chunk *c = chunk_new(large ? need : CHUNK_BYTES);
    if (!c) return NULL;
    c->used = need;
    if (large && head) { /* stands behind the head, which is filled further */
        c->next = head->next;
        head->next = c;
    } else {
        c->next = head;
        arena->chunks = c;
    }
    return c->data;
}

char *ann_arena_strdup(ann_arena *arena, const char *text) {
    const size_t bytes = strlen(text) + 1;
    char *copy = ann_arena_alloc(arena, bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

char *ann_arena_printf(ann_arena *arena, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = length >= 0 ? ann_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text) vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}
