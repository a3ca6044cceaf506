#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "coord/auth.h"
#include "coord/core.h"
#include "coord/hub.h"
#include "coord/names.h"
#include "coord/rate.h"
#include "coord/stream.h"

enum {
    ENTRIES = ANN_COORD_METHOD_COUNT + 2, /* the methods of methods.h, Watch, and whatever is unknown */
    WATCH = ANN_COORD_METHOD_COUNT,
    UNKNOWN = ANN_COORD_METHOD_COUNT + 1,
    ARMED = 4, /* calls of each method that are waited for at once */
    MESSAGE_BYTES = 4 << 20,
    LOST_AFTER_MS = 10000,
    KEEP_DAYS = 90
};

struct ann_coord_server {
    char dir[2048], address[300];
    int lock;
    anni_tokens tokens;
    anni_registry writer_registry, reader_registry;
    anni_coord_worker *writer, *reader;
    anni_hub *hub;
    bool initialised;
    grpc_server *server;
    grpc_completion_queue *queue;
    anni_entry entries[ENTRIES];
    anni_streams streams;
    anni_rate rate;
    int64_t refusals_second, refusals; /* logged in this second */
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool shut; /* no call is left */
};

/* ---- calls, on the queue's thread ---- */

static void arm(ann_coord_server *s, const anni_entry *entry) {
    anni_call *c = anni_call_new(entry);
    grpc_call_error error;
    if (!c) return;
    anni_tag *tag = &c->tags[ANNI_ARRIVED];
    if (entry->handle)
        error = grpc_server_request_registered_call(s->server, entry->handle, &c->call, &c->deadline,
                                                    &c->metadata, &c->payload, s->queue, s->queue, tag);
    else
        error =
            grpc_server_request_call(s->server, &c->call, &c->details, &c->metadata, s->queue, s->queue, tag);
    if (error != GRPC_CALL_OK) anni_call_unref(c);
}

/* Ten in a second: the log must not become the damage. */
static bool may_log_refusal(ann_coord_server *s) {
    const int64_t second = ann_clock_ns() / 1000000000;
    pthread_mutex_lock(&s->mutex);
    if (second != s->refusals_second) s->refusals = 0;
    s->refusals_second = second;
    const bool may = ++s->refusals <= 10;
    pthread_mutex_unlock(&s->mutex);
    return may;
}

/* From any thread. */
static void log_refusal(ann_coord_server *s, const anni_call *c, const char *method, const char *why) {
    if (!may_log_refusal(s)) return;
    ann_log_line(ANN_LOG_WARN, "coordinator: refused %s to %s: %s", method, c->caller.author, why);
    anni_task *task = calloc(1, sizeof *task);
    if (!task) return;
    task->caller = c->caller;
    task->refused = strdup(method);
    task->why = strdup(why);
    if (!task->refused || !task->why || !anni_coord_worker_add(s->writer, task)) anni_task_free(task);
}

static void refuse(ann_coord_server *s, anni_call *c, const char *method, ann_status status) {
    log_refusal(s, c, method, ann_error_text());
    anni_call_finish(
        c, status == ANN_ERR_NOT_FOUND ? GRPC_STATUS_UNAUTHENTICATED : GRPC_STATUS_PERMISSION_DENIED,
        ann_error_text(), NULL, 0);
}

/* From a worker's thread. What is malformed is logged; what cannot be done in this state is everyday. */
static void reply(void *call, ann_status status, const char *text, uint8_t *bytes, size_t size) {
    anni_call *c = call;
    if (status == ANN_ERR_ARG || status == ANN_ERR_FORMAT)
        log_refusal(c->entry->server, c, c->entry->method->path, text);
    if (status == ANN_OK && c->entry->method->streams)
        anni_stream_reply(&c->entry->server->streams, c, bytes, size);
    else anni_call_finish(c, anni_code_of(status), text, bytes, size);
    free(bytes);
    anni_call_unref(c);
}

