#include "coord/client.h"

#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "coord/core.h"

enum { TIMEOUT_MS = 5000, MESSAGE_BYTES = 64 << 20 };

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
        integer(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ANNI_ATTEMPT_MS), /* how long an attempt may take */
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
    anni_core_begin();
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
    anni_client_end_stream(c);
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
