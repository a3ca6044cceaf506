#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "coord/auth.h"
#include "coord/core_log.h"
#include "coord/methods.h"
#include "coord/names.h"

enum { TIMEOUT_MS = 5000, ATTEMPT_MS = 2000, MESSAGE_BYTES = 64 << 20, HEADERS = 2 };

struct ann_coord_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
    char bearer[ANNI_TOKEN_BYTES + 8], user[ANNI_NAME_BYTES + 1];
    int timeout_ms;
    pthread_mutex_t mutex;
    grpc_call *active; /* what ann_coord_client_cancel may end */
    bool cancelled;
};

/* ---- credentials ---- */

/* A certificate NAME.crt with its key, or else a token. */
static ann_status identify(ann_coord_client *c, const char *dir, const char *name, bool plain, char **crt,
                           char **key) {
    char file[300], token[ANNI_TOKEN_BYTES];
    *crt = *key = NULL;
    if (!plain) {
        snprintf(file, sizeof file, "%.200s.crt", name);
        ann_status status = anni_read_file(crt, dir, file);
        snprintf(file, sizeof file, "%.200s.key", name);
        if (status == ANN_OK) return anni_read_file(key, dir, file);
        if (status != ANN_ERR_NOT_FOUND) return status;
        ann_error_clear();
    }
    ANN_TRY(anni_token_read(token, dir, name));
    snprintf(c->bearer, sizeof c->bearer, "Bearer %s", token);
    return ANN_OK;
}

static ann_status identify_any(ann_coord_client *c, const ann_coord_client_options *o, char **crt,
                               char **key) {
    *crt = *key = NULL;
    if (!o->dir) return ANN_OK;
    if (o->name) {
        ANN_TRY(anni_name_check("client", o->name, false));
        return identify(c, o->dir, o->name, o->plain, crt, key);
    }
    const ann_status status = identify(c, o->dir, "control", o->plain, crt, key);
    if (status == ANN_OK) return ANN_OK;
    free(*crt);
    *crt = NULL;
    if (identify(c, o->dir, "observe", o->plain, crt, key) == ANN_OK) {
        ann_error_clear();
        return ANN_OK;
    }
    return ann_error(status, "%s has no certificate and no token that can be read", o->dir);
}

static ann_status secure(grpc_channel_credentials **out, ann_coord_client *c,
                         const ann_coord_client_options *o) {
    char *ca = NULL, *crt = NULL, *key = NULL;
    ann_status status = identify_any(c, o, &crt, &key);
    if (status == ANN_OK && o->plain) *out = grpc_insecure_credentials_create();
    if (status == ANN_OK && !o->plain && !o->dir)
        status = ann_error(ANN_ERR_NOT_FOUND, "no folder of certificates is given");
    if (status == ANN_OK && !o->plain) status = anni_read_file(&ca, o->dir, "ca.crt");
    if (status == ANN_OK && !o->plain) {
        grpc_ssl_pem_key_cert_pair pair = {key, crt};
        *out = grpc_ssl_credentials_create(ca, crt ? &pair : NULL, NULL, NULL);
        if (!*out) status = ann_error(ANN_ERR_CONFIG, "the certificates in %s cannot be used", o->dir);
    }
    free(ca);
    free(crt);
    free(key);
    return status;
}

/* Where to: as given, or as the coordinator has written. */
static ann_status find_address(char *out, size_t size, const ann_coord_client_options *o) {
    char host[256], *text = NULL;
    if (!o->address && !o->dir)
        return ann_error(ANN_ERR_NOT_FOUND, "neither an address nor a folder is given");
    if (!o->address) ANN_TRY(anni_read_file(&text, o->dir, "address"));
    snprintf(out, size, "%s", o->address ? o->address : text);
    free(text);
    out[strcspn(out, "\n")] = '\0';
    const char *colon = strrchr(out, ':');
    if (!colon || colon == out)
        return ann_error(ANN_ERR_CONFIG, "'%s' is no address, accepted is HOST:PORT", out);
    snprintf(host, sizeof host, "%.*s", (int)(colon - out), out);
    if (o->plain && !anni_is_loopback(host))
        return ann_error(ANN_ERR_CONFIG, "'%s' is not the loopback interface: plain text goes nowhere else",
                         host);
    return ANN_OK;
}