static void queue_request(ann_coord_server *s, anni_call *c) {
    anni_task *task = calloc(1, sizeof *task);
    size_t size;
    uint8_t *bytes = task ? anni_call_payload(c, &size) : NULL;
    if (!bytes) {
        free(task);
        log_refusal(s, c, c->entry->method->path, "the message is missing, or too large");
        anni_call_finish(c, GRPC_STATUS_INVALID_ARGUMENT, "the message is missing, or too large", NULL, 0);
        return;
    }
    *task = (anni_task){.method = c->entry->method,
                        .caller = c->caller,
                        .call = c,
                        .reply = reply,
                        .bytes = bytes,
                        .size = size};
    anni_call_ref(c);
    if (anni_coord_worker_add(task->method->writes ? s->writer : s->reader, task)) return;
    anni_task_free(task);
    anni_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED, "too much at once: try again later", NULL, 0);
    anni_call_unref(c);
}

/* False, and the call is finished, if its connection asks too often. */
static bool in_time(ann_coord_server *s, anni_call *c) {
    char *peer = grpc_call_get_peer(c->call);
    const bool good = anni_rate_take(&s->rate, peer ? peer : "");
    gpr_free(peer);
    if (!good)
        anni_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED,
                         "too many requests of one connection: try again later", NULL, 0);
    return good;
}

static void arrived(ann_coord_server *s, anni_call *c) {
    const anni_entry *entry = c->entry;
    anni_call_listen(c);
    if (!in_time(s, c)) return;
    const bool control = entry->method && entry->method->control;
    const ann_status status = anni_admit(&c->caller, c->call, &c->metadata, &s->tokens, control);
    if (status != ANN_OK) {
        refuse(s, c,
               entry->method   ? entry->method->path
               : entry->handle ? anni_watch_path
                               : "an unknown method",
               status);
    } else if (entry->method && entry->method->streams && !anni_stream_open(&s->streams, c)) {
        anni_call_finish(c, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many report: try again later", NULL, 0);
    } else if (entry->method) {
        queue_request(s, c);
    } else if (entry->handle) {
        if (anni_hub_watch(s->hub, c) != ANN_OK) log_refusal(s, c, anni_watch_path, ann_error_text());
    } else {
        anni_call_finish(c, GRPC_STATUS_UNIMPLEMENTED, "there is no such method", NULL, 0);
    }
}

static void happened(ann_coord_server *s, const anni_tag *tag, bool good) {
    anni_call *c = tag->call;
    const bool watch = c->entry == &s->entries[WATCH];
    switch (tag->happening) {
    case ANNI_ARRIVED:
        if (!good) break; /* the server is shutting down */
        arm(s, c->entry);
        arrived(s, c);
        break;
    case ANNI_CLOSED:
        if (watch) anni_hub_closed(s->hub, c);
        else anni_stream_close(&s->streams, c);
        break;
    case ANNI_SENT: anni_hub_sent(s->hub, c, good); break;
    case ANNI_RECEIVED:
        if (anni_stream_received(&s->streams, c) && in_time(s, c)) queue_request(s, c);
        break;
    case ANNI_FINISHED:
    case ANNI_HAPPENINGS: break;
    }
    anni_call_unref(c);
}

static void *serve(void *arg) {
    ann_coord_server *s = arg;
    for (;;) {
        const grpc_event event =
            grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) return NULL;
        if (event.type != GRPC_OP_COMPLETE) continue;
        if (event.tag) {
            happened(s, event.tag, event.success != 0);
            continue;
        }
        pthread_mutex_lock(&s->mutex);
        s->shut = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->mutex);
    }
}

/* ---- start ---- */

static ann_status open_dir(ann_coord_server *s, const char *dir) {
    char path[4096];
    if (snprintf(s->dir, sizeof s->dir, "%s", dir) >= (int)sizeof s->dir)
        return ann_error(ANN_ERR_ARG, "the path is too long");
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return ann_error(ANN_ERR_IO, "%s: %s", dir, strerror(errno));
    snprintf(path, sizeof path, "%s/lock", dir);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        return ann_error(ANN_ERR_CONFIG, "%s: another coordinator works on this state (or: %s)", dir,
                         strerror(errno));
    return ANN_OK;
}

