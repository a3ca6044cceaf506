#include "data/cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/mem.h"

/* A block in memory. Those that nobody uses are in the list, the one that was used last in front. */
typedef struct entry {
    struct entry *before, *after;
    int64_t block;
    void *data;
    size_t bytes;
    int users;
    bool ready; /* false while the first user fills it */
} entry;

struct anni_cache {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    int64_t blocks;
    size_t limit, used; /* bytes */
    entry idle;         /* head of the ring */
    entry **of;         /* [blocks]; NULL: not in memory */
};

ann_status anni_cache_new(anni_cache **out, int64_t blocks, int64_t bytes) {
    *out = NULL;
    anni_cache *cache = calloc(1, sizeof *cache);
    entry **of = calloc((size_t)blocks, sizeof(entry *));
    if (cache == NULL || of == NULL) {
        free(cache);
        free(of);
        return ann_error(ANN_ERR_MEMORY, "no memory for a cache of %lld blocks", (long long)blocks);
    }
    *cache = (anni_cache){.blocks = blocks, .limit = (size_t)bytes, .of = of};
    cache->idle.before = cache->idle.after = &cache->idle;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->filled, NULL);
    *out = cache;
    return ANN_OK;
}

static void leave_list(entry *e) {
    e->before->after = e->after;
    e->after->before = e->before;
}

static void discard(anni_cache *cache, entry *e) {
    cache->of[e->block] = NULL;
    cache->used -= e->bytes;
    ann_mem_free(e->data, e->bytes);
    free(e);
}

/* Idle blocks go, the longest unused first, until `bytes` more fit. */
static void make_room(anni_cache *cache, size_t bytes) {
    entry *oldest = cache->idle.before;
    while (cache->used + bytes > cache->limit && oldest != &cache->idle) {
        entry *next = oldest->before;
        leave_list(oldest);
        discard(cache, oldest);
        oldest = next;
    }
}

void anni_cache_drop(anni_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    make_room(cache, cache->limit);
    pthread_mutex_unlock(&cache->lock);
}

void anni_cache_free(anni_cache *cache) {
    if (cache == NULL) return;
    anni_cache_drop(cache);
    pthread_cond_destroy(&cache->filled);
    pthread_mutex_destroy(&cache->lock);
    free(cache->of);
    free(cache);
}

/* A new entry, with its first user. */
static ann_status add(entry **out, anni_cache *cache, int64_t block, size_t bytes) {
    make_room(cache, bytes);
    entry *e = calloc(1, sizeof *e);
    if (e == NULL) return ann_error(ANN_ERR_MEMORY, "no memory for a block of %zu bytes", bytes);
    const ann_status status = ann_mem_alloc(&e->data, bytes);
    if (status != ANN_OK) {
        free(e);
        return status;
    }
    e->block = block;
    e->bytes = bytes;
    e->users = 1;
    cache->of[block] = e;
    cache->used += bytes;
    *out = e;
    return ANN_OK;
}

static entry *use(anni_cache *cache, int64_t block) {
    entry *e = cache->of[block];
    while (e != NULL && !e->ready) {
        pthread_cond_wait(&cache->filled, &cache->lock);
        e = cache->of[block]; /* gone if filling it failed */
    }
    if (e != NULL && e->users++ == 0) leave_list(e);
    return e;
}

ann_status anni_cache_acquire(const uint8_t **out, anni_cache *cache, int64_t block, size_t bytes,
                              ann_status (*fill)(void *to, const void *what), const void *what) {
    pthread_mutex_lock(&cache->lock);
    entry *e = use(cache, block);
    ann_status status = ANN_OK;
    if (e == NULL) {
        status = add(&e, cache, block, bytes);
        if (status == ANN_OK) {
            pthread_mutex_unlock(&cache->lock);
            status = fill(e->data, what);
            pthread_mutex_lock(&cache->lock);
            e->ready = true;
            if (status != ANN_OK) discard(cache, e);
            pthread_cond_broadcast(&cache->filled);
        }
    }
    if (status == ANN_OK) *out = e->data;
    pthread_mutex_unlock(&cache->lock);
    return status;
}

void anni_cache_release(anni_cache *cache, int64_t block) {
    pthread_mutex_lock(&cache->lock);
    entry *e = cache->of[block];
    if (--e->users == 0) {
        e->before = &cache->idle;
        e->after = cache->idle.after;
        e->before->after = e->after->before = e;
        make_room(cache, 0);
    }
    pthread_mutex_unlock(&cache->lock);
}
