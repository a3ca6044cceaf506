#include "coord/hub.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "coord/message.h"
#include "coord/names.h"

enum { RING = 4096, MESSAGE_RECORDS = 256, MESSAGE_BYTES = 256 << 10, MOST_WATCHERS = 4096 };
static const size_t RING_BYTES = (size_t)8 << 20;
static const int64_t STUCK_NS = (int64_t)30 * 1000000000;
/* Between two rounds over the watchers the hub rests so many times as long as a round has computed. */
enum { REST = 9 };
static const int64_t MOST_REST_NS = 200 * 1000000;

typedef struct feed feed;

typedef enum stage { PAGING, IDLE, SENDING, OVER } stage;

typedef struct watcher {
    struct watcher *next, **link; /* in its feed */
    anni_hub *hub;
    anni_call *call;
    feed *feed; /* NULL: in none yet */
    char run[ANNI_NAME_BYTES + 1];
    uint64_t at; /* the next record to send */
    stage stage;
    bool live; /* has caught up with the feed */
    int64_t sent_ns;
} watcher;

struct feed {
    feed *next;
    int64_t run;
    uint64_t first, end; /* records first .. end - 1 are in the ring; none known: both 0 */
    size_t bytes;
    grpc_slice ring[RING];
    watcher *watchers;
    bool fresh;
};

struct anni_hub {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    anni_coord_worker *reader;
    feed *feeds;
    int watchers;
    bool fresh; /* there is something for pump_all */
    bool closed, stop;
};

/* ---- feeds ---- */

static void drop_first(feed *f) {
    grpc_slice *slice = &f->ring[f->first % RING];
    f->bytes -= GRPC_SLICE_LENGTH(*slice);
    grpc_slice_unref(*slice);
    f->first++;
}

