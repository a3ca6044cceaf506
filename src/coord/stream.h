/* Calls that bring one request after another (Report). Each is answered before the next one is read, so that
   such a call never holds more than one, however fast its client is. */
#ifndef ANN_COORD_STREAM_H
#define ANN_COORD_STREAM_H

#include <pthread.h>
#include "coord/call.h"

enum { ANNI_MOST_STREAMS = 4096 };

typedef struct anni_streams {
    pthread_mutex_t mutex;
    anni_call *first;
    int count;
    bool closed;
} anni_streams;

void anni_streams_init(anni_streams *s);
void anni_streams_fini(anni_streams *s);
/* A call has arrived; false if there are too many, or no more are taken. */
bool anni_stream_open(anni_streams *s, anni_call *c);
/* It has ended. One that was never opened is fine. */
void anni_stream_close(anni_streams *s, anni_call *c);
/* Sends the reply to its request, and reads on; then ANNI_RECEIVED happens. */
void anni_stream_reply(anni_streams *s, anni_call *c, const uint8_t *bytes, size_t size);
/* A request was received, or the call is at its end: false, and the call is finished. */
bool anni_stream_received(anni_streams *s, anni_call *c);
/* The server stops: calls that wait for a request end with UNAVAILABLE, others when they have been answered.
 */
void anni_streams_close(anni_streams *s);

#endif
