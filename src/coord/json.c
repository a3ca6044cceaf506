#include "coord/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

void anni_json_init(anni_json *j, size_t most) { *j = (anni_json){.most = most}; }

void anni_json_fini(anni_json *j) {
    free(j->text);
    *j = (anni_json){0};
}

static bool grow(anni_json *j, size_t bytes) {
    if (j->status != ANN_OK) return false;
    if (bytes > j->most - j->size) {
        j->status = ann_error(ANN_ERR_MEMORY, "an answer is longer than %zu bytes", j->most);
        return false;
    }
    if (j->size + bytes <= j->room) return true;
    size_t room = j->room ? j->room : 1024;
    while (room < j->size + bytes) room *= 2;
    char *text = realloc(j->text, room);
    if (!text) {
        j->status = ann_error(ANN_ERR_MEMORY, "cannot allocate %zu bytes for an answer", room);
        return false;
    }
    j->text = text;
    j->room = room;
    return true;
}

static void put(anni_json *j, const char *bytes, size_t size) {
    if (!grow(j, size)) return;
    memcpy(j->text + j->size, bytes, size);
    j->size += size;
}

/* What stands between a value and the one before it. */
static void separate(anni_json *j) {
    if (j->comma) put(j, ",", 1);
    j->comma = true;
}

void anni_json_open(anni_json *j, char bracket) {
    separate(j);
    put(j, &bracket, 1);
    j->comma = false;
}

void anni_json_close(anni_json *j, char bracket) {
    put(j, &bracket, 1);
    j->comma = true;
}

/* One character at s, of n bytes, n = 0 for a byte that is not UTF-8. */
static void put_character(anni_json *j, const char *s, int n) {
    char escaped[8];
    const unsigned char c = (unsigned char)s[0];
    const bool line_end = n == 3 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0);
    if (n == 0) put(j, "\\ufffd", 6);
    else if (line_end) put(j, s[2] == '\xa8' ? "\\u2028" : "\\u2029", 6);
    else if (n > 1 || (c >= 0x20 && c < 0x7f && !strchr("\"\\<>&'", c))) put(j, s, (size_t)n);
    else put(j, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
}

static void put_string(anni_json *j, const char *text) {
    put(j, "\"", 1);
    while (*text) {
        const int n = ann_utf8_bytes((const unsigned char *)text);
        put_character(j, text, n);
        text += n ? n : 1;
    }
    put(j, "\"", 1);
}

void anni_json_key(anni_json *j, const char *key) {
    separate(j);
    put_string(j, key);
    put(j, ":", 1);
    j->comma = false;
}

/* A value that is plain characters. */
static void put_value(anni_json *j, const char *key, const char *value) {
    if (key) anni_json_key(j, key);
    separate(j);
    put(j, value, strlen(value));
}

void anni_json_text(anni_json *j, const char *key, const char *value) {
    if (key) anni_json_key(j, key);
    separate(j);
    put_string(j, value);
}

void anni_json_int(anni_json *j, const char *key, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    put_value(j, key, digits);
}

void anni_json_number(anni_json *j, const char *key, double value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.9g", value);
    put_value(j, key, isfinite(value) ? digits : "null");
}

void anni_json_bool(anni_json *j, const char *key, bool value) {
    put_value(j, key, value ? "true" : "false");
}
void anni_json_null(anni_json *j, const char *key) { put_value(j, key, "null"); }
