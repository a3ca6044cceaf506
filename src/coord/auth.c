#include "coord/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "coord/names.h"

enum { MOST_FILE_BYTES = 1 << 20, PATH_BYTES = 4096 };

/* ---- files ---- */

static ann_status path_of(char path[PATH_BYTES], const char *dir, const char *prefix, const char *name) {
    if (snprintf(path, PATH_BYTES, "%s/%s%s", dir, prefix, name) < PATH_BYTES) return ANN_OK;
    return ann_error(ANN_ERR_ARG, "the path of the state is too long");
}

static ann_status open_file(FILE **out, const char *path) {
    *out = fopen(path, "re");
    if (*out) return ANN_OK;
    return ann_error(errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

ann_status anni_read_file(char **out, const char *dir, const char *name) {
    char path[PATH_BYTES];
    FILE *file;
    *out = NULL;
    ANN_TRY(path_of(path, dir, "", name));
    ANN_TRY(open_file(&file, path));
    char *text = malloc(MOST_FILE_BYTES + 1);
    const size_t bytes = text ? fread(text, 1, MOST_FILE_BYTES, file) : 0;
    const bool bad = text && (ferror(file) || bytes == MOST_FILE_BYTES);
    fclose(file);
    if (!text) return ann_error(ANN_ERR_MEMORY, "cannot allocate a file");
    if (bad) {
        free(text);
        return ann_error(ANN_ERR_IO, "%s cannot be read, or has more than %d bytes", path, MOST_FILE_BYTES);
    }
    text[bytes] = '\0';
    *out = text;
    return ANN_OK;
}

/* ---- tokens ---- */

ann_status anni_token_read(char token[ANNI_TOKEN_BYTES], const char *dir, const char *name) {
    char path[PATH_BYTES];
    struct stat info;
    FILE *file;
    ANN_TRY(path_of(path, dir, "token-", name));
    ANN_TRY(open_file(&file, path));
    const bool known = fstat(fileno(file), &info) == 0;
    const size_t bytes = fread(token, 1, ANNI_TOKEN_BYTES - 1, file);
    fclose(file);
    token[bytes] = '\0';
    if (!known || (info.st_mode & 077))
        return ann_error(ANN_ERR_CONFIG,
                         "%s may be read by others than its owner: chmod 600 it, and make a new token", path);
    if (bytes != ANNI_TOKEN_BYTES - 1 || strspn(token, "0123456789abcdef") != bytes)
        return ann_error(ANN_ERR_CONFIG, "%s holds no token of %d hexadecimal digits", path,
                         ANNI_TOKEN_BYTES - 1);
    return ANN_OK;
}

static ann_status make_token(char token[ANNI_TOKEN_BYTES], const char *dir, const char *name) {
    unsigned char random[(ANNI_TOKEN_BYTES - 1) / 2];
    char path[PATH_BYTES];
    ANN_TRY(path_of(path, dir, "token-", name));
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return ann_error(ANN_ERR_IO, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++) snprintf(token + 2 * i, 3, "%02x", random[i]);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    const bool good = dprintf(fd, "%s\n", token) == ANNI_TOKEN_BYTES && fsync(fd) == 0;
    close(fd);
    return good ? ANN_OK : ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

static ann_status open_token(char token[ANNI_TOKEN_BYTES], const char *dir, const char *name, bool make) {
    const ann_status status = anni_token_read(token, dir, name);
    if (status != ANN_ERR_NOT_FOUND) return status;
    ann_error_clear();
    token[0] = '\0';
    return make ? make_token(token, dir, name) : ANN_OK;
}

ann_status anni_tokens_open(anni_tokens *tokens, const char *dir, bool make) {
    ANN_TRY(open_token(tokens->control, dir, "control", make));
    return open_token(tokens->observe, dir, "observe", make);
}

/* In a time that does not depend on where they differ. */
static bool same_token(const char *token, const char *given, size_t bytes) {
    unsigned char differ = bytes != ANNI_TOKEN_BYTES - 1 || !token[0];
    for (size_t i = 0; i < ANNI_TOKEN_BYTES - 1 && i < bytes; i++)
        differ |= (unsigned char)(token[i] ^ given[i]);
    return !differ;
}

/* ---- callers ---- */

typedef enum role { NOBODY, OBSERVER, CONTROLLER } role;

/* The role that a verified certificate gives, and its holder's name. */
static role certificate_role(grpc_call *call, char *name, size_t size) {
    grpc_auth_context *context = grpc_call_auth_context(call);
    role found = NOBODY;
    if (!context) return NOBODY;
    grpc_auth_property_iterator it =
        grpc_auth_context_find_properties_by_name(context, GRPC_PEER_URI_PROPERTY_NAME);
    for (const grpc_auth_property *p; (p = grpc_auth_property_iterator_next(&it));) {
        if (strcmp(p->value, ANNI_ROLE_CONTROL) == 0) found = CONTROLLER;
        else if (strcmp(p->value, ANNI_ROLE_OBSERVE) == 0 && found == NOBODY) found = OBSERVER;
    }
    it = grpc_auth_context_find_properties_by_name(context, GRPC_X509_CN_PROPERTY_NAME);
    const grpc_auth_property *cn = grpc_auth_property_iterator_next(&it);
    snprintf(name, size, "%.100s", cn ? cn->value : "");
    grpc_auth_context_release(context);
    return found;
}

/* A header's value, "" if it is not there; *bytes of it. */
static const char *header(const grpc_metadata_array *metadata, const char *key, size_t *bytes) {
    for (size_t i = 0; i < metadata->count; i++)
        if (grpc_slice_str_cmp(metadata->metadata[i].key, key) == 0) {
            *bytes = GRPC_SLICE_LENGTH(metadata->metadata[i].value);
            return (const char *)GRPC_SLICE_START_PTR(metadata->metadata[i].value);
        }
    *bytes = 0;
    return "";
}

static role token_role(const grpc_metadata_array *metadata, const anni_tokens *tokens) {
    static const char scheme[] = "Bearer ";
    const size_t prefix = sizeof scheme - 1;
    size_t bytes;
    const char *value = header(metadata, "authorization", &bytes);
    if (bytes < prefix || memcmp(value, scheme, prefix) != 0) return NOBODY;
    if (same_token(tokens->control, value + prefix, bytes - prefix)) return CONTROLLER;
    return same_token(tokens->observe, value + prefix, bytes - prefix) ? OBSERVER : NOBODY;
}

/* Who a bearer of a token says he is; only certificates prove it. */
static void claimed_name(char *name, size_t size, const grpc_metadata_array *metadata) {
    size_t bytes;
    const char *value = header(metadata, "annulus-user", &bytes);
    char given[ANNI_NAME_BYTES + 1] = "";
    if (bytes < sizeof given) memcpy(given, value, bytes);
    if (bytes >= sizeof given || anni_name_check("user", given, false) != ANN_OK) {
        ann_error_clear();
        snprintf(given, sizeof given, "somebody");
    }
    snprintf(name, size, "%s by token", given);
}

ann_status anni_admit(anni_caller *caller, grpc_call *call, const grpc_metadata_array *metadata,
                      const anni_tokens *tokens, bool control) {
    char name[160];
    role who = certificate_role(call, name, sizeof name);
    if (who == NOBODY) {
        who = token_role(metadata, tokens);
        claimed_name(name, sizeof name, metadata);
    }
    if (who == NOBODY) {
        char *peer = grpc_call_get_peer(call);
        snprintf(caller->author, sizeof caller->author, "%.150s", peer ? peer : "unknown");
        gpr_free(peer);
        return ann_error(ANN_ERR_NOT_FOUND, "neither a certificate with a role nor a token that is known");
    }
    snprintf(caller->author, sizeof caller->author, "%s (%s)", name,
             who == CONTROLLER ? "control" : "observe");
    if (control && who != CONTROLLER) return ann_error(ANN_ERR_ARG, "this needs the role control");
    return ANN_OK;
}
