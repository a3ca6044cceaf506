#include "agent_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/yaml.h"

note *note_new(note_kind kind, const char *text, const char *path) {
    struct timespec now;
    note *n = calloc(1, sizeof *n);
    if (!n) return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    n->kind = kind;
    n->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    n->text = strdup(text);
    n->path = path ? strdup(path) : NULL;
    if (n->text && (!path || n->path)) return n;
    note_free(n);
    return NULL;
}

void note_free(note *n) {
    if (!n) return;
    free(n->text);
    free(n->path);
    free(n);
}

/* ---- metrics ---- */

static bool is_place(const char *key, note_metric *m, const ann_yaml_node *node) {
    const char *text;
    if (strcmp(key, "phase") == 0 || strcmp(key, "stage") == 0) {
        char *to = key[0] == 'p' ? m->phase : m->stage;
        if (ann_yaml_string(node, &text) == ANN_OK) (void)snprintf(to, sizeof m->phase, "%s", text);
        return true;
    }
    if (strcmp(key, "step") == 0) return ann_yaml_int(node, &m->message.step) == ANN_OK;
    if (strcmp(key, "epoch") == 0) return ann_yaml_real(node, &m->message.epoch) == ANN_OK;
    return strcmp(key, "position") == 0;
}

static void add_value(note_metric *m, const char *key, const ann_yaml_node *node) {
    double value;
    const size_t at = m->message.n_values;
    if (at == sizeof m->values / sizeof m->values[0] || node->kind != ANN_YAML_SCALAR ||
        strcmp(node->text, "null") == 0 || ann_yaml_real(node, &value) != ANN_OK)
        return;
    (void)snprintf(m->names[at], sizeof m->names[at], "%s", key);
    annulus__v1__value__init(&m->values[at]);
    m->values[at].name = m->names[at];
    m->values[at].value = value;
    m->pointers[at] = &m->values[at];
    m->message.n_values++;
}

static bool read_line(note_metric *m, const ann_yaml_node *map) {
    if (ann_yaml_expect(map, ANN_YAML_MAP) != ANN_OK || ann_yaml_find(map, "event")) return false;
    for (int i = 0; i < map->count; i++)
        if (!is_place(map->items[i]->key, m, map->items[i])) add_value(m, map->items[i]->key, map->items[i]);
    return m->phase[0] && m->message.n_values > 0;
}

bool note_metric_of(note_metric *out, const note *n) {
    ann_yaml *yaml;
    memset(out, 0, sizeof *out);
    annulus__v1__metric__init(&out->message);
    out->message.time_ms = n->time_ms;
    out->message.phase = out->phase;
    out->message.stage = out->stage;
    out->message.values = out->pointers;
    if (ann_yaml_parse(&yaml, "metrics.jsonl", n->text) != ANN_OK) return false;
    const bool good = read_line(out, ann_yaml_root(yaml));
    ann_yaml_free(yaml);
    return good;
}
