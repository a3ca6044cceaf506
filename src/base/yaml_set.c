#include "base/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct set_job {
    ann_yaml *yaml;
    const char *source; /* "--set key=value" */
    const char *rest;   /* of the key path, what is still to be followed */
} set_job;

/* Takes the next part of the path into buf: up to '.', '[' or ']'. False at the end. */
static bool next_part(set_job *o, char *buf, size_t size) {
    o->rest += strspn(o->rest, ".[]");
    const size_t length = strcspn(o->rest, ".[]");
    if (!length || length >= size) return false;
    memcpy(buf, o->rest, length);
    buf[length] = '\0';
    o->rest += length;
    return true;
}

static int find_item(const ann_yaml_node *list, const char *part) {
    char *end;
    const long index = strtol(part, &end, 10);
    if (!*end) return index >= 0 && index < list->count ? (int)index : -1;
    for (int i = 0; i < list->count; i++) {
        const ann_yaml_node *name = ann_yaml_find(list->items[i], "name");
        if (name && name->text && strcmp(name->text, part) == 0) return i;
    }
    return -1;
}

static int find_entry(const ann_yaml_node *map, const char *key) {
    for (int i = 0; i < map->count; i++)
        if (strcmp(map->items[i]->key, key) == 0) return i;
    return -1;
}

/* Steps from *at to its part `part`, adding an empty map where a key is missing. *slot is the place in the
 * parent. */
static ann_status descend(set_job *o, ann_yaml_node **at, ann_yaml_node ***slot, const char *part) {
    ann_yaml_node *parent = *at;
    if (parent->kind == ANN_YAML_LIST) {
        const int i = find_item(parent, part);
        if (i < 0)
            return ann_error(ANN_ERR_CONFIG,
                             "%s: %s has no item '%s', accepted are 0 to %d and the name of an item",
                             o->source, parent->path, part, parent->count - 1);
        *slot = &parent->items[i];
    } else if (parent->kind == ANN_YAML_MAP) {
        int i = find_entry(parent, part);
        if (i < 0) {
            ann_yaml_node *added;
            ANN_TRY(anni_yaml_node_new(&added, o->yaml, ANN_YAML_MAP, o->source, 0, 0));
            const char *key = ann_arena_strdup(o->yaml->arena, part);
            if (!key) return anni_yaml_memory();
            ANN_TRY(anni_yaml_append(o->yaml, parent, added));
            i = parent->count - 1;
            ANN_TRY(anni_yaml_name(o->yaml, parent, key, i, added));
        }
        *slot = &parent->items[i];
    } else {
        return ann_error(ANN_ERR_CONFIG, "%s: %s is a single value and has no key '%s'", o->source,
                         parent->path, part);
    }
    *at = **slot;
    return ANN_OK;
}

/* Puts `value` where *slot points, under the name and path that the node there had. */
static ann_status replace(set_job *o, ann_yaml_node **slot, ann_yaml_node *value) {
    const ann_yaml_node *old = *slot;
    value->key = old->key;
    value->path = old->path;
    *slot = value;
    for (int i = 0; i < value->count; i++)
        ANN_TRY(anni_yaml_name(o->yaml, value, value->items[i]->key, i, value->items[i]));
    return ANN_OK;
}

static ann_status read_value(ann_yaml_node **out, set_job *o, const char *text) {
    if (text[strspn(text, " ")]) return anni_yaml_read(out, o->yaml, o->source, text, true);
    ANN_TRY(anni_yaml_node_new(out, o->yaml, ANN_YAML_SCALAR, o->source, 0, 0));
    (*out)->text = "";
    return ANN_OK;
}

ann_status ann_yaml_set(ann_yaml *yaml, const char *assignment) {
    set_job o = {.yaml = yaml, .source = ann_arena_printf(yaml->arena, "--set %s", assignment)};
    if (!o.source) return anni_yaml_memory();
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return ann_error(ANN_ERR_CONFIG, "%s: accepted is key.path=value, such as seed=2", o.source);
    o.rest = ann_arena_printf(yaml->arena, "%.*s", (int)(equals - assignment), assignment);
    if (!o.rest) return anni_yaml_memory();
    ann_yaml_node *at = yaml->root, **slot = NULL, *value = NULL;
    char part[256];
    while (next_part(&o, part, sizeof part)) ANN_TRY(descend(&o, &at, &slot, part));
    if (!slot || *o.rest) return ann_error(ANN_ERR_CONFIG, "%s: '%s' is no key path", o.source, o.rest);
    ANN_TRY(read_value(&value, &o, equals + 1));
    ANN_TRY(replace(&o, slot, value));
    const size_t length = strlen(yaml->text);
    const char *newline = length && yaml->text[length - 1] != '\n' ? "\n" : "";
    yaml->text = ann_arena_printf(yaml->arena, "%s%s# %s\n", yaml->text, newline, o.source);
    return yaml->text ? ANN_OK : anni_yaml_memory();
}
