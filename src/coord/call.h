/* Calls as the server sees them. One thread sits in the completion queue and never blocks; any thread may
 * finish a call. */
#ifndef ANN_COORD_CALL_H
#define ANN_COORD_CALL_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include "coord/methods.h"

typedef struct anni_call anni_call;

/* What has happened to a call: the tag of an operation. */
typedef enum anni_happening {
    ANNI_ARRIVED,
    ANNI_CLOSED,
    ANNI_SENT,
    ANNI_RECEIVED,
    ANNI_FINISHED,
    ANNI_HAPPENINGS
} anni_happening;

typedef struct anni_tag {
    anni_call *call;
    anni_happening happening;
} anni_tag;

/* A method as the server registered it; `method` NULL: Watch if `handle`, else whatever is unknown. */
typedef struct anni_entry {
    struct ann_coord_server *server;
    const anni_method *method;
    void *handle;
} anni_entry;

struct anni_call {
    anni_tag tags[ANNI_HAPPENINGS];
    const anni_entry *entry;
    grpc_call *call;
    grpc_call_details details; /* of an unknown method */
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    anni_caller caller;
    int cancelled;           /* by the client, its deadline or a lost connection; known after ANNI_CLOSED */
    atomic_int refs;         /* operations under way, and whoever else knows it */
    bool started;            /* a first message has been sent */
    void *watcher;           /* of Watch */
    anni_call *next, **link; /* among the streams of requests (stream.h) */
    bool waits;              /* for a request */
};

/* NULL if there is no memory. Owner: its references; the first is the caller's. */
anni_call *anni_call_new(const anni_entry *entry);
void anni_call_ref(anni_call *c);
void anni_call_unref(anni_call *c);
/* Begins to listen for the call's end. */
void anni_call_listen(anni_call *c);
/* The bytes of the request, copied; NULL if there are none. Owner: the caller, free. */
uint8_t *anni_call_payload(anni_call *c, size_t *bytes);
/* A message of a stream, without waiting; then ANNI_SENT happens. Takes over the references of `slices`. */
void anni_call_send(anni_call *c, grpc_slice *slices, size_t count);
/* The same, and waits for one more request; then ANNI_RECEIVED happens, with no payload if there is none. */
void anni_call_reply(anni_call *c, const uint8_t *bytes, size_t size);
/* Answers: the reply (may be NULL), then the status. Then ANNI_FINISHED happens. */
void anni_call_finish(anni_call *c, grpc_status_code code, const char *text, const uint8_t *bytes,
                      size_t size);
grpc_status_code anni_code_of(ann_status status);

#endif