static ann_status start_workers(ann_coord_server *s, int lost_after_ms, int keep_days) {
    ANN_TRY(
        anni_registry_open(&s->writer_registry, s->dir, lost_after_ms > 0 ? lost_after_ms : LOST_AFTER_MS));
    s->writer_registry.keep_ms = keep_days < 0 ? 0 : (int64_t)86400000 * (keep_days ? keep_days : KEEP_DAYS);
    ANN_TRY(anni_registry_open_reader(&s->reader_registry, s->dir));
    ANN_TRY(anni_hub_start(&s->hub));
    const anni_coord_worker_options writer = {
        .registry = &s->writer_registry, .writes = true, .publish = anni_hub_publish, .context = s->hub};
    const anni_coord_worker_options reader = {.registry = &s->reader_registry};
    ANN_TRY(anni_coord_worker_start(&s->writer, &writer));
    ANN_TRY(anni_coord_worker_start(&s->reader, &reader));
    anni_hub_set_reader(s->hub, s->reader);
    return ANN_OK;
}

static ann_status secure(grpc_server_credentials **out, const char *dir) {
    char *ca = NULL, *crt = NULL, *key = NULL;
    ann_status status = anni_read_file(&ca, dir, "ca.crt");
    if (status == ANN_OK) status = anni_read_file(&crt, dir, "server.crt");
    if (status == ANN_OK) status = anni_read_file(&key, dir, "server.key");
    if (status == ANN_OK) {
        grpc_ssl_pem_key_cert_pair pair = {key, crt};
        /* Those without a certificate need a token. */
        *out = grpc_ssl_server_credentials_create_ex(ca, &pair, 1,
                                                     GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
        if (!*out) status = ann_error(ANN_ERR_CONFIG, "the certificates in %s cannot be used", dir);
    } else if (status == ANN_ERR_NOT_FOUND) {
        status = ann_error(
            ANN_ERR_CONFIG,
            "%s has no certificates: make them with annulus coordinator init, or ask for --plain", dir);
    }
    free(ca);
    free(crt);
    free(key);
    return status;
}

static grpc_arg integer(const char *key, int value) {
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static void make_server(ann_coord_server *s) {
    grpc_arg args[] = {
        integer(GRPC_ARG_ALLOW_REUSEPORT, 0), /* else two servers may share a port */
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_BYTES),
        integer(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10),
        integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, 2048),
        integer(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300000),
        integer(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000),
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, 60000),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000),
        integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
        integer(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
                1), /* none: a small message stays small */
    };
    const grpc_channel_args all = {sizeof args / sizeof args[0], args};
    s->server = grpc_server_create(&all, NULL);
    s->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(s->server, s->queue, NULL);
    for (int i = 0; i < ENTRIES; i++) s->entries[i].server = s;
    for (int i = 0; i < WATCH; i++) s->entries[i].method = &anni_methods[i];
    for (int i = 0; i <= WATCH; i++)
        s->entries[i].handle =
            grpc_server_register_method(s->server, i < WATCH ? anni_methods[i].path : anni_watch_path, NULL,
                                        GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
}

/* Binds and says where. */
static ann_status bind_port(ann_coord_server *s, const ann_coord_server_options *o) {
    const char *listen = o->listen ? o->listen : "127.0.0.1:0", *colon = strrchr(listen, ':');
    char host[256];
    grpc_server_credentials *credentials = NULL;
    if (!colon || snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen) >= (int)sizeof host ||
        !host[0] || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return ann_error(ANN_ERR_CONFIG, "cannot listen on '%s', accepted is HOST:PORT", listen);
    if (o->plain && !anni_is_loopback(host))
        return ann_error(
            ANN_ERR_CONFIG,
            "'%s' is not the loopback interface: plain text stays on localhost, 127.0.0.1 or [::1]", host);
    if (o->plain) credentials = grpc_insecure_server_credentials_create();
    else ANN_TRY(secure(&credentials, s->dir));
    const int port = grpc_server_add_http2_port(s->server, listen, credentials);
    grpc_server_credentials_release(credentials);
    if (port <= 0) return ann_error(ANN_ERR_CONFIG, "cannot listen on '%s': is the port in use?", listen);
    snprintf(s->address, sizeof s->address, "%s:%d", host, port);
    return ANN_OK;
}

