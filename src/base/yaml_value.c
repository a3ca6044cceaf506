#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 60 /* of a value in an error text */

char *ann_yaml_describe(char *buf, size_t size, const ann_yaml_node *node) {
    if (node->kind == ANN_YAML_MAP) snprintf(buf, size, "a map");
    else if (node->kind == ANN_YAML_LIST) snprintf(buf, size, "a list");
    else if (!node->text[0] && !node->quoted) snprintf(buf, size, "nothing");
    else
        snprintf(buf, size, "'%.*s%s'", SHOWN_BYTES, node->text,
                 strlen(node->text) > SHOWN_BYTES ? "..." : "");
    return buf;
}

static ann_status wrong_type(const ann_yaml_node *node, const char *accepted) {
    char found[128];
    return ann_yaml_error(node, "found %s, accepted is %s", ann_yaml_describe(found, sizeof found, node),
                          accepted);
}

ann_status ann_yaml_expect(const ann_yaml_node *node, ann_yaml_kind kind) {
    static const char *const names[] = {
        [ANN_YAML_SCALAR] = "a single value", [ANN_YAML_MAP] = "a map", [ANN_YAML_LIST] = "a list"};
    return node->kind == kind ? ANN_OK : wrong_type(node, names[kind]);
}

/* Copies the number's text without the '_' between digits; false if it cannot be a number. */
static bool number_text(char *buf, size_t size, const ann_yaml_node *node) {
    if (node->kind != ANN_YAML_SCALAR || node->quoted) return false;
    size_t used = 0;
    for (const char *p = node->text; *p; p++) {
        const bool separator =
            *p == '_' && p > node->text && isdigit((unsigned char)p[-1]) && isdigit((unsigned char)p[1]);
        if (separator) continue;
        if (!strchr("0123456789+-.eE", *p) || used + 1 >= size) return false;
        buf[used++] = *p;
    }
    buf[used] = '\0';
    return used > 0;
}

ann_status ann_yaml_int(const ann_yaml_node *node, int64_t *out) {
    char text[64], *end = text;
    errno = 0;
    const long long value = number_text(text, sizeof text, node) ? strtoll(text, &end, 10) : 0;
    if (end == text || *end) return wrong_type(node, "an integer");
    if (errno == ERANGE) return wrong_type(node, "an integer of 64 bits");
    *out = value;
    return ANN_OK;
}

ann_status ann_yaml_real(const ann_yaml_node *node, double *out) {
    char text[64], *end = text;
    const double value = number_text(text, sizeof text, node) ? strtod(text, &end) : 0;
    if (end == text || *end || !isfinite(value)) return wrong_type(node, "a number");
    *out = value;
    return ANN_OK;
}

ann_status ann_yaml_bool(const ann_yaml_node *node, bool *out) {
    const bool plain = node->kind == ANN_YAML_SCALAR && !node->quoted;
    *out = plain && strcmp(node->text, "true") == 0;
    if (*out || (plain && strcmp(node->text, "false") == 0)) return ANN_OK;
    return wrong_type(node, "true or false");
}

ann_status ann_yaml_string(const ann_yaml_node *node, const char **out) {
    if (node->kind != ANN_YAML_SCALAR || !node->text[0]) return wrong_type(node, "a text");
    *out = node->text;
    return ANN_OK;
}

/* ---- near words ---- */

#define MAX_WORD 40

static int min_int(int a, int b) { return a < b ? a : b; }

/* Edits (insert, delete, change, swap of neighbours) between two words: Damerau (1964), restricted. */
static int edit_distance(const char *a, const char *b) {
    const int m = (int)strlen(a), n = (int)strlen(b);
    if (m > MAX_WORD || n > MAX_WORD) return MAX_WORD;
    int d[MAX_WORD + 1][MAX_WORD + 1];
    for (int i = 0; i <= m; i++)
        for (int j = 0; j <= n; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            const int change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = min_int(change, min_int(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = min_int(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[m][n];
}

const char *ann_nearest_word(const char *word, const char *const *words, int n) {
    const char *best = NULL;
    int best_distance =
        min_int(3, 1 + (int)strlen(word) / 4) + 1; /* at most one slip in four letters, and three */
    for (int i = 0; i < n; i++) {
        const int distance = edit_distance(word, words[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = words[i];
        }
    }
    return best;
}
