#include "ckpt/rename.h"

#include <stdio.h>
#include <string.h>

typedef struct captures {
    const char *start[ANN_RENAME_STARS];
    size_t bytes[ANN_RENAME_STARS];
    int count;
} captures;

static int stars_in(const char *text) {
    int n = 0;
    for (; *text; text++) n += *text == '*';
    return n;
}

bool ann_rename_is_good(const ann_rename *rule) {
    const int stars = stars_in(rule->from);
    return rule->from[0] && rule->to[0] && stars <= ANN_RENAME_STARS && stars_in(rule->to) <= stars;
}

/* Matches name whole; on a mismatch the last star takes one character more, as in ann_name_matches. */
static bool match(captures *c, const char *pattern, const char *name) {
    const char *resume_pattern = NULL, *resume_name = NULL;
    c->count = 0;
    int resume_count = 0;
    for (;;) {
        if (*pattern == '*') {
            c->start[c->count] = name;
            c->bytes[c->count++] = 0;
            resume_pattern = ++pattern;
            resume_name = name;
            resume_count = c->count;
        } else if (*pattern == *name) {
            if (!*name) return true;
            pattern++;
            name++;
        } else if (resume_pattern && *resume_name) {
            c->count = resume_count;
            c->bytes[c->count - 1]++;
            pattern = resume_pattern;
            name = ++resume_name;
        } else return false;
    }
}

static bool fill(char *out, size_t size, const char *to, const captures *c) {
    size_t n = 0;
    int star = 0;
    for (; *to; to++) {
        const bool taken = *to == '*';
        if (taken && star == c->count) return false; /* a rule that is not good */
        const size_t bytes = taken ? c->bytes[star] : 1;
        if (n + bytes >= size) return false;
        memcpy(out + n, taken ? c->start[star] : to, bytes);
        n += bytes;
        star += taken;
    }
    out[n] = '\0';
    return true;
}

bool ann_rename_apply(char *out, size_t size, const ann_rename *rules, int count, const char *name) {
    captures c;
    for (int i = 0; i < count; i++)
        if (match(&c, rules[i].from, name)) return fill(out, size, rules[i].to, &c);
    const int n = snprintf(out, size, "%s", name);
    return n >= 0 && (size_t)n < size;
}
