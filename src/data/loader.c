/* The I/O thread fills a ring of slots, one batch each; the caller takes them in the same order. Batch k lies
   in slot k mod slots. Of the batches [released, filled) the first may be in the caller's hands, so there is
   one slot more than batches read ahead. */
#include "data/data.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

enum { MAX_FIELDS = 8, MAX_DEPTH = 1024, ERROR_BYTES = 1024 };

typedef struct slot {
    ann_batch batch;
    int64_t *positions, *samples, *epochs;
    void *fields[MAX_FIELDS];
} slot;

struct ann_loader {
    ann_loader_options options;
    int64_t batches; /* in the whole stream */
    int slot_count;
    slot *slots;
    void *memory; /* of all slots */
    size_t memory_bytes;
    int64_t taken; /* batches given out; caller only */
    int64_t wait_ns;

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int64_t filled, released;
    bool stop;
    ann_status status; /* of the I/O thread; final once it is not ANN_OK */
    char error[ERROR_BYTES];
};

void ann_data_shard(int64_t *shard_first, int64_t *shard_count, int64_t first, int64_t n, int rank,
                    int size) {
    const int64_t begin = n * rank / size, end = n * (rank + 1) / size;
    *shard_first = first + begin;
    *shard_count = end - begin;
}

/* ---- slots ---- */

/* Places one array after the other; with base NULL it only measures. */
static void *place(char *base, size_t *used_bytes, size_t bytes) {
    void *at = base == NULL ? NULL : base + *used_bytes;
    *used_bytes += ann_align_up(bytes, ANN_ALIGN_BYTES);
    return at;
}

static size_t place_slots(ann_loader *loader, char *base) {
    const ann_loader_options *o = &loader->options;
    const int64_t whole = ann_order_after(o->order, 0, 1), positions = o->end_position - o->first_position;
    const int64_t largest = whole < positions ? whole : positions;
    const size_t rows = (size_t)(largest / o->size + 1);
    size_t used_bytes = 0;
    for (int i = 0; i < loader->slot_count; i++) {
        slot *s = &loader->slots[i];
        s->positions = place(base, &used_bytes, rows * sizeof(int64_t));
        s->samples = place(base, &used_bytes, rows * sizeof(int64_t));
        s->epochs = place(base, &used_bytes, rows * sizeof(int64_t));
        for (int f = 0; f < ann_dataset_field_count(o->dataset); f++) {
            const ann_field_info *info = ann_dataset_field(o->dataset, f);
            const size_t row_bytes = (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype);
            s->fields[f] = place(base, &used_bytes, rows * row_bytes);
        }
    }
    return used_bytes;
}

static ann_status allocate_slots(ann_loader *loader) {
    loader->slots = calloc((size_t)loader->slot_count, sizeof *loader->slots);
    if (loader->slots == NULL) return ann_error(ANN_ERR_MEMORY, "loader: out of memory");
    const size_t bytes = place_slots(loader, NULL);
    ANN_TRY(ann_mem_alloc(&loader->memory, bytes));
    loader->memory_bytes = bytes;
    place_slots(loader, loader->memory);
    return ANN_OK;
}

/* ---- the I/O thread ---- */

static ann_status fill(const ann_loader *loader, slot *s, int64_t k) {
    const ann_loader_options *o = &loader->options;
    ann_batch *b = &s->batch;
    b->global_first = ann_order_after(o->order, o->first_position, k);
    b->global_count = ann_order_batch(o->order, b->global_first, o->end_position);
    ann_data_shard(&b->first, &b->count, b->global_first, b->global_count, o->rank, o->size);
    for (int64_t i = 0; i < b->count; i++) {
        s->positions[i] = b->first + i;
        ann_order_at(o->order, b->first + i, &s->epochs[i], &s->samples[i]);
    }
    b->epochs = s->epochs;
    b->positions = s->positions;
    b->samples = s->samples;
    b->fields = (const void *const *)s->fields;
    for (int f = 0; f < ann_dataset_field_count(o->dataset); f++) {
        ANN_TRY(ann_dataset_read(o->dataset, f, s->samples, b->count, s->fields[f]));
    }
    return ANN_OK;
}

/* Waits for a free slot. False: the loader is being freed. */
static bool wait_for_room(ann_loader *loader) {
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop && loader->filled - loader->released == loader->slot_count) {
        pthread_cond_wait(&loader->changed, &loader->mutex);
    }
    const bool stop = loader->stop;
    pthread_mutex_unlock(&loader->mutex);
    return !stop;
}

