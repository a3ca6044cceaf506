/* The inside of a client: its channel, and the calls on it. */
#ifndef ANN_COORD_CLIENT_H
#define ANN_COORD_CLIENT_H

#include <grpc/grpc.h>
#include <pthread.h>
#include "coord/auth.h"
#include "coord/coord.h"
#include "coord/names.h"

enum { ANNI_HEADERS = 2, ANNI_ATTEMPT_MS = 2000 /* that an attempt to connect may take */ };

/* A call under way. */
typedef struct anni_exchange {
    ann_coord_client *client;
    grpc_call *call;
    grpc_metadata headers[ANNI_HEADERS];
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
    grpc_byte_buffer *message; /* the latest that was received */
    bool ended;                /* its status has been waited for */
} anni_exchange;

struct ann_coord_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    anni_exchange *stream; /* of requests (methods.h); NULL: none is open */
    char bearer[ANNI_TOKEN_BYTES + 8], user[ANNI_NAME_BYTES + 1];
    int timeout_ms;
    pthread_mutex_t mutex;
    grpc_call *active; /* what ann_coord_client_cancel may end */
    bool cancelled;
};

/* Begins a call. Errors: ANN_ERR_STOP (the client was told to stop). Owner: the caller, anni_exchange_end,
   also after an error, which cancels what is under way. */
ann_status anni_exchange_begin(anni_exchange *x, ann_coord_client *c, const char *path,
                               gpr_timespec deadline) ANN_MUST_CHECK;
void anni_exchange_end(anni_exchange *x);
/* Between two requests of a stream ann_coord_client_cancel leaves the call alone: rest, then resume. Errors:
   ANN_ERR_STOP. */
void anni_exchange_rest(anni_exchange *x);
ann_status anni_exchange_resume(anni_exchange *x) ANN_MUST_CHECK;

/* The three operations that begin a call with its first request. */
size_t anni_begin_ops(anni_exchange *x, grpc_op *ops, grpc_byte_buffer *request);
grpc_op anni_send_op(grpc_byte_buffer *request);
grpc_op anni_message_op(anni_exchange *x);
/* Starts operations and waits for them; at `deadline` the call is cancelled. False if one has failed: then
   the call is at its end. */
bool anni_perform(anni_exchange *x, const grpc_op *ops, size_t count, gpr_timespec deadline);
/* Waits for the end of the call, and says what it was. */
ann_status anni_exchange_result(anni_exchange *x) ANN_MUST_CHECK;

/* Owner: the caller, grpc_byte_buffer_destroy. */
grpc_byte_buffer *anni_pack(const ProtobufCMessage *message);
/* The message that was received, which is dropped. Errors: ANN_ERR_FORMAT (also if there is none). */
ann_status anni_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *kind,
                       anni_exchange *x) ANN_MUST_CHECK;
void anni_drop_message(anni_exchange *x);

/* Of the client's stream of requests, if there is one. */
void anni_client_end_stream(ann_coord_client *c);

#endif
