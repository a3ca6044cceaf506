#include "coord/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "coord/web_answer.h"

enum {
    MOST_CONNECTIONS = 64,
    MOST_PER_ADDRESS = 32,
    REQUEST_BYTES = 16384, /* of headers, and of what is being sent */
    SILENT_S = 10,         /* a connection on which nothing moves */
    REQUEST_S = 30,        /* from one answer's end to the next one's */
};

/* A connection; MHD closes the ones that are silent, and cut_slow those that are slow. */
typedef struct connection {
    int socket; /* -1: free */
    int64_t deadline_ns;
} connection;

struct ann_coord_web {
    anni_web_site site;
    connection connections[MOST_CONNECTIONS];
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool running;
    int listener, stop_event; /* -1: not open */
    char address[320];
};

/* ---- the address ---- */

static ann_status split_address(const char *listen, char host[256], char port[8]) {
    const char *colon = strrchr(listen, ':');
    const char *digits = colon ? colon + 1 : listen, *from = listen;
    size_t length = colon ? (size_t)(colon - listen) : 0;
    if (length >= 2 && from[0] == '[' && from[length - 1] == ']') {
        from++;
        length -= 2;
    }
    const size_t digit_count = strlen(digits);
    if (length >= 256 || (colon && length == 0) || digit_count == 0 || digit_count > 5 ||
        strspn(digits, "0123456789") != digit_count || atoi(digits) > 65535)
        return ann_error(ANN_ERR_CONFIG, "the address '%s' of the web page is wrong, accepted is [HOST:]PORT",
                         listen);
    snprintf(host, 256, "%.*s", (int)length, from);
    snprintf(port, 8, "%s", digits);
    if (!colon) snprintf(host, 256, "127.0.0.1");
    return ANN_OK;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* A socket that listens at one of the host's addresses. */
static ann_status listen_at(ann_coord_web *web, const char *listen_text, const struct addrinfo *address) {
    const int on = 1;
    web->listener = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (web->listener < 0 || setsockopt(web->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(web->listener, address->ai_addr, address->ai_addrlen) != 0 || listen(web->listener, 128) != 0)
        return ann_error(ANN_ERR_CONFIG, "the web page cannot listen at '%s': %s", listen_text,
                         strerror(errno));
    web->site.loopback = is_loopback(address->ai_addr);
    return ANN_OK;
}

static ann_status name_address(ann_coord_web *web) {
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(web->listener, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return ann_error(ANN_ERR_IO, "the web page's own address is not known: %s", strerror(errno));
    const bool six = bound.ss_family == AF_INET6;
    snprintf(web->address, sizeof web->address, "http://%s%.255s%s:%.8s/", six ? "[" : "", host,
             six ? "]" : "", port);
    return ANN_OK;
}

static ann_status open_socket(ann_coord_web *web, const char *listen) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char host[256], port[8];
    ANN_TRY(split_address(listen, host, port));
    const int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) return ann_error(ANN_ERR_CONFIG, "the web page's host '%s': %s", host, gai_strerror(code));
    const ann_status status = listen_at(web, listen, found);
    freeaddrinfo(found);
    ANN_TRY(status);
    return name_address(web);
}

/* ---- connections ---- */

static void on_connection(void *context, struct MHD_Connection *made, void **slot,
                          enum MHD_ConnectionNotificationCode what) {
    ann_coord_web *web = context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*slot) ((connection *)*slot)->socket = -1;
        return;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(made, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (int i = 0; info && i < MOST_CONNECTIONS; i++) {
        if (web->connections[i].socket >= 0) continue;
        web->connections[i] =
            (connection){info->connect_fd, ann_clock_ns() + REQUEST_S * INT64_C(1000000000)};
        *slot = &web->connections[i];
        return;
    }
}

static void on_answered(void *context, struct MHD_Connection *made, void **state,
                        enum MHD_RequestTerminationCode code) {
    (void)context;
    (void)state;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(made, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && info && info->socket_context)
        ((connection *)info->socket_context)->deadline_ns = ann_clock_ns() + REQUEST_S * INT64_C(1000000000);
}

/* Who sends or takes a byte now and then would stay for ever otherwise. MHD sees the end, and closes. */
static void cut_slow(ann_coord_web *web) {
    const int64_t now_ns = ann_clock_ns();
    for (int i = 0; i < MOST_CONNECTIONS; i++)
        if (web->connections[i].socket >= 0 && web->connections[i].deadline_ns < now_ns)
            shutdown(web->connections[i].socket, SHUT_RDWR);
}

/* Paths and arguments are taken as they stand: nothing that they may contain needs %. */
static size_t unescape_nothing(void *context, struct MHD_Connection *made, char *text) {
    (void)context;
    (void)made;
    return strlen(text);
}

static void log_line(void *context, const char *format, va_list args) ANN_PRINTF(2, 0);
static void log_line(void *context, const char *format, va_list args) {
    char line[256];
    (void)context;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    ann_log_line(ANN_LOG_DEBUG, "web page: %s", line);
}

/* ---- the thread ---- */

static void *serve(void *context) {
    ann_coord_web *web = context;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd polls[] = {{.fd = info->epoll_fd, .events = POLLIN},
                             {.fd = web->stop_event, .events = POLLIN}};
    while (!polls[1].revents) {
        MHD_UNSIGNED_LONG_LONG wait_ms = 1000;
        if (MHD_get_timeout(web->daemon, &wait_ms) != MHD_YES || wait_ms > 1000) wait_ms = 1000;
        if (poll(polls, 2, (int)wait_ms) < 0) polls[1].revents = 0;
        MHD_run(web->daemon);
        cut_slow(web);
    }
    return NULL;
}

static ann_status start_daemon(ann_coord_web *web) {
    web->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, anni_web_answer, &web->site,
        MHD_OPTION_EXTERNAL_LOGGER, log_line, web, MHD_OPTION_LISTEN_SOCKET, web->listener,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)MOST_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, web, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
        MHD_OPTION_NOTIFY_COMPLETED, on_answered, web, MHD_OPTION_END);
    if (!web->daemon)
        return ann_error(ANN_ERR_IO, "the web page's server does not start: %s", strerror(errno));
    web->listener = -1; /* the daemon's now */
    return ANN_OK;
}

