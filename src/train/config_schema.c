#include "train/config_schema.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef enum key_type {
    KEY_INT,
    KEY_REAL,
    KEY_BOOL,
    KEY_TEXT,
    KEY_NAME,
    KEY_WORD,
    KEY_PAIR,
    KEY_RANGE,
    KEY_MAP,
    KEY_ITEMS
} key_type;

typedef struct key_spec {
    section_id section;
    const char *name;
    key_type type;
    size_t offset, bytes; /* of the field */
    const char *dflt;
    double min, max;
    const char *words, *doc;
} key_spec;

typedef struct section_spec {
    const char *path, *doc;
} section_spec;

static const section_spec sections[SECTION_COUNT] = {
#define ANN_SECTION(ID, type, path, doc) [SECTION_##ID] = {path, doc},
#define ANN_KEY(ID, key, type, field, dflt, min, max, words, doc)
#include "train/config.def"
#undef ANN_SECTION
#undef ANN_KEY
};

/* The struct of each section, for offsetof. */
#define ANN_SECTION(ID, type, path, doc) typedef type section_struct_##ID;
#define ANN_KEY(ID, key, type, field, dflt, min, max, words, doc)
#include "train/config.def"
#undef ANN_SECTION
#undef ANN_KEY

static const key_spec keys[] = {
#define ANN_SECTION(ID, type, path, doc)
#define ANN_KEY(ID, key, type, field, dflt, min, max, words, doc)                                            \
    {SECTION_##ID,                                                                                           \
     #key,                                                                                                   \
     KEY_##type,                                                                                             \
     offsetof(section_struct_##ID, field),                                                                   \
     sizeof(((section_struct_##ID *)0)->field),                                                              \
     dflt,                                                                                                   \
     min,                                                                                                    \
     max,                                                                                                    \
     words,                                                                                                  \
     doc},
#include "train/config.def"
#undef ANN_SECTION
#undef ANN_KEY
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

const char *anni_config_section_path(section_id section) { return sections[section].path; }

/* ---- words ---- */

/* Index of `word` in "one|two|three", or -1. */
static int word_index(const char *words, const char *word) {
    const size_t length = strlen(word);
    int index = 0;
    for (const char *p = words;; p++, index++) {
        const size_t n = strcspn(p, "|");
        if (n == length && strncmp(p, word, n) == 0) return index;
        p += n;
        if (!*p) return -1;
    }
}

/* Copies word number `index` of words into buf; false if there is none. */
static bool word_at(char *buf, size_t size, const char *words, int index) {
    for (const char *p = words; *p; index--) {
        const size_t n = strcspn(p, "|");
        if (index == 0) {
            snprintf(buf, size, "%.*s", (int)n, p);
            return true;
        }
        p += n + (p[n] == '|');
    }
    return false;
}

const char *anni_config_word(section_id section, const char *key, int index) {
    static _Thread_local char word[32];
    for (int i = 0; i < KEY_COUNT; i++)
        if (keys[i].section == section && strcmp(keys[i].name, key) == 0 &&
            word_at(word, sizeof word, keys[i].words, index))
            return word;
    return "?";
}

/* "an integer from 1 to 10": for errors and for the reference. Returns buf. */
static char *accepted_text(char *buf, size_t size, const key_spec *k) {
    size_t used = 0;
    switch (k->type) {
    case KEY_INT: snprintf(buf, size, "an integer from %.0f to %.0f", k->min, k->max); break;
    case KEY_REAL: snprintf(buf, size, "a number from %.15g to %.15g", k->min, k->max); break;
    case KEY_BOOL: snprintf(buf, size, "true or false"); break;
    case KEY_TEXT: snprintf(buf, size, "a text"); break;
    case KEY_NAME: snprintf(buf, size, "a name of letters, digits, '-', '_' and '.'"); break;
    case KEY_WORD:
        for (const char *p = k->words; *p && used + 3 < size; p++) {
            if (*p == '|') buf[used++] = ',';
            buf[used++] = *p == '|' ? ' ' : *p;
        }
        buf[used] = '\0';
        break;
    case KEY_PAIR: snprintf(buf, size, "an integer from %.0f to %.0f, or two [h, w]", k->min, k->max); break;
    case KEY_RANGE:
        snprintf(buf, size, "a number from %.15g to %.15g, or two [low, high]", k->min, k->max);
        break;
    case KEY_MAP: snprintf(buf, size, "a map, see %s", k->words); break;
    case KEY_ITEMS: snprintf(buf, size, "a %s", k->words); break;
    }
    return buf;
}

/* ---- values ---- */

static ann_status out_of_range(const key_spec *k, const ann_yaml_node *node) {
    char accepted[160], found[128];
    return ann_yaml_error(node, "%s is out of range, accepted is %s",
                          ann_yaml_describe(found, sizeof found, node),
                          accepted_text(accepted, sizeof accepted, k));
}

static ann_status wrong_value(const key_spec *k, const ann_yaml_node *node) {
    char accepted[160], found[128];
    return ann_yaml_error(node, "found %s, accepted is %s", ann_yaml_describe(found, sizeof found, node),
                          accepted_text(accepted, sizeof accepted, k));
}

static ann_status get_int(int64_t *out, const key_spec *k, const ann_yaml_node *node) {
    if (ann_yaml_int(node, out) != ANN_OK) return wrong_value(k, node);
    if ((double)*out < k->min || (double)*out > k->max) return out_of_range(k, node);
    return ANN_OK;
}

static ann_status get_real(double *out, const key_spec *k, const ann_yaml_node *node) {
    if (ann_yaml_real(node, out) != ANN_OK) return wrong_value(k, node);
    return *out < k->min || *out > k->max ? out_of_range(k, node) : ANN_OK;
}

static ann_status get_name(const char **out, const key_spec *k, const ann_yaml_node *node) {
    if (ann_yaml_string(node, out) != ANN_OK) return wrong_value(k, node);
    bool good = **out != '.' && strlen(*out) <= 100;
    for (const char *p = *out; *p; p++) good = good && (isalnum((unsigned char)*p) || strchr("-_.", *p));
    return good ? ANN_OK : wrong_value(k, node);
}

static ann_status get_word(int64_t *out, const key_spec *k, const ann_yaml_node *node) {
    const char *word;
    if (ann_yaml_string(node, &word) != ANN_OK) return wrong_value(k, node);
    *out = word_index(k->words, word);
    return *out >= 0 ? ANN_OK : wrong_value(k, node);
}

static ann_status get_pair(int64_t out[2], const key_spec *k, const ann_yaml_node *node) {
    if (node->kind == ANN_YAML_MAP || (node->kind == ANN_YAML_LIST && node->count != 2))
        return wrong_value(k, node);
    ANN_TRY(get_int(&out[0], k, node->kind == ANN_YAML_LIST ? node->items[0] : node));
    return get_int(&out[1], k, node->kind == ANN_YAML_LIST ? node->items[1] : node);
}

static ann_status get_range(double out[2], const key_spec *k, const ann_yaml_node *node) {
    if (node->kind == ANN_YAML_MAP || (node->kind == ANN_YAML_LIST && node->count != 2))
        return wrong_value(k, node);
    ANN_TRY(get_real(&out[0], k, node->kind == ANN_YAML_LIST ? node->items[0] : node));
    ANN_TRY(get_real(&out[1], k, node->kind == ANN_YAML_LIST ? node->items[1] : node));
    if (out[0] <= out[1]) return ANN_OK;
    return ann_yaml_error(node, "%.15g is above %.15g, accepted is [low, high]", out[0], out[1]);
}

/* Integers, words and truth values are stored in the width of their field. */
static void store_int(void *field, size_t bytes, int64_t value) {
    if (bytes == sizeof(int64_t)) memcpy(field, &value, sizeof value);
    else if (bytes == sizeof(int32_t)) memcpy(field, &(int32_t){(int32_t)value}, sizeof(int32_t));
    else memcpy(field, &(bool){value != 0}, sizeof(bool));
}

static ann_status read_key(const key_spec *k, const ann_yaml_node *node, void *base) {
    char *field = (char *)base + k->offset;
    int64_t number = 0;
    bool truth = false;
    switch (k->type) {
    case KEY_INT:
        ANN_TRY(get_int(&number, k, node));
        store_int(field, k->bytes, number);
        return ANN_OK;
    case KEY_WORD:
        ANN_TRY(get_word(&number, k, node));
        store_int(field, k->bytes, number);
        return ANN_OK;
    case KEY_BOOL:
        ANN_TRY(ann_yaml_bool(node, &truth));
        store_int(field, k->bytes, truth);
        return ANN_OK;
    case KEY_REAL: return get_real((double *)(void *)field, k, node);
    case KEY_PAIR: return get_pair((int64_t *)(void *)field, k, node);
    case KEY_RANGE: return get_range((double *)(void *)field, k, node);
    case KEY_TEXT: return ann_yaml_string(node, (const char **)(void *)field);
    case KEY_NAME: return get_name((const char **)(void *)field, k, node);
    case KEY_MAP:
        for (int s = 0; s < SECTION_COUNT; s++)
            if (strcmp(sections[s].path, k->words) == 0)
                return anni_config_section((section_id)s, node, base);
        return ann_error(ANN_ERR_INTERNAL, "config.def names no section '%s'", k->words);
    case KEY_ITEMS: break;
    }
    return ANN_OK;
}

/* ---- maps ---- */

static ann_status unknown_key(section_id section, const ann_yaml_node *node) {
    const char *names[KEY_COUNT];
    char all[512] = "none";
    size_t used = 0;
    int n = 0;
    for (int i = 0; i < KEY_COUNT; i++) {
        if (keys[i].section != section) continue;
        names[n++] = keys[i].name;
        const int wrote = snprintf(all + used, sizeof all - used, "%s%s", n > 1 ? ", " : "", keys[i].name);
        if (wrote > 0 && used + (size_t)wrote < sizeof all) used += (size_t)wrote;
    }
    const char *nearest = ann_nearest_word(node->key, names, n);
    if (nearest) return ann_yaml_key_error(node, "unknown key, did you mean '%s'?", nearest);
    return ann_yaml_key_error(node, "unknown key, accepted are: %s", all);
}

static const key_spec *find_key(section_id section, const char *name) {
    for (int i = 0; i < KEY_COUNT; i++)
        if (keys[i].section == section && strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

static bool is_nothing(const ann_yaml_node *node) {
    return node->kind == ANN_YAML_SCALAR && !node->quoted && !node->text[0];
}

static ann_status missing_key(const key_spec *k, const ann_yaml_node *map) {
    char accepted[160];
    return ann_yaml_key_error(map, "the key '%s' is missing, accepted is %s", k->name,
                              accepted_text(accepted, sizeof accepted, k));
}

ann_status anni_config_require(section_id section, const char *key, const ann_yaml_node *map) {
    return ann_yaml_find(map, key) ? ANN_OK : missing_key(find_key(section, key), map);
}

/* The key is not there: its default, if it has one. */
static ann_status read_absent(const key_spec *k, const ann_yaml_node *map, void *base) {
    if (k->type == KEY_MAP && k->dflt) return read_key(k, NULL, base);
    if (k->type == KEY_RANGE && k->dflt) {
        double *range = (double *)(void *)((char *)base + k->offset);
        if (sscanf(k->dflt, "[%lf, %lf]", &range[0], &range[1]) == 2) return ANN_OK;
        return ann_error(ANN_ERR_INTERNAL, "config.def: %s is no range", k->dflt);
    }
    if (k->dflt && k->dflt[0]) {
        const ann_yaml_node value = {
            .kind = ANN_YAML_SCALAR, .path = k->name, .text = k->dflt, .source = "config.def"};
        return read_key(k, &value, base);
    }
    if (k->dflt || !map) return ANN_OK;
    return missing_key(k, map);
}

ann_status anni_config_section(section_id section, const ann_yaml_node *map, void *base) {
    ann_yaml_node empty;
    if (map && is_nothing(map)) {
        empty = *map;
        empty.kind = ANN_YAML_MAP;
        map = &empty;
    }
    if (map) ANN_TRY(ann_yaml_expect(map, ANN_YAML_MAP));
    for (int i = 0; map && i < map->count; i++)
        if (!find_key(section, map->items[i]->key)) return unknown_key(section, map->items[i]);
    for (int i = 0; i < KEY_COUNT; i++) {
        if (keys[i].section != section) continue;
        const ann_yaml_node *node = map ? ann_yaml_find(map, keys[i].name) : NULL;
        if (node) ANN_TRY(read_key(&keys[i], node, base));
        else ANN_TRY(read_absent(&keys[i], map, base));
    }
    return ANN_OK;
}

/* ---- writing ---- */

static void write_value(FILE *out, const key_spec *k, const void *base) {
    const char *field = (const char *)base + k->offset;
    if (k->type == KEY_REAL) fprintf(out, " %s %.17g", k->name, *(const double *)(const void *)field);
    if (k->type == KEY_PAIR) {
        const int64_t *pair = (const int64_t *)(const void *)field;
        fprintf(out, " %s %lldx%lld", k->name, (long long)pair[0], (long long)pair[1]);
    }
    if (k->type == KEY_NAME || k->type == KEY_TEXT) {
        const char *text = *(const char *const *)(const void *)field;
        fprintf(out, " %s %s", k->name, text ? text : "-");
    }
    if (k->type == KEY_INT || k->type == KEY_WORD || k->type == KEY_BOOL) {
        int64_t value = 0;
        memcpy(&value, field, k->bytes); /* little-endian */
        fprintf(out, " %s %lld", k->name, (long long)value);
    }
}

void anni_config_write(FILE *out, section_id section, const void *base) {
    for (int i = 0; i < KEY_COUNT; i++)
        if (keys[i].section == section) write_value(out, &keys[i], base);
}

/* ---- the reference ---- */

static void print_key(const key_spec *k, void (*print)(void *to, const char *line), void *to) {
    char accepted[160], dflt[64] = "", line[512];
    if (!k->dflt) snprintf(dflt, sizeof dflt, "required");
    else if (k->dflt[0]) snprintf(dflt, sizeof dflt, "default %s", k->dflt);
    else snprintf(dflt, sizeof dflt, "optional");
    snprintf(line, sizeof line, "  %-14s %s (%s; %s)", k->name, k->doc,
             accepted_text(accepted, sizeof accepted, k), dflt);
    print(to, line);
}

void ann_run_config_reference(void (*print)(void *to, const char *line), void *to) {
    char line[256];
    for (int s = 0; s < SECTION_COUNT; s++) {
        if (s == SECTION_METHOD_SPARSE) print(to, "Methods (phases[].method, a map of one):");
        if (s == SECTION_DENSE) print(to, "Layers (items of models.BLOCK, each a map of one kind):");
        if (s == SECTION_AUGMENT_FLIP)
            print(to, "Augmentation (items of phases[].augment, each a map of one kind):");
        snprintf(line, sizeof line, "%s: %s", s == SECTION_RUN ? "top level" : sections[s].path,
                 sections[s].doc);
        print(to, line);
        for (int i = 0; i < KEY_COUNT; i++)
            if ((int)keys[i].section == s) print_key(&keys[i], print, to);
    }
}