/* A record as it stands in a WatchReply: the tag of field 1, its length, itself. */
static grpc_slice frame(const anni_fresh *record) {
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

static void append(feed *f, const anni_fresh *record) {
    if (f->end == 0) f->first = f->end = record->sequence;
    if (f->end - f->first == RING) drop_first(f);
    f->ring[f->end++ % RING] = frame(record);
    f->bytes += GRPC_SLICE_LENGTH(f->ring[(f->end - 1) % RING]);
    while (f->bytes > RING_BYTES && f->end - f->first > 1) drop_first(f);
    f->fresh = true;
}

static feed *open_feed(anni_hub *hub, int64_t run) {
    for (feed *f = hub->feeds; f; f = f->next)
        if (f->run == run) return f;
    feed *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->run = run;
    f->next = hub->feeds;
    hub->feeds = f;
    return f;
}

static void close_feed(anni_hub *hub, feed *f) {
    feed **link = &hub->feeds;
    while (*link != f) link = &(*link)->next;
    *link = f->next;
    while (f->first < f->end) drop_first(f);
    free(f);
}

/* ---- watchers, with the lock held ---- */

static void leave(watcher *w) {
    anni_hub *hub = w->hub;
    if (w->feed) {
        *w->link = w->next;
        if (w->next) w->next->link = w->link;
        if (!w->feed->watchers) close_feed(hub, w->feed);
    }
    hub->watchers--;
    w->call->watcher = NULL;
    anni_call_unref(w->call);
    free(w);
}

/* The last thing that a watcher gets. It is gone afterwards. */
static void end(watcher *w, grpc_status_code code, const char *text) {
    anni_call_finish(w->call, code, text, NULL, 0);
    leave(w);
}

static void enter(watcher *w, feed *f) {
    w->feed = f;
    w->next = f->watchers;
    w->link = &f->watchers;
    if (w->next) w->next->link = &w->next;
    f->watchers = w;
}

/* next: the number of the record that is wanted then. */
static void send_slices(watcher *w, grpc_slice *slices, size_t count, uint64_t next) {
    w->stage = SENDING;
    w->sent_ns = ann_clock_ns();
    w->at = next;
    anni_call_send(w->call, slices, count);
}

static void read_page(anni_registry *r, void *context);

static void ask_page(watcher *w) {
    anni_task *task = calloc(1, sizeof *task);
    w->stage = PAGING;
    if (task) {
        task->work = read_page;
        task->call = w;
        if (anni_coord_worker_add(w->hub->reader, task)) return;
        anni_task_free(task);
    }
    end(w, GRPC_STATUS_RESOURCE_EXHAUSTED, "too much at once: watch again later");
}

/* Nothing is under way for this watcher: sends what the feed has for it, or finds out what else is to be
 * done. */
static void pump(watcher *w) {
    feed *f = w->feed;
    grpc_slice slices[MESSAGE_RECORDS];
    size_t count = 0, bytes = 0;
    if (w->hub->closed) {
        end(w, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
        return;
    }
    if (w->at < f->first && w->live) {
        char text[128];
        snprintf(text, sizeof text, "the reader is too slow: watch again from sequence %llu",
                 (unsigned long long)w->at);
        end(w, GRPC_STATUS_ABORTED, text);
        return;
    }
    if (!w->live && (w->at < f->first || f->end == 0 || w->at > f->end)) {
        ask_page(w);
        return;
    }
    w->live = true;
    for (uint64_t at = w->at; at < f->end && count < MESSAGE_RECORDS && bytes < MESSAGE_BYTES; at++) {
        slices[count] = grpc_slice_ref(f->ring[at % RING]);
        bytes += GRPC_SLICE_LENGTH(slices[count]); /* a macro that reads its argument twice */
        count++;
    }
    if (count) send_slices(w, slices, count, w->at + count);
    else w->stage = IDLE;
}

/* ---- pages, on the reader's thread ---- */

/* Finds the run of a watcher that has just come, and its feed. */
static ann_status find_run(anni_registry *r, watcher *w) {
    uint64_t last;
    int64_t run;
    ANN_TRY(anni_run_find(r, &run, &last, w->run));
    pthread_mutex_lock(&w->hub->mutex);
    feed *f = open_feed(w->hub, run);
    if (f) enter(w, f);
    pthread_mutex_unlock(&w->hub->mutex);
    if (!f) return ann_error(ANN_ERR_MEMORY, "no memory for a watcher");
    if (w->at == 0) w->at = last + 1;
    return ANN_OK;
}

/* Sends a page, or goes over to the feed: the run is in the feed since before the page was read, so that
   whatever the page does not have is or will be there, or is gone (anni_prune). */
static void use_page(anni_registry *r, watcher *w) {
    grpc_slice slices[MESSAGE_RECORDS];
    size_t count = 0;
    if (w->hub->closed) {
        end(w, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
        return;
    }
    for (int i = 0; i < r->fresh_count; i++) slices[count++] = frame(&r->fresh[i]);
    if (count) {
        send_slices(w, slices, count, r->fresh[count - 1].sequence + 1);
    } else if (w->at < w->feed->first) {
        ask_page(w);
    } else {
        w->live = true;
        if (w->feed->end && w->at < w->feed->end) pump(w);
        else w->stage = IDLE;
    }
}

static void read_page(anni_registry *r, void *context) {
    watcher *w = context;
    anni_hub *hub = w->hub; /* w may be gone at the end */
    ann_status status = w->feed ? ANN_OK : find_run(r, w);
    if (status == ANN_OK) status = anni_records_read(r, w->feed->run, w->at, MESSAGE_RECORDS, MESSAGE_BYTES);
    pthread_mutex_lock(&hub->mutex);
    if (w->stage == OVER) leave(w);
    else if (status != ANN_OK) end(w, anni_code_of(status), ann_error_text());
    else use_page(r, w);
    pthread_mutex_unlock(&hub->mutex);
    anni_fresh_clear(r, 0);
}

/* ---- what happens to calls ---- */

static ann_status read_request(watcher *w) {
    size_t bytes;
    uint8_t *payload = anni_call_payload(w->call, &bytes);
    ProtobufCMessage *message = NULL;
    ann_status status =
        payload ? anni_message_read(&message, &annulus__v1__watch_request__descriptor, NULL, bytes, payload)
                : ann_error(ANN_ERR_ARG, "the message is malformed");
    const Annulus__V1__WatchRequest *q = (const Annulus__V1__WatchRequest *)message;
    if (status == ANN_OK) status = anni_name_check("run", q->run, false);
    if (status == ANN_OK && q->sequence > INT64_MAX)
        status = ann_error(ANN_ERR_ARG, "the sequence number is too large");
    if (status == ANN_OK) {
        snprintf(w->run, sizeof w->run, "%s", q->run);
        w->at = q->sequence;
    }
    if (message) protobuf_c_message_free_unpacked(message, NULL);
    free(payload);
    return status;
}

ann_status anni_hub_watch(anni_hub *hub, anni_call *call) {
    watcher *w = calloc(1, sizeof *w);
    if (!w) {
        anni_call_finish(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory", NULL, 0);
        return ANN_OK;
    }
    *w = (watcher){.hub = hub, .call = call};
    pthread_mutex_lock(&hub->mutex);
    anni_call_ref(call);
    call->watcher = w;
    hub->watchers++;
    const ann_status status = read_request(w);
    if (status != ANN_OK) end(w, anni_code_of(status), ann_error_text());
    else if (hub->closed) end(w, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
    else if (hub->watchers > MOST_WATCHERS)
        end(w, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many watch: try again later");
    else ask_page(w);
    pthread_mutex_unlock(&hub->mutex);
    return status;
}

/* A message was taken. One that has nearly caught up waits for the next round, so that its next message is
   not of a single record. */
static void go_on(watcher *w) {
    anni_hub *hub = w->hub;
    feed *f = w->feed;
    if (hub->closed || !w->live || w->at + MESSAGE_RECORDS <= f->end) {
        pump(w);
        return;
    }
    w->stage = IDLE;
    if (w->at == f->end) return;
    f->fresh = hub->fresh = true;
    pthread_cond_signal(&hub->wake);
}

void anni_hub_sent(anni_hub *hub, anni_call *call, bool good) {
    pthread_mutex_lock(&hub->mutex);
    watcher *w = call->watcher;
    if (w && w->stage == SENDING) {
        if (good) go_on(w);
        else w->stage = IDLE; /* the call has ended, and its close will be heard */
    } else if (w && w->stage == OVER) {
        leave(w);
    }
    pthread_mutex_unlock(&hub->mutex);
}

void anni_hub_closed(anni_hub *hub, anni_call *call) {
    pthread_mutex_lock(&hub->mutex);
    watcher *w = call->watcher;
    if (w && w->stage == IDLE) end(w, GRPC_STATUS_CANCELLED, "");
    else if (w) w->stage = OVER; /* what is under way for it comes back, and it leaves then */
    pthread_mutex_unlock(&hub->mutex);
}

/* ---- the hub ---- */

void anni_hub_publish(void *context, const anni_fresh *fresh, int count) {
    anni_hub *hub = context;
    bool wake = false;
    pthread_mutex_lock(&hub->mutex);
    for (int i = 0; i < count && hub->feeds; i++)
        for (feed *f = hub->feeds; f; f = f->next)
            if (f->run == fresh[i].run) {
                append(f, &fresh[i]);
                wake = true;
            }
    hub->fresh = hub->fresh || wake;
    if (wake) pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
}

/* Watchers who wait for a feed that has something new, or for the end; and those whose message is not taken.
 */
static void pump_all(anni_hub *hub) {
    const int64_t now = ann_clock_ns();
    for (feed *f = hub->feeds, *next; f; f = next) {
        const bool fresh = f->fresh || hub->closed;
        next = f->next;
        f->fresh = false;
        for (watcher *w = f->watchers, *after; w; w = after) {
            after = w->next;
            if (w->stage == SENDING && now - w->sent_ns > STUCK_NS) grpc_call_cancel(w->call->call, NULL);
            else if (w->stage == IDLE && fresh) pump(w);
        }
    }
}

/* So feeding takes a tenth of a core at most, and where much happens more goes into a message. */
static void rest(anni_hub *hub, int64_t round_ns) {
    const int64_t ns = REST * round_ns;
    pthread_mutex_unlock(&hub->mutex);
    ann_sleep_ns(ns < MOST_REST_NS ? ns : MOST_REST_NS);
    pthread_mutex_lock(&hub->mutex);
}

static int64_t thread_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void *feed_watchers(void *arg) {
    anni_hub *hub = arg;
    pthread_mutex_lock(&hub->mutex);
    while (!hub->stop) {
        struct timespec until;
        int code = 0;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        while (!hub->fresh && !hub->stop && code != ETIMEDOUT)
            code = pthread_cond_timedwait(&hub->wake, &hub->mutex, &until);
        hub->fresh = false;
        const int64_t begin = thread_ns();
        pump_all(hub);
        rest(hub, thread_ns() - begin);
    }
    pthread_mutex_unlock(&hub->mutex);
    return NULL;
}

ann_status anni_hub_start(anni_hub **out) {
    anni_hub *hub = *out = calloc(1, sizeof *hub);
    pthread_condattr_t monotonic;
    if (!hub) return ann_error(ANN_ERR_MEMORY, "cannot allocate a hub");
    pthread_mutex_init(&hub->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hub->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    const int code = pthread_create(&hub->thread, NULL, feed_watchers, hub);
    if (code == 0) return ANN_OK;
    free(hub);
    *out = NULL;
    return ann_error(ANN_ERR_MEMORY, "cannot start a thread: %s", strerror(code));
}

void anni_hub_set_reader(anni_hub *hub, anni_coord_worker *reader) { hub->reader = reader; }

void anni_hub_close(anni_hub *hub) {
    pthread_mutex_lock(&hub->mutex);
    hub->closed = hub->fresh = true;
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
}

void anni_hub_stop(anni_hub *hub) {
    if (!hub) return;
    pthread_mutex_lock(&hub->mutex);
    hub->stop = true;
    pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
    pthread_join(hub->thread, NULL);
    pthread_cond_destroy(&hub->wake);
    pthread_mutex_destroy(&hub->mutex);
    free(hub);
}