/* DIR/address, whole or not there. */
static ann_status write_address(const ann_coord_server *s) {
    char path[4096], fresh[4096];
    snprintf(path, sizeof path, "%s/address", s->dir);
    snprintf(fresh, sizeof fresh, "%s/address.new", s->dir);
    FILE *file = fopen(fresh, "we");
    if (!file) return ann_error(ANN_ERR_IO, "%s: %s", fresh, strerror(errno));
    const bool good = fprintf(file, "%s\n", s->address) > 0;
    if (fclose(file) != 0 || !good || rename(fresh, path) != 0)
        return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    return ANN_OK;
}

static ann_status start(ann_coord_server *s, const ann_coord_server_options *o) {
    ANN_TRY(open_dir(s, o->dir));
    ANN_TRY(anni_tokens_open(&s->tokens, s->dir, o->plain));
    ANN_TRY(start_workers(s, o->lost_after_ms, o->keep_days));
    anni_core_begin();
    s->initialised = true;
    make_server(s);
    ANN_TRY(bind_port(s, o));
    grpc_server_start(s->server);
    for (int i = 0; i < ENTRIES; i++)
        for (int k = 0; k < ARMED; k++) arm(s, &s->entries[i]);
    const int code = pthread_create(&s->thread, NULL, serve, s);
    if (code != 0) return ann_error(ANN_ERR_MEMORY, "cannot start a thread: %s", strerror(code));
    s->running = true;
    return write_address(s);
}

ann_status ann_coord_server_start(ann_coord_server **out, const ann_coord_server_options *options) {
    ann_coord_server *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return ann_error(ANN_ERR_MEMORY, "cannot allocate a server");
    s->lock = -1;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    anni_streams_init(&s->streams);
    const ann_status status = start(s, options);
    if (status != ANN_OK) {
        ann_coord_server_stop(s);
        return status;
    }
    *out = s;
    return ANN_OK;
}

const char *ann_coord_server_address(const ann_coord_server *s) { return s->address; }

/* ---- stop ---- */

/* Waits until no call is left; false after `ms`. */
static bool wait_shut(ann_coord_server *s, int ms) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    int code = 0;
    pthread_mutex_lock(&s->mutex);
    while (!s->shut && code != ETIMEDOUT) code = pthread_cond_timedwait(&s->changed, &s->mutex, &until);
    const bool shut = s->shut;
    pthread_mutex_unlock(&s->mutex);
    return shut;
}

/* Every operation that was started happens before the queue's thread ends. */
static void drain(ann_coord_server *s) {
    if (!s->running) {
        /* Nothing ran yet, but calls may have been armed: their ends are taken here. */
        grpc_server_shutdown_and_notify(s->server, s->queue, NULL);
        grpc_server_cancel_all_calls(s->server);
        grpc_completion_queue_shutdown(s->queue);
        serve(s);
        return;
    }
    anni_hub_close(s->hub);
    anni_streams_close(&s->streams);
    grpc_server_shutdown_and_notify(s->server, s->queue, NULL);
    if (!wait_shut(s, 3000)) {
        grpc_server_cancel_all_calls(s->server);
        (void)wait_shut(s, 3000);
    }
    anni_coord_worker_stop(s->reader); /* which tells the writer what was refused */
    anni_coord_worker_stop(s->writer);
    s->writer = s->reader = NULL;
    grpc_completion_queue_shutdown(s->queue);
    pthread_join(s->thread, NULL);
}

void ann_coord_server_stop(ann_coord_server *s) {
    char path[4096];
    if (!s) return;
    if (s->server) {
        drain(s);
        grpc_completion_queue_destroy(s->queue);
        grpc_server_destroy(s->server);
    }
    anni_coord_worker_stop(s->writer);
    anni_coord_worker_stop(s->reader);
    anni_hub_stop(s->hub);
    if (s->initialised) grpc_shutdown_blocking();
    if (s->writer_registry.db) anni_registry_close(&s->writer_registry);
    if (s->reader_registry.db) anni_registry_close(&s->reader_registry);
    if (s->address[0]) {
        snprintf(path, sizeof path, "%s/address", s->dir);
        (void)unlink(path);
    }
    if (s->lock >= 0) close(s->lock);
    anni_streams_fini(&s->streams);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