/* ---- the client ---- */

static grpc_arg integer(const char *key, int value) {
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static ann_status open_channel(ann_coord_client *c, const ann_coord_client_options *o) {
    char address[512];
    grpc_channel_credentials *credentials = NULL;
    ANN_TRY(find_address(address, sizeof address, o));
    ANN_TRY(secure(&credentials, c, o));
    grpc_arg args[] = {
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_BYTES),
        integer(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
        integer(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ATTEMPT_MS), /* how long an attempt may take */
        integer(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000),
        integer(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, 20000),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
    };
    const grpc_channel_args all = {sizeof args / sizeof args[0], args};
    c->channel = grpc_channel_create(address, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return c->channel ? ANN_OK : ann_error(ANN_ERR_CONFIG, "cannot use the address '%s'", address);
}

ann_status ann_coord_client_open(ann_coord_client **out, const ann_coord_client_options *options) {
    ann_coord_client *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c) return ann_error(ANN_ERR_MEMORY, "cannot allocate a client");
    pthread_mutex_init(&c->mutex, NULL);
    c->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    const char *user = getenv("USER");
    snprintf(c->user, sizeof c->user, "%s",
             user && anni_name_check("user", user, false) == ANN_OK ? user : "somebody");
    ann_error_clear();
    anni_core_log();
    grpc_init();
    c->queue = grpc_completion_queue_create_for_pluck(NULL);
    const ann_status status = open_channel(c, options);
    if (status != ANN_OK) {
        ann_coord_client_close(c);
        return status;
    }
    *out = c;
    return ANN_OK;
}

void ann_coord_client_close(ann_coord_client *c) {
    if (!c) return;
    if (c->channel) grpc_channel_destroy(c->channel);
    grpc_completion_queue_shutdown(c->queue);
    (void)grpc_completion_queue_pluck(c->queue, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(c->queue);
    grpc_shutdown();
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

void ann_coord_client_cancel(ann_coord_client *c) {
    pthread_mutex_lock(&c->mutex);
    c->cancelled = true;
    if (c->active) grpc_call_cancel(c->active, NULL);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- a call ---- */

typedef struct exchange {
    ann_coord_client *client;
    grpc_call *call;
    grpc_metadata headers[HEADERS];
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
    grpc_byte_buffer *message;
} exchange;

static grpc_slice borrowed(const char *text) { return grpc_slice_from_static_buffer(text, strlen(text)); }

/* Begins a call; false if the client was cancelled. */
static bool begin(exchange *x, ann_coord_client *c, const char *path, gpr_timespec deadline) {
    *x = (exchange){.client = c, .details = grpc_empty_slice()};
    grpc_metadata_array_init(&x->initial);
    grpc_metadata_array_init(&x->trailing);
    pthread_mutex_lock(&c->mutex);
    if (!c->cancelled)
        c->active = x->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->queue,
                                                       borrowed(path), NULL, deadline, NULL);
    pthread_mutex_unlock(&c->mutex);
    return x->call != NULL;
}

static void end(exchange *x) {
    pthread_mutex_lock(&x->client->mutex);
    x->client->active = NULL;
    pthread_mutex_unlock(&x->client->mutex);
    if (x->call) grpc_call_unref(x->call);
    if (x->message) grpc_byte_buffer_destroy(x->message);
    grpc_metadata_array_destroy(&x->initial);
    grpc_metadata_array_destroy(&x->trailing);
    grpc_slice_unref(x->details);
}

/* Starts operations and waits for them; the call's deadline and cancellation bound the wait. */
static bool perform(exchange *x, const grpc_op *ops, size_t count) {
    if (grpc_call_start_batch(x->call, ops, count, x, NULL) != GRPC_CALL_OK) return false;
    return grpc_completion_queue_pluck(x->client->queue, x, gpr_inf_future(GPR_CLOCK_REALTIME), NULL)
               .success != 0;
}

/* The operations that send a request, without waiting for an answer. */
static size_t request_ops(exchange *x, grpc_op *ops, grpc_byte_buffer *request) {
    size_t n = 0;
    const ann_coord_client *c = x->client;
    x->headers[n++] = (grpc_metadata){.key = borrowed("annulus-user"), .value = borrowed(c->user)};
    if (c->bearer[0])
        x->headers[n++] = (grpc_metadata){.key = borrowed("authorization"), .value = borrowed(c->bearer)};
    ops[0] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
                       .data.send_initial_metadata = {.count = n, .metadata = x->headers}};
    ops[1] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request};
    ops[2] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    ops[3] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &x->initial};
    return 4;
}

