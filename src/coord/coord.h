/* The coordinator: a gRPC server that owns runs, and its client. annulus.proto fixes words and protocol.

   The server keeps everything in DIR/registry.db (SQLite): a call is answered after what it changed is on
   disk, so a server that was killed goes on where it was. Its address is in DIR/address.

   Who may do what: with certificates (ann_coord_init) a client shows one that the coordinator's own authority
   has signed, and the role is in it; without a certificate it sends a bearer token, a line of
   DIR/token-control or DIR/token-observe (mode 0600), over TLS, or over plain text on the loopback interface
   where that was asked for.

   Only src/coord sees gRPC; everything here is Local. Never use it in a forked child. */
#ifndef ANN_COORD_COORD_H
#define ANN_COORD_COORD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"
#include "coord/annulus.pb-c.h"

/* ---- certificates ---- */

/* Makes DIR (mode 0700) and in it an authority (ca.crt, ca.key), a certificate for the server (server.crt,
   server.key; for localhost, this host's name and `hosts`, names or addresses) and two for clients
   (control.crt, observe.crt and keys), good for `days`. Private keys have mode 0600. Errors: ANN_ERR_ARG if
   the authority is there already or a host is none, ANN_ERR_IO. */
ann_status ann_coord_init(const char *dir, const char *const *hosts, int host_count, int days) ANN_MUST_CHECK;
/* Signs one more client certificate, DIR/NAME.crt and DIR/NAME.key; the audit log calls its holder NAME. */
ann_status ann_coord_init_client(const char *dir, const char *name, bool control, int days) ANN_MUST_CHECK;

/* ---- server ---- */

typedef struct ann_coord_server ann_coord_server;

typedef struct ann_coord_server_options {
    const char *listen; /* "HOST:PORT"; port 0 picks a free one; NULL: "127.0.0.1:0" */
    const char *dir;    /* where its state is; made if it is not there */
    bool plain;         /* no TLS; the host must be a loopback address */
    int lost_after_ms;  /* a job that is silent for so long is lost; 0: 10 s */
    int keep_days;      /* metrics of a run that has been over for so long are removed, lines of the audit log
                           after four times as long; 0: 90, negative: never */
} ann_coord_server_options;

/* Starts the server's threads and returns when it answers. The threads have the caller's signal mask: block
   signals before. Errors: ANN_ERR_CONFIG (address, certificates, another server on this directory),
   ANN_ERR_IO, ANN_ERR_CORRUPT. Owner: the caller, ann_coord_server_stop. */
ann_status ann_coord_server_start(ann_coord_server **out,
                                  const ann_coord_server_options *options) ANN_MUST_CHECK;
/* "HOST:PORT" with the port that was picked. Borrowed. */
const char *ann_coord_server_address(const ann_coord_server *server);
/* Answers what has been received, ends streams with UNAVAILABLE, removes DIR/address. NULL is fine. */
void ann_coord_server_stop(ann_coord_server *server);

/* ---- client ---- */

typedef struct ann_coord_client ann_coord_client;

typedef struct ann_coord_client_options {
    const char *address; /* "HOST:PORT"; NULL: what stands in DIR/address */
    const char *dir;     /* where credentials are: ca.crt with NAME.crt and NAME.key, or token-control or
                            token-observe; NULL: none */
    const char *name;    /* NAME; NULL: "control", and if that cannot be read, "observe" */
    bool plain;          /* no TLS: only to a loopback address */
    int timeout_ms;      /* of each call; 0: 5 s */
} ann_coord_client_options;

/* Reads credentials; connects at the first call, and again after a loss by itself. One thread at a time may
   call. Errors: ANN_ERR_CONFIG, ANN_ERR_NOT_FOUND (no credentials, no address). Owner: the caller,
   ann_coord_client_close. */
ann_status ann_coord_client_open(ann_coord_client **out,
                                 const ann_coord_client_options *options) ANN_MUST_CHECK;
void ann_coord_client_close(ann_coord_client *client);
/* From any thread: what the client is waiting for ends with ANN_ERR_STOP, and so does every later call. */
void ann_coord_client_cancel(ann_coord_client *client);

/* The methods of annulus.proto that answer each request with one reply, by their names there. */
typedef enum ann_coord_method {
    ANN_COORD_REGISTER_JOB,
    ANN_COORD_NEXT,
    ANN_COORD_HEARTBEAT,
    ANN_COORD_REPORT,
    ANN_COORD_COMMITTED,
    ANN_COORD_APPLIED,
    ANN_COORD_PHASE_DONE,
    ANN_COORD_LEAVE,
    ANN_COORD_SUBMIT,
    ANN_COORD_CONTROL,
    ANN_COORD_LIST,
    ANN_COORD_STATUS,
    ANN_COORD_LOG,
    ANN_COORD_METHOD_COUNT
} ann_coord_method;

/* One request and its reply, blocking up to the client's timeout; those of Report share a stream, as long as
   it lasts. `request` is the method's request message; *reply (may be NULL) becomes its reply:

       Annulus__V1__HeartbeatReply *reply;
       ANN_TRY(ann_coord_call(client, ANN_COORD_HEARTBEAT, &request.base, (ProtobufCMessage **)&reply));
       protobuf_c_message_free_unpacked(&reply->base, NULL);

   Errors: ANN_ERR_COMM
   (no connection, or it was lost; the call may have been done, and may be repeated), ANN_ERR_TIMEOUT (the
   same), ANN_ERR_ARG, ANN_ERR_NOT_FOUND, ANN_ERR_CONFIG (not in this state, or no right to it),
   ANN_ERR_MEMORY (too much at once: repeat later), ANN_ERR_STOP (cancelled), ANN_ERR_FORMAT,
   ANN_ERR_INTERNAL. Owner: the caller. */
ann_status ann_coord_call(ann_coord_client *client, ann_coord_method method, const ProtobufCMessage *request,
                          ProtobufCMessage **reply) ANN_MUST_CHECK;

/* Gets every record once and in order; returns false to end watching. */
typedef bool (*ann_coord_record_fn)(void *context, const Annulus__V1__Record *record);
/* Records of a run from `sequence` on (1: all, 0: only new ones), until fn returns false (ANN_OK),
   ann_coord_client_cancel (ANN_ERR_STOP), or an error as of ann_coord_call. Waits for new records without a
   deadline. A connection that is lost is made again for up to `retry_ms`, and goes on behind the last record;
   so does a watch that was cut off because fn was too slow. */
ann_status ann_coord_watch(ann_coord_client *client, const char *run, uint64_t sequence, int retry_ms,
                           ann_coord_record_fn fn, void *context) ANN_MUST_CHECK;

#endif
