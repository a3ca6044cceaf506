#include "tensor/store.h"

#include <string.h>

/* Glob match of name against pattern[0..length): on a mismatch the last '*' takes one character more. */
static bool glob(const char *pattern, size_t length, const char *name) {
    size_t p = 0, n = 0, star = length, resume = 0;
    while (name[n]) {
        if (p < length && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < length && (pattern[p] == '?' || pattern[p] == name[n])) {
            p++;
            n++;
        } else if (star < length) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < length && pattern[p] == '*') p++;
    return p == length;
}

bool ann_name_matches(const char *pattern, const char *name) {
    bool matched = false;
    for (const char *p = pattern; *p;) {
        const size_t length = strcspn(p, ",");
        const char *first = p, *last = p + length;
        while (first < last && *first == ' ') first++;
        while (last > first && last[-1] == ' ') last--;
        const bool away = first < last && *first == '!';
        if (away) first++;
        if (first < last && glob(first, (size_t)(last - first), name)) {
            if (away) return false;
            matched = true;
        }
        p += length + (p[length] == ',');
    }
    return matched;
}