static grpc_op message_op(exchange *x) {
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &x->message};
}

static grpc_op status_op(exchange *x) {
    return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {.trailing_metadata = &x->trailing,
                                                    .status = &x->code,
                                                    .status_details = &x->details}};
}

static ann_status kind_of(grpc_status_code code) {
    switch (code) {
    case GRPC_STATUS_OK: return ANN_OK;
    case GRPC_STATUS_UNAVAILABLE:
    case GRPC_STATUS_ABORTED: return ANN_ERR_COMM;
    case GRPC_STATUS_DEADLINE_EXCEEDED: return ANN_ERR_TIMEOUT;
    case GRPC_STATUS_INVALID_ARGUMENT: return ANN_ERR_ARG;
    case GRPC_STATUS_NOT_FOUND: return ANN_ERR_NOT_FOUND;
    case GRPC_STATUS_FAILED_PRECONDITION:
    case GRPC_STATUS_UNAUTHENTICATED:
    case GRPC_STATUS_PERMISSION_DENIED: return ANN_ERR_CONFIG;
    case GRPC_STATUS_RESOURCE_EXHAUSTED: return ANN_ERR_MEMORY;
    case GRPC_STATUS_UNIMPLEMENTED: return ANN_ERR_UNSUPPORTED;
    case GRPC_STATUS_CANCELLED: return ANN_ERR_COMM;
    default: return ANN_ERR_INTERNAL;
    }
}

static ann_status stopped(void) {
    return ann_error(ANN_ERR_STOP, "the coordinator's client was told to stop");
}

