#include "coord/stream.h"

static const char STOPS[] = "the coordinator stops";

void anni_streams_init(anni_streams *s) {
    *s = (anni_streams){0};
    pthread_mutex_init(&s->mutex, NULL);
}

void anni_streams_fini(anni_streams *s) { pthread_mutex_destroy(&s->mutex); }

bool anni_stream_open(anni_streams *s, anni_call *c) {
    pthread_mutex_lock(&s->mutex);
    const bool room = !s->closed && s->count < ANNI_MOST_STREAMS;
    if (room) {
        c->next = s->first;
        c->link = &s->first;
        if (c->next) c->next->link = &c->next;
        s->first = c;
        s->count++;
    }
    pthread_mutex_unlock(&s->mutex);
    return room;
}

void anni_stream_close(anni_streams *s, anni_call *c) {
    pthread_mutex_lock(&s->mutex);
    if (c->link) {
        *c->link = c->next;
        if (c->next) c->next->link = c->link;
        c->link = NULL;
        s->count--;
    }
    pthread_mutex_unlock(&s->mutex);
}

void anni_stream_reply(anni_streams *s, anni_call *c, const uint8_t *bytes, size_t size) {
    pthread_mutex_lock(&s->mutex);
    const bool closed = s->closed;
    c->waits = !closed;
    pthread_mutex_unlock(&s->mutex);
    if (closed) anni_call_finish(c, GRPC_STATUS_UNAVAILABLE, STOPS, bytes, size);
    else anni_call_reply(c, bytes, size);
}

bool anni_stream_received(anni_streams *s, anni_call *c) {
    pthread_mutex_lock(&s->mutex);
    c->waits = false;
    pthread_mutex_unlock(&s->mutex);
    if (!c->payload) anni_call_finish(c, GRPC_STATUS_OK, "", NULL, 0);
    return c->payload != NULL;
}

void anni_streams_close(anni_streams *s) {
    pthread_mutex_lock(&s->mutex);
    s->closed = true;
    for (anni_call *c = s->first; c; c = c->next)
        if (c->waits) grpc_call_cancel_with_status(c->call, GRPC_STATUS_UNAVAILABLE, STOPS, NULL);
    pthread_mutex_unlock(&s->mutex);
}
