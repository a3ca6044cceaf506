#include "coord/web_answer.h"

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "coord/names.h"
#include "coord/web_json.h"
#include "web_assets.h"

enum { MOST_JSON_BYTES = 8 << 20, DEFAULT_RECORDS = 500 };

static const char *const common_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
     " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned code, const char *type,
                                     struct MHD_Response *response) {
    enum MHD_Result good = response ? MHD_YES : MHD_NO;
    if (!response) return good;
    for (size_t i = 0; i < sizeof common_headers / sizeof common_headers[0]; i++)
        if (good == MHD_YES)
            good = MHD_add_response_header(response, common_headers[i][0], common_headers[i][1]);
    if (good == MHD_YES) good = MHD_add_response_header(response, "Content-Type", type);
    if (good == MHD_YES && code == MHD_HTTP_METHOD_NOT_ALLOWED)
        good = MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (good == MHD_YES) good = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return good;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, const char *text) {
    return send_response(
        connection, code, "text/plain; charset=utf-8",
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY));
}

/* ---- requests ---- */

/* The host that was asked for, without a port, is a loopback name. */
static bool host_is_loopback(const char *header) {
    char host[64];
    const char *bracket = strchr(header, ']');
    const size_t length = bracket ? (size_t)(bracket - header) + 1 : strcspn(header, ":");
    if (length >= sizeof host) return false;
    memcpy(host, header, length);
    host[length] = '\0';
    return anni_is_loopback(host);
}

/* An argument that is a whole number; `otherwise` if it is not there. */
static bool argument(struct MHD_Connection *connection, const char *name, uint64_t otherwise, uint64_t max,
                     uint64_t *out) {
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
    *out = otherwise;
    if (!text) return true;
    const size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length) return false;
    *out = strtoull(text, NULL, 10);
    return *out >= 1 && *out <= max;
}

static ann_status read_range(struct MHD_Connection *connection, anni_web_range *range) {
    uint64_t most;
    const char *only = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "only");
    if (only && strcmp(only, "events") != 0) return ann_error(ANN_ERR_ARG, "only: accepted is events");
    range->only_events = only != NULL;
    if (!argument(connection, "from", 1, INT64_MAX / 2, &range->from) ||
        !argument(connection, "most", DEFAULT_RECORDS, ANNI_WEB_MOST_RECORDS, &most) ||
        !argument(connection, "every", 1, INT64_MAX / 4, &range->every))
        return ann_error(ANN_ERR_ARG, "from, most and every are numbers from 1 on, most at most %d",
                         ANNI_WEB_MOST_RECORDS);
    range->most = (int)most;
    return ANN_OK;
}

/* The part of the path behind "/api/runs/": NAME or NAME/records. */
static ann_status write_run(anni_json *j, anni_registry *r, struct MHD_Connection *connection,
                            const char *rest) {
    char name[ANNI_NAME_BYTES + 2];
    anni_web_range range;
    const size_t length = strcspn(rest, "/");
    if (length >= sizeof name) return ann_error(ANN_ERR_ARG, "the name of a run is too long");
    memcpy(name, rest, length);
    name[length] = '\0';
    ANN_TRY(anni_name_check("run", name, false));
    if (rest[length] == '\0') return anni_web_run(j, r, name);
    if (strcmp(rest + length, "/records") != 0) return ann_error(ANN_ERR_NOT_FOUND, "there is no such page");
    ANN_TRY(read_range(connection, &range));
    return anni_web_records(j, r, name, &range);
}

/* All reading in one transaction, so that what is in an answer fits together. */
static ann_status write_json(anni_json *j, anni_registry *r, struct MHD_Connection *connection,
                             const char *path) {
    static const char prefix[] = "/api/runs/";
    ANN_TRY(anni_db_run(r->db, "BEGIN", ""));
    ann_status status;
    if (strcmp(path, "/api/runs") == 0) status = anni_web_runs(j, r);
    else if (strncmp(path, prefix, sizeof prefix - 1) == 0)
        status = write_run(j, r, connection, path + sizeof prefix - 1);
    else status = ann_error(ANN_ERR_NOT_FOUND, "there is no such page");
    anni_db_roll_back(r->db);
    return status;
}

static enum MHD_Result send_failure(struct MHD_Connection *connection, ann_status status) {
    switch (status) {
    case ANN_ERR_ARG: return send_text(connection, MHD_HTTP_BAD_REQUEST, ann_error_text());
    case ANN_ERR_NOT_FOUND: return send_text(connection, MHD_HTTP_NOT_FOUND, ann_error_text());
    default:
        ann_log_line(ANN_LOG_WARN, "web page: %s", ann_error_text());
        return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the registry cannot be read now");
    }
}

static enum MHD_Result send_json(anni_web_site *site, struct MHD_Connection *connection, const char *path) {
    anni_json json;
    anni_json_init(&json, MOST_JSON_BYTES);
    const ann_status status = write_json(&json, &site->reader, connection, path);
    if (status != ANN_OK) {
        anni_json_fini(&json);
        return send_failure(connection, status);
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(json.size, json.text, MHD_RESPMEM_MUST_FREE);
    if (!response) anni_json_fini(&json);
    return send_response(connection, MHD_HTTP_OK, "application/json", response);
}

static const anni_web_asset *find_asset(const char *path) {
    if (strcmp(path, "/") == 0) path = "/index.html";
    for (size_t i = 0; i < sizeof anni_web_assets / sizeof anni_web_assets[0]; i++)
        if (path[0] == '/' && strcmp(anni_web_assets[i].name, path + 1) == 0) return &anni_web_assets[i];
    return NULL;
}

static const char *asset_type(const char *name) {
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"}};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(ending, types[i][0]) == 0) return types[i][1];
    return "application/octet-stream";
}

static bool has_body(struct MHD_Connection *connection) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

enum MHD_Result anni_web_answer(void *site, struct MHD_Connection *connection, const char *path,
                                const char *method, const char *version, const char *body, size_t *body_bytes,
                                void **state) {
    static char seen;
    anni_web_site *where = site;
    (void)version;
    (void)body;
    *body_bytes = 0; /* of a body nothing is kept */
    const anni_web_asset *asset = find_asset(path);
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (where->loopback && (!host || !host_is_loopback(host)))
        return send_text(connection, MHD_HTTP_FORBIDDEN, "Host must be localhost or a loopback address");
    if (!asset && strcmp(path, "/api/runs") != 0 && strncmp(path, "/api/runs/", 10) != 0)
        return send_text(connection, MHD_HTTP_NOT_FOUND, "there is no such page");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "this page can only be read: GET and HEAD");
    if (has_body(connection))
        return send_text(connection, MHD_HTTP_BAD_REQUEST, "a request must have no body");
    if (!*state) { /* libmicrohttpd calls again when the request is complete */
        *state = &seen;
        return MHD_YES;
    }
    if (!asset) return send_json(where, connection, path);
    return send_response(connection, MHD_HTTP_OK, asset_type(asset->name),
                         MHD_create_response_from_buffer(asset->size, (void *)(uintptr_t)asset->bytes,
                                                         MHD_RESPMEM_PERSISTENT));
}
