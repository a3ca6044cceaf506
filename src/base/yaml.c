#include "base/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES 20000
#define MAX_FILE_BYTES ((size_t)4 << 20)

ann_status anni_yaml_memory(void) {
    return ann_error(ANN_ERR_MEMORY, "out of memory while reading a YAML document");
}

/* ---- the tree ---- */

ann_status anni_yaml_node_new(ann_yaml_node **out, ann_yaml *yaml, ann_yaml_kind kind, const char *source,
                              int line, int column) {
    if (++yaml->node_count > MAX_NODES)
        return ann_error(ANN_ERR_CONFIG,
                         "%s:%d:%d: the document has more than %d values (aliases counted each time)", source,
                         line, column, MAX_NODES);
    ann_yaml_node *node = ann_arena_alloc(yaml->arena, sizeof *node);
    if (!node) return anni_yaml_memory();
    *node = (ann_yaml_node){.kind = kind,
                            .path = "",
                            .source = source,
                            .line = line,
                            .column = column,
                            .value_line = line,
                            .value_column = column};
    *out = node;
    return ANN_OK;
}

ann_status anni_yaml_append(ann_yaml *yaml, ann_yaml_node *parent, ann_yaml_node *item) {
    const int n = parent->count;
    if ((n & (n - 1)) == 0) { /* full at 0, 1, 2, 4, 8 ... */
        ann_yaml_node **larger =
            ann_arena_alloc(yaml->arena, (size_t)(n ? 2 * n : 1) * sizeof(ann_yaml_node *));
        if (!larger) return anni_yaml_memory();
        if (n) memcpy(larger, parent->items, (size_t)n * sizeof(ann_yaml_node *));
        parent->items = larger;
    }
    parent->items[parent->count++] = item;
    return ANN_OK;
}

ann_status anni_yaml_name(ann_yaml *yaml, const ann_yaml_node *parent, const char *key, int index,
                          ann_yaml_node *node) {
    node->key = key;
    if (!key) node->path = ann_arena_printf(yaml->arena, "%s[%d]", parent->path, index);
    else if (!parent->path[0]) node->path = key;
    else node->path = ann_arena_printf(yaml->arena, "%s.%s", parent->path, key);
    if (!node->path) return anni_yaml_memory();
    for (int i = 0; i < node->count; i++)
        ANN_TRY(anni_yaml_name(yaml, node, node->items[i]->key, i, node->items[i]));
    return ANN_OK;
}

/* ---- documents ---- */

static ann_status fill(ann_yaml *yaml, const char *source, const char *text) {
    yaml->source = ann_arena_strdup(yaml->arena, source);
    yaml->text = ann_arena_strdup(yaml->arena, text);
    if (!yaml->source || !yaml->text) return anni_yaml_memory();
    return anni_yaml_read(&yaml->root, yaml, yaml->source, yaml->text, false);
}

ann_status ann_yaml_parse(ann_yaml **out, const char *source, const char *text) {
    *out = NULL;
    ann_yaml *yaml = calloc(1, sizeof *yaml);
    if (!yaml) return anni_yaml_memory();
    ann_status status = ann_arena_new(&yaml->arena);
    if (status == ANN_OK) status = fill(yaml, source, text);
    if (status != ANN_OK) {
        ann_yaml_free(yaml);
        return status;
    }
    *out = yaml;
    return ANN_OK;
}

/* Reads the whole file into *out (NUL-terminated; the caller frees it). */
static ann_status read_file(char **out, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return ann_error(ANN_ERR_CONFIG, "%s: cannot be opened: %s", path, strerror(errno));
    char *text = malloc(MAX_FILE_BYTES + 1);
    const size_t bytes = text ? fread(text, 1, MAX_FILE_BYTES + 1, file) : 0;
    ann_status status = ANN_OK;
    if (!text) status = anni_yaml_memory();
    else if (ferror(file))
        status = ann_error(ANN_ERR_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
    else if (bytes > MAX_FILE_BYTES)
        status = ann_error(ANN_ERR_CONFIG, "%s: is larger than %zu bytes, too large for YAML by hand", path,
                           MAX_FILE_BYTES);
    else if (memchr(text, '\0', bytes)) status = ann_error(ANN_ERR_CONFIG, "%s: is not a text file", path);
    fclose(file);
    if (status != ANN_OK) {
        free(text);
        return status;
    }
    text[bytes] = '\0';
    *out = text;
    return ANN_OK;
}

ann_status ann_yaml_load(ann_yaml **out, const char *path) {
    *out = NULL;
    char *text = NULL;
    ANN_TRY(read_file(&text, path));
    const ann_status status = ann_yaml_parse(out, path, text);
    free(text);
    return status;
}

void ann_yaml_free(ann_yaml *yaml) {
    if (!yaml) return;
    ann_arena_free(yaml->arena);
    free(yaml);
}

const ann_yaml_node *ann_yaml_root(const ann_yaml *yaml) { return yaml->root; }
const char *ann_yaml_text(const ann_yaml *yaml) { return yaml->text; }

const ann_yaml_node *ann_yaml_find(const ann_yaml_node *map, const char *key) {
    if (map->kind != ANN_YAML_MAP) return NULL;
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->items[i]->key, key) == 0) return map->items[i];
    return NULL;
}

ann_status anni_yaml_error(const ann_yaml_node *node, bool key, const char *file, int line, const char *fmt,
                           ...) {
    char text[768], place[32] = "";
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) text[0] = '\0';
    va_end(args);
    if (node->line > 0)
        snprintf(place, sizeof place, ":%d:%d", key ? node->line : node->value_line,
                 key ? node->column : node->value_column);
    return anni_error_set(ANN_ERR_CONFIG, file, line, "%s%s: %s%s%s", node->source, place, node->path,
                          node->path[0] ? ": " : "", text);
}