static ann_status start(ann_coord_web *web, const char *dir, const char *listen) {
    ANN_TRY(anni_registry_open_reader(&web->site.reader, dir));
    ANN_TRY(open_socket(web, listen));
    web->stop_event = eventfd(0, EFD_CLOEXEC);
    if (web->stop_event < 0)
        return ann_error(ANN_ERR_IO, "the web page's server does not start: %s", strerror(errno));
    ANN_TRY(start_daemon(web));
    const int code = pthread_create(&web->thread, NULL, serve, web);
    if (code != 0)
        return ann_error(ANN_ERR_MEMORY, "the web page's thread does not start: %s", strerror(code));
    web->running = true;
    return ANN_OK;
}

ann_status ann_coord_web_start(ann_coord_web **out, const char *dir, const char *listen) {
    ann_coord_web *web = calloc(1, sizeof *web);
    *out = NULL;
    if (!web) return ann_error(ANN_ERR_MEMORY, "cannot allocate the web page's server");
    web->listener = web->stop_event = -1;
    for (int i = 0; i < MOST_CONNECTIONS; i++) web->connections[i].socket = -1;
    const ann_status status = start(web, dir, listen);
    if (status == ANN_OK) *out = web;
    else ann_coord_web_stop(web);
    return status;
}

const char *ann_coord_web_address(const ann_coord_web *web) { return web->address; }

void ann_coord_web_stop(ann_coord_web *web) {
    if (!web) return;
    if (web->running) {
        eventfd_write(web->stop_event, 1);
        pthread_join(web->thread, NULL);
    }
    if (web->daemon) MHD_stop_daemon(web->daemon);
    if (web->listener >= 0) close(web->listener);
    if (web->stop_event >= 0) close(web->stop_event);
    anni_registry_close(&web->site.reader);
    free(web);
}
