#include "ckpt/json.h"

#include <string.h>
#include "ckpt/meta.h"

enum { DEPTH_MAX = 64 };

void anni_json_begin(anni_json *j, const char *source, const char *text, size_t bytes) {
    *j = (anni_json){.text = text, .bytes = bytes, .source = source};
}

static ann_status wrong(const anni_json *j, const char *expected) {
    return ann_error(ANN_ERR_FORMAT, "%s: byte %zu of its JSON text: expected %s", j->source, j->at,
                     expected);
}

/* The next character that is no blank, or -1 at the end. */
static int look(anni_json *j) {
    while (j->at < j->bytes && strchr(" \t\r\n", j->text[j->at]) && j->text[j->at]) j->at++;
    return j->at < j->bytes ? (unsigned char)j->text[j->at] : -1;
}

static ann_status expect(anni_json *j, char c, const char *name) {
    if (look(j) != c) return wrong(j, name);
    j->at++;
    return ANN_OK;
}

/* ---- strings ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind "\u". */
static ann_status hex4(anni_json *j, uint32_t *out) {
    if (j->bytes - j->at < 4) return wrong(j, "four hexadecimal digits");
    *out = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(j->text[j->at + (size_t)i]);
        if (digit < 0) return wrong(j, "four hexadecimal digits");
        *out = *out * 16 + (uint32_t)digit;
    }
    j->at += 4;
    return ANN_OK;
}

static size_t put_utf8(char *to, uint32_t code) {
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6) to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(lead[n] | code);
    return n;
}

/* A \u escape, or a pair of them; at most 4 bytes, from at least 6 of the text. */
static ann_status unicode(anni_json *j, char *to, size_t *n) {
    uint32_t code, low;
    ANN_TRY(hex4(j, &code));
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (j->bytes - j->at < 2 || j->text[j->at] != '\\' || j->text[j->at + 1] != 'u')
            return wrong(j, "the second half of a surrogate pair");
        j->at += 2;
        ANN_TRY(hex4(j, &low));
        if (low < 0xDC00 || low > 0xDFFF) return wrong(j, "the second half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code == 0 || (code >= 0xDC00 && code <= 0xDFFF)) return wrong(j, "a character");
    *n += put_utf8(to + *n, code);
    return ANN_OK;
}

static ann_status escape(anni_json *j, char *to, size_t *n) {
    static const char from[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (j->at >= j->bytes) return wrong(j, "the rest of an escape");
    const char c = j->text[j->at++];
    if (c == 'u') return unicode(j, to, n);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) return wrong(j, "an escape of JSON");
    to[(*n)++] = meaning[found - from];
    return ANN_OK;
}

/* Index of the closing quote of the string that starts behind `at`. */
static ann_status string_end(const anni_json *j, size_t *end) {
    for (*end = j->at; *end < j->bytes; (*end)++) {
        const unsigned char c = (unsigned char)j->text[*end];
        if (c == '"') return ANN_OK;
        if (c < 0x20) break;
        if (c == '\\') (*end)++;
    }
    return wrong(j, "the end of a string");
}

ann_status anni_json_string(anni_json *j, const char **out, ann_arena *arena) {
    size_t end, n = 0;
    ANN_TRY(expect(j, '"', "a string"));
    ANN_TRY(string_end(j, &end));
    char *to = ann_arena_alloc(arena, end - j->at + 1);
    if (!to) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its JSON text", j->source);
    while (j->at < end) {
        const char c = j->text[j->at++];
        if (c == '\\') ANN_TRY(escape(j, to, &n));
        else to[n++] = c;
    }
    if (j->at != end) return wrong(j, "the end of a string");
    j->at++;
    to[n] = '\0';
    if (!anni_utf8_valid(to, n)) return wrong(j, "UTF-8 before this");
    *out = to;
    return ANN_OK;
}

/* ---- objects and arrays ---- */

ann_status anni_json_object(anni_json *j) {
    j->first = true;
    return expect(j, '{', "an object");
}

ann_status anni_json_array(anni_json *j) {
    j->first = true;
    return expect(j, '[', "an array");
}

/* Goes to the next item, over a comma unless it is the first; false at the closing bracket, which is read. */
static ann_status next(anni_json *j, char close, bool *more) {
    const bool first = j->first;
    j->first = false;
    *more = look(j) != close;
    if (!*more) {
        j->at++;
        return ANN_OK;
    }
    return first ? ANN_OK : expect(j, ',', close == '}' ? "',' or '}'" : "',' or ']'");
}

ann_status anni_json_member(anni_json *j, const char **key, ann_arena *arena) {
    bool more;
    *key = NULL;
    ANN_TRY(next(j, '}', &more));
    if (!more) return ANN_OK;
    ANN_TRY(anni_json_string(j, key, arena));
    return expect(j, ':', "':'");
}

ann_status anni_json_element(anni_json *j, bool *more) { return next(j, ']', more); }

/* ---- numbers, anything ---- */

ann_status anni_json_count(anni_json *j, int64_t *out) {
    const int c = look(j);
    if (c < '0' || c > '9') return wrong(j, "a whole number");
    for (*out = 0; j->at < j->bytes && j->text[j->at] >= '0' && j->text[j->at] <= '9'; j->at++) {
        const int digit = j->text[j->at] - '0';
        if (*out > (INT64_MAX - digit) / 10) return wrong(j, "a smaller number");
        *out = *out * 10 + digit;
    }
    if (j->at < j->bytes && strchr(".eE", j->text[j->at]) && j->text[j->at])
        return wrong(j, "a whole number");
    return ANN_OK;
}

/* A string, without a copy. */
static ann_status skip_string(anni_json *j) {
    size_t end;
    j->at++;
    ANN_TRY(string_end(j, &end));
    j->at = end + 1;
    return ANN_OK;
}

/* Brackets are only counted: what is skipped needs to end, not to be right. */
ann_status anni_json_skip(anni_json *j) {
    int depth = 0;
    do {
        const int c = look(j);
        if (c < 0) return wrong(j, "a value");
        if (c == '"') {
            ANN_TRY(skip_string(j));
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) return wrong(j, "less nesting");
            j->at++;
        } else if (c == '}' || c == ']') {
            if (--depth < 0) return wrong(j, "a value");
            j->at++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            j->at++;
        } else {
            const size_t start = j->at;
            while (j->at < j->bytes && j->text[j->at] &&
                   strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", j->text[j->at]))
                j->at++;
            if (j->at == start) return wrong(j, "a value");
        }
    } while (depth > 0);
    return ANN_OK;
}

ann_status anni_json_end(anni_json *j) { return look(j) < 0 ? ANN_OK : wrong(j, "the end"); }