/* How the call has ended. */
static ann_status result(exchange *x) {
    pthread_mutex_lock(&x->client->mutex);
    const bool cancelled = x->client->cancelled;
    pthread_mutex_unlock(&x->client->mutex);
    if (cancelled && x->code != GRPC_STATUS_OK) return stopped();
    const ann_status status = kind_of(x->code);
    if (status == ANN_OK) return ANN_OK;
    return ann_error(status, "coordinator: %.*s", (int)GRPC_SLICE_LENGTH(x->details),
                     (const char *)GRPC_SLICE_START_PTR(x->details));
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message) {
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static ann_status unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *kind,
                         grpc_byte_buffer *message) {
    grpc_byte_buffer_reader reader;
    *out = NULL;
    if (message && grpc_byte_buffer_reader_init(&reader, message)) {
        grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
        *out = protobuf_c_message_unpack(kind, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
        grpc_slice_unref(slice);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    return *out ? ANN_OK : ann_error(ANN_ERR_FORMAT, "the coordinator's reply is malformed");
}

ann_status ann_coord_call(ann_coord_client *c, ann_coord_method method, const ProtobufCMessage *request,
                          ProtobufCMessage **reply) {
    const anni_method *m = &anni_methods[method];
    exchange x;
    grpc_op ops[6];
    if (reply) *reply = NULL;
    if (request->descriptor != m->request)
        return ann_error(ANN_ERR_ARG, "%s takes no %s", m->path, request->descriptor->name);
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(c->timeout_ms, GPR_TIMESPAN));
    if (!begin(&x, c, m->path, deadline)) {
        end(&x);
        return stopped();
    }
    grpc_byte_buffer *buffer = pack(request);
    size_t n = request_ops(&x, ops, buffer);
    ops[n++] = message_op(&x);
    ops[n++] = status_op(&x);
    ann_status status = ANN_OK;
    if (!perform(&x, ops, n)) status = ann_error(ANN_ERR_INTERNAL, "gRPC has refused a call");
    if (status == ANN_OK) status = result(&x);
    if (status == ANN_OK && reply) status = unpack(reply, m->reply, x.message);
    grpc_byte_buffer_destroy(buffer);
    end(&x);
    return status;
}

/* ---- Watch ---- */

typedef struct watch {
    const char *run;
    uint64_t next;
    ann_coord_record_fn fn;
    void *context;
    bool over; /* fn wants no more */
} watch;

static ann_status take_records(watch *w, grpc_byte_buffer *message) {
    ProtobufCMessage *base;
    ANN_TRY(unpack(&base, &annulus__v1__watch_reply__descriptor, message));
    const Annulus__V1__WatchReply *reply = (const Annulus__V1__WatchReply *)base;
    for (size_t i = 0; i < reply->n_records && !w->over; i++) {
        w->next = reply->records[i]->sequence + 1;
        w->over = !w->fn(w->context, reply->records[i]);
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return ANN_OK;
}

/* Reads until the stream ends, or fn has had enough. */
static ann_status read_stream(exchange *x, watch *w) {
    for (;;) {
        const grpc_op op = message_op(x);
        if (!perform(x, &op, 1) || !x->message) return ANN_OK;
        const ann_status status = take_records(w, x->message);
        grpc_byte_buffer_destroy(x->message);
        x->message = NULL;
        if (status != ANN_OK || w->over) {
            grpc_call_cancel(x->call, NULL);
            return status;
        }
    }
}

/* One stream, as long as it lasts. */
static ann_status watch_once(ann_coord_client *c, watch *w) {
    Annulus__V1__WatchRequest request = ANNULUS__V1__WATCH_REQUEST__INIT;
    exchange x;
    grpc_op ops[4];
    request.run = (char *)w->run;
    request.sequence = w->next;
    if (!begin(&x, c, anni_watch_path, gpr_inf_future(GPR_CLOCK_MONOTONIC))) {
        end(&x);
        return stopped();
    }
    grpc_byte_buffer *buffer = pack(&request.base);
    const size_t n = request_ops(&x, ops, buffer);
    ann_status status = ANN_OK;
    if (perform(&x, ops, n)) status = read_stream(&x, w);
    const grpc_op last = status_op(&x);
    if (!perform(&x, &last, 1) && status == ANN_OK)
        status = ann_error(ANN_ERR_INTERNAL, "gRPC has refused a call");
    if (status == ANN_OK && !w->over) status = result(&x);
    grpc_byte_buffer_destroy(buffer);
    end(&x);
    return status;
}

ann_status ann_coord_watch(ann_coord_client *c, const char *run, uint64_t sequence, int retry_ms,
                           ann_coord_record_fn fn, void *context) {
    watch w = {.run = run, .next = sequence, .fn = fn, .context = context};
    int64_t pause_ms = 100, lost_ns = ann_clock_ns(); /* since when there has been no connection */
    for (;;) {
        const uint64_t before = w.next;
        const int64_t begin_ns = ann_clock_ns();
        const ann_status status = watch_once(c, &w);
        if (w.over || (status != ANN_OK && status != ANN_ERR_COMM)) return status;
        /* A stream that brought something, or lasted longer than any attempt to connect, was a connection. */
        const int64_t end_ns = ann_clock_ns();
        if (w.next != before || end_ns - begin_ns > (int64_t)ATTEMPT_MS * 2000000) {
            lost_ns = end_ns;
            pause_ms = 100;
        }
        if (end_ns - lost_ns > (int64_t)retry_ms * 1000000)
            return status == ANN_OK ? ann_error(ANN_ERR_COMM, "the coordinator has ended the stream")
                                    : status;
        ann_sleep_ns(pause_ms * 1000000);
        if (pause_ms < 2000) pause_ms *= 2;
    }
}