static void *run_io(void *argument) {
    ann_loader *loader = argument;
    for (int64_t k = 0; k < loader->batches && wait_for_room(loader); k++) {
        const ann_status status = fill(loader, &loader->slots[k % loader->slot_count], k);
        pthread_mutex_lock(&loader->mutex);
        if (status == ANN_OK) {
            loader->filled++;
        } else {
            snprintf(loader->error, sizeof loader->error, "%s", ann_error_text());
            loader->status = status;
        }
        pthread_cond_signal(&loader->changed);
        pthread_mutex_unlock(&loader->mutex);
        if (status != ANN_OK) break;
    }
    return NULL;
}

/* Signals are for the main thread: the I/O thread inherits a full mask. */
static int start_thread(ann_loader *loader) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&loader->thread, NULL, run_io, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* ---- the caller's side ---- */

static ann_status check_options(const ann_loader_options *o) {
    if (o->dataset == NULL || o->order == NULL) return ann_error(ANN_ERR_ARG, "loader: no dataset or order");
    if (ann_order_samples(o->order) != ann_dataset_samples(o->dataset)) {
        return ann_error(ANN_ERR_ARG, "loader: an order of %lld samples for a dataset of %lld",
                         (long long)ann_order_samples(o->order), (long long)ann_dataset_samples(o->dataset));
    }
    if (o->size < 1 || o->rank < 0 || o->rank >= o->size) {
        return ann_error(ANN_ERR_ARG, "loader: rank %d of %d", o->rank, o->size);
    }
    if (o->first_position < 0 || o->end_position <= o->first_position) {
        return ann_error(ANN_ERR_ARG, "loader: positions %lld..%lld: accepted: 0 <= first < end",
                         (long long)o->first_position, (long long)o->end_position);
    }
    if (o->depth < 0 || o->depth > MAX_DEPTH) {
        return ann_error(ANN_ERR_ARG, "loader: depth %d, accepted: 0 to %d", o->depth, MAX_DEPTH);
    }
    if (ann_dataset_field_count(o->dataset) > MAX_FIELDS) {
        return ann_error(ANN_ERR_ARG, "loader: a dataset of more than %d fields", MAX_FIELDS);
    }
    return ANN_OK;
}

ann_status ann_loader_new(ann_loader **out, const ann_loader_options *options) {
    *out = NULL;
    ANN_TRY(check_options(options));
    ann_loader *loader = calloc(1, sizeof *loader);
    if (loader == NULL) return ann_error(ANN_ERR_MEMORY, "loader: out of memory");
    loader->options = *options;
    loader->batches = ann_order_steps(options->order, options->first_position, options->end_position);
    loader->slot_count = (options->depth == 0 ? 2 : options->depth) + 1;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    ann_status status = allocate_slots(loader);
    if (status == ANN_OK) {
        const int failed = start_thread(loader);
        loader->started = failed == 0;
        if (failed != 0) status = ann_error(ANN_ERR_MEMORY, "loader: no I/O thread: %s", strerror(failed));
    }
    if (status != ANN_OK) {
        ann_loader_free(loader);
        return status;
    }
    *out = loader;
    return ANN_OK;
}

ann_status ann_loader_next(ann_loader *loader, const ann_batch **out) {
    *out = NULL;
    pthread_mutex_lock(&loader->mutex);
    loader->released = loader->taken;
    pthread_cond_signal(&loader->changed);
    if (loader->taken < loader->batches && loader->filled == loader->taken && loader->status == ANN_OK) {
        const int64_t start_ns = ann_clock_ns();
        while (loader->filled == loader->taken && loader->status == ANN_OK) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
        }
        loader->wait_ns += ann_clock_ns() - start_ns;
    }
    const bool ready = loader->filled > loader->taken;
    const ann_status status = loader->status;
    pthread_mutex_unlock(&loader->mutex);
    if (ready) {
        *out = &loader->slots[loader->taken++ % loader->slot_count].batch;
        return ANN_OK;
    }
    return status == ANN_OK ? ANN_OK : ann_error(status, "%s", loader->error);
}

int64_t ann_loader_wait_ns(const ann_loader *loader) { return loader->wait_ns; }

void ann_loader_free(ann_loader *loader) {
    if (loader == NULL) return;
    if (loader->started) {
        pthread_mutex_lock(&loader->mutex);
        loader->stop = true;
        pthread_cond_signal(&loader->changed);
        pthread_mutex_unlock(&loader->mutex);
        pthread_join(loader->thread, NULL);
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    ann_mem_free(loader->memory, loader->memory_bytes);
    free(loader->slots);
    free(loader);
}
