#include "coord/hub.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "coord/feed.h"
#include "coord/message.h"
#include "coord/names.h"

enum { MESSAGE_RECORDS = 256, MESSAGE_BYTES = 256 << 10, MOST_WATCHERS = 4096 };
static const int64_t STUCK_NS = (int64_t)30 * 1000000000;
/* Between two rounds over the watchers the hub rests so many times as long as a round has computed. */
enum { REST = 9 };
static const int64_t MOST_REST_NS = 200 * 1000000;

typedef enum stage { PAGING, IDLE, SENDING, OVER } stage;

typedef struct watcher {
    struct watcher *next, **link; /* in the hub */
    anni_hub *hub;
    anni_call *call;
    anni_feed *feed; /* NULL: none yet */
    char run[ANNI_NAME_BYTES + 1];
    uint64_t at; /* the next record to send */
    stage stage;
    bool live; /* has caught up with the feed */
    int64_t sent_ns;
} watcher;

struct anni_hub {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    anni_coord_worker *reader;
    anni_feed *feeds;
    watcher *watchers, *turn; /* turn: the next one of a round */
    int count;
    bool fresh; /* there is something for a round */
    bool closed, stop;
};

/* What is to be done for a watcher as soon as the lock is free: gRPC may take its time. */
typedef struct deed {
    anni_call *call; /* NULL: nothing */
    grpc_slice slices[MESSAGE_RECORDS];
    size_t count;
    bool ends; /* with this status; the reference to the call is the deed's */
    grpc_status_code code;
    char text[128];
} deed;

static void clear(deed *d) {
    d->call = NULL;
    d->count = 0;
    d->ends = false;
}

static void perform(deed *d) {
    if (!d->call) return;
    if (!d->ends) {
        anni_call_send(d->call, d->slices, d->count);
        return;
    }
    anni_call_finish(d->call, d->code, d->text, NULL, 0);
    anni_call_unref(d->call);
}

/* ---- watchers, with the lock held ---- */

static void enter(anni_hub *hub, watcher *w) {
    w->next = hub->watchers;
    w->link = &hub->watchers;
    if (w->next) w->next->link = &w->next;
    hub->watchers = w;
    hub->count++;
    w->call->watcher = w;
}

/* It is gone afterwards, and the reference to its call the caller's. */
static anni_call *leave(watcher *w) {
    anni_hub *hub = w->hub;
    anni_call *call = w->call;
    if (hub->turn == w) hub->turn = w->next;
    *w->link = w->next;
    if (w->next) w->next->link = w->link;
    if (w->feed) anni_feed_close(&hub->feeds, w->feed);
    hub->count--;
    call->watcher = NULL;
    free(w);
    return call;
}

/* The last thing that a watcher gets. It is gone afterwards. */
static void end(watcher *w, deed *d, grpc_status_code code, const char *text) {
    d->call = leave(w);
    d->ends = true;
    d->code = code;
    snprintf(d->text, sizeof d->text, "%s", text);
}

/* The deed's records; `next`: the number of the one that is wanted then. */
static void send_records(watcher *w, deed *d, uint64_t next) {
    w->stage = SENDING;
    w->sent_ns = ann_clock_ns();
    w->at = next;
    d->call = w->call;
}

static void read_page(anni_registry *r, void *context);

static void ask_page(watcher *w, deed *d) {
    anni_task *task = calloc(1, sizeof *task);
    w->stage = PAGING;
    if (task) {
        task->work = read_page;
        task->call = w;
        if (anni_coord_worker_add(w->hub->reader, task)) return;
        anni_task_free(task);
    }
    end(w, d, GRPC_STATUS_RESOURCE_EXHAUSTED, "too much at once: watch again later");
}

/* Nothing is under way for this watcher: sends what the feed has for it, or finds out what else is to be
 * done. */
