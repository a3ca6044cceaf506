#include "coord/feed.h"

#include <stdlib.h>
#include <string.h>

static const size_t MOST_BYTES = (size_t)8 << 20;

static void drop_first(anni_feed *f) {
    grpc_slice *slice = &f->ring[f->first % ANNI_FEED_RECORDS];
    f->bytes -= GRPC_SLICE_LENGTH(*slice);
    grpc_slice_unref(*slice);
    f->first++;
}

/* The tag of field 1, its length, itself. */
grpc_slice anni_feed_frame(const anni_fresh *record) {
    uint8_t head[11];
    size_t used = 0;
    head[used++] = 1 << 3 | 2;
    for (size_t rest = record->size;; rest >>= 7) {
        head[used++] = (uint8_t)(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
        if (rest <= 0x7f) break;
    }
    grpc_slice slice = grpc_slice_malloc(used + record->size);
    memcpy(GRPC_SLICE_START_PTR(slice), head, used);
    memcpy(GRPC_SLICE_START_PTR(slice) + used, record->bytes, record->size);
    return slice;
}

bool anni_feed_append(anni_feed *list, const anni_fresh *record) {
    anni_feed *f = list;
    while (f && f->run != record->run) f = f->next;
    if (!f) return false;
    if (f->end == 0) f->first = f->end = record->sequence;
    if (f->end - f->first == ANNI_FEED_RECORDS) drop_first(f);
    grpc_slice *slice = &f->ring[f->end++ % ANNI_FEED_RECORDS];
    *slice = anni_feed_frame(record);
    f->bytes += GRPC_SLICE_LENGTH(*slice); /* a macro that reads its argument twice */
    while (f->bytes > MOST_BYTES && f->end - f->first > 1) drop_first(f);
    return true;
}

anni_feed *anni_feed_open(anni_feed **list, int64_t run) {
    anni_feed *f = *list;
    while (f && f->run != run) f = f->next;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f) return NULL;
        f->run = run;
        f->next = *list;
        *list = f;
    }
    f->users++;
    return f;
}

void anni_feed_close(anni_feed **list, anni_feed *f) {
    if (--f->users > 0) return;
    while (*list != f) list = &(*list)->next;
    *list = f->next;
    while (f->first < f->end) drop_first(f);
    free(f);
}

size_t anni_feed_slices(const anni_feed *f, uint64_t at, grpc_slice *out, size_t most, size_t max_bytes) {
    size_t count = 0, bytes = 0;
    for (; at < f->end && count < most && bytes < max_bytes; at++, count++) {
        out[count] = grpc_slice_ref(f->ring[at % ANNI_FEED_RECORDS]);
        bytes += GRPC_SLICE_LENGTH(out[count]);
    }
    return count;
}