static void pump(watcher *w, deed *d) {
    const anni_feed *f = w->feed;
    if (w->hub->closed) {
        end(w, d, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
        return;
    }
    if (w->at < f->first && w->live) {
        char text[sizeof d->text];
        snprintf(text, sizeof text, "the reader is too slow: watch again from sequence %llu",
                 (unsigned long long)w->at);
        end(w, d, GRPC_STATUS_ABORTED, text);
        return;
    }
    if (!w->live && (w->at < f->first || f->end == 0 || w->at > f->end)) {
        ask_page(w, d);
        return;
    }
    w->live = true;
    d->count = anni_feed_slices(f, w->at, d->slices, MESSAGE_RECORDS, MESSAGE_BYTES);
    if (d->count) send_records(w, d, w->at + d->count);
    else w->stage = IDLE;
}

/* ---- pages, on the reader's thread ---- */

/* Finds the run of a watcher that has just come, and its feed. */
static ann_status find_run(anni_registry *r, watcher *w) {
    uint64_t last;
    int64_t run;
    ANN_TRY(anni_run_find(r, &run, &last, w->run));
    pthread_mutex_lock(&w->hub->mutex);
    w->feed = anni_feed_open(&w->hub->feeds, run);
    pthread_mutex_unlock(&w->hub->mutex);
    if (!w->feed) return ann_error(ANN_ERR_MEMORY, "no memory for a watcher");
    if (w->at == 0) w->at = last + 1;
    return ANN_OK;
}

/* Sends a page, or goes over to the feed: the run is in the feed since before the page was read, so that
   whatever the page does not have is or will be there, or is gone (anni_prune). */
static void use_page(anni_registry *r, watcher *w, deed *d) {
    if (w->hub->closed) {
        end(w, d, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
        return;
    }
    while (d->count < (size_t)r->fresh_count) {
        d->slices[d->count] = anni_feed_frame(&r->fresh[d->count]);
        d->count++;
    }
    if (d->count) {
        send_records(w, d, r->fresh[d->count - 1].sequence + 1);
    } else if (w->at < w->feed->first) {
        ask_page(w, d);
    } else {
        w->live = true;
        if (w->feed->end && w->at < w->feed->end) pump(w, d);
        else w->stage = IDLE;
    }
}

static void read_page(anni_registry *r, void *context) {
    watcher *w = context;
    anni_hub *hub = w->hub; /* w may be gone at the end */
    deed d;
    clear(&d);
    ann_status status = w->feed ? ANN_OK : find_run(r, w);
    if (status == ANN_OK) status = anni_records_read(r, w->feed->run, w->at, MESSAGE_RECORDS, MESSAGE_BYTES);
    pthread_mutex_lock(&hub->mutex);
    if (w->stage == OVER) anni_call_unref(leave(w));
    else if (status != ANN_OK) end(w, &d, anni_code_of(status), ann_error_text());
    else use_page(r, w, &d);
    pthread_mutex_unlock(&hub->mutex);
    perform(&d);
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
    deed d;
    clear(&d);
    if (!w) {
        anni_call_finish(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory", NULL, 0);
        return ANN_OK;
    }
    *w = (watcher){.hub = hub, .call = call};
    anni_call_ref(call);
    const ann_status status = read_request(w);
    pthread_mutex_lock(&hub->mutex);
    enter(hub, w);
    if (status != ANN_OK) end(w, &d, anni_code_of(status), ann_error_text());
    else if (hub->closed) end(w, &d, GRPC_STATUS_UNAVAILABLE, "the coordinator stops");
    else if (hub->count > MOST_WATCHERS)
        end(w, &d, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many watch: try again later");
    else ask_page(w, &d);
    pthread_mutex_unlock(&hub->mutex);
    perform(&d);
    return status;
}

/* A message was taken. One that has nearly caught up waits for the next round, so that its next message is
   not of a single record. */
static void go_on(watcher *w, deed *d) {
    anni_hub *hub = w->hub;
    const anni_feed *f = w->feed;
    if (hub->closed || !w->live || w->at + MESSAGE_RECORDS <= f->end) {
        pump(w, d);
        return;
    }
    w->stage = IDLE;
    if (w->at == f->end) return;
    hub->fresh = true;
    pthread_cond_signal(&hub->wake);
}

void anni_hub_sent(anni_hub *hub, anni_call *call, bool good) {
    deed d;
    clear(&d);
    pthread_mutex_lock(&hub->mutex);
    watcher *w = call->watcher;
    if (w && w->stage == SENDING) {
        if (good) go_on(w, &d);
        else w->stage = IDLE; /* the call has ended, and its close will be heard */
    } else if (w && w->stage == OVER) {
        anni_call_unref(leave(w));
    }
    pthread_mutex_unlock(&hub->mutex);
    perform(&d);
}

void anni_hub_closed(anni_hub *hub, anni_call *call) {
    deed d;
    clear(&d);
    pthread_mutex_lock(&hub->mutex);
    watcher *w = call->watcher;
    if (w && w->stage == IDLE) end(w, &d, GRPC_STATUS_CANCELLED, "");
    else if (w) w->stage = OVER; /* what is under way for it comes back, and it leaves then */
    pthread_mutex_unlock(&hub->mutex);
    perform(&d);
}

/* ---- the hub ---- */

void anni_hub_publish(void *context, const anni_fresh *fresh, int count) {
    anni_hub *hub = context;
    bool wake = false;
    pthread_mutex_lock(&hub->mutex);
    for (int i = 0; i < count && hub->feeds; i++) wake = anni_feed_append(hub->feeds, &fresh[i]) || wake;
    hub->fresh = hub->fresh || wake;
    if (wake) pthread_cond_signal(&hub->wake);
    pthread_mutex_unlock(&hub->mutex);
}

/* One after another, those who wait for what is new, or for the end; and those whose message is not taken.
   The lock is free while something is done for one of them, and any may leave meanwhile. */
static void pump_all(anni_hub *hub) {
    const int64_t now = ann_clock_ns();
    for (hub->turn = hub->watchers; hub->turn;) {
        watcher *w = hub->turn;
        deed d;
        clear(&d);
        hub->turn = w->next;
        if (w->stage == SENDING && now - w->sent_ns > STUCK_NS) grpc_call_cancel(w->call->call, NULL);
        if (w->stage == IDLE) pump(w, &d);
        if (!d.call) continue;
        pthread_mutex_unlock(&hub->mutex);
        perform(&d);
        pthread_mutex_lock(&hub->mutex);
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
