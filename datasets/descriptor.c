#include "datasets/descriptor.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- the keys of each op ---- */

typedef enum key_type { KEY_INT, KEY_REAL, KEY_RANGE, KEY_BORDER } key_type;

typedef struct key {
    ann_transform_kind kind;
    const char *name;
    key_type type;
    size_t offset;
    double dflt; /* of INT, REAL and BORDER; a RANGE must be given */
} key;

#define AT(field) offsetof(ann_transform_op, field)
static const key keys[] = {
    {ANN_TRANSFORM_TEXTURE, "level", KEY_RANGE, AT(level), 0},
    {ANN_TRANSFORM_TEXTURE, "background", KEY_REAL, AT(background), 0},
    {ANN_TRANSFORM_TEXTURE, "edge", KEY_REAL, AT(edge), 0.1},
    {ANN_TRANSFORM_TEXTURE, "cell", KEY_REAL, AT(cell), 8},
    {ANN_TRANSFORM_TEXTURE, "octaves", KEY_INT, AT(octaves), 3},
    {ANN_TRANSFORM_BLUR, "sigma", KEY_RANGE, AT(sigma), 0},
    {ANN_TRANSFORM_BRIGHTNESS, "factor", KEY_RANGE, AT(factor), 0},
    {ANN_TRANSFORM_ROTATE, "degrees", KEY_RANGE, AT(degrees), 0},
    {ANN_TRANSFORM_ROTATE, "border", KEY_BORDER, AT(border), ANN_BORDER_FILL},
    {ANN_TRANSFORM_ROTATE, "fill", KEY_REAL, AT(fill), 0},
};
#undef AT
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static const char *const borders[] = {"fill", "edge", "reflect"}; /* as ann_border counts them */
enum { BORDERS = sizeof borders / sizeof borders[0] };

/* ---- unknown words ---- */

static ann_status unknown(const ann_yaml_node *node, const char *what, const char *const *names, int n) {
    const char *nearest = ann_nearest_word(node->key, names, n);
    char all[256] = "none";
    size_t used = 0;
    for (int i = 0; i < n && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", names[i]);
    if (nearest) return ann_yaml_key_error(node, "unknown %s, did you mean '%s'?", what, nearest);
    return ann_yaml_key_error(node, "unknown %s, accepted are: %s", what, all);
}

/* ---- values ---- */

static ann_status read_range(double out[2], const ann_yaml_node *node) {
    if (node->kind != ANN_YAML_LIST) {
        ANN_TRY(ann_yaml_real(node, &out[0]));
        out[1] = out[0];
        return ANN_OK;
    }
    if (node->count != 2) return ann_yaml_error(node, "accepted is a number, or two [low, high]");
    for (int i = 0; i < 2; i++) ANN_TRY(ann_yaml_real(node->items[i], &out[i]));
    return out[0] <= out[1]
               ? ANN_OK
               : ann_yaml_error(node, "%.15g is above %.15g, accepted is [low, high]", out[0], out[1]);
}

static ann_status read_border(ann_border *out, const ann_yaml_node *node) {
    const char *word;
    ANN_TRY(ann_yaml_string(node, &word));
    for (int i = 0; i < BORDERS; i++) {
        *out = (ann_border)i;
        if (strcmp(word, borders[i]) == 0) return ANN_OK;
    }
    return ann_yaml_error(node, "found '%s', accepted are fill, edge, reflect", word);
}

static ann_status read_key(ann_transform_op *op, const key *k, const ann_yaml_node *node) {
    void *field = (char *)op + k->offset;
    switch (k->type) {
    case KEY_INT: return ann_yaml_int(node, field);
    case KEY_REAL: return ann_yaml_real(node, field);
    case KEY_RANGE: return read_range(field, node);
    default: return read_border(field, node);
    }
}

static ann_status read_absent(ann_transform_op *op, const key *k, const ann_yaml_node *map) {
    void *field = (char *)op + k->offset;
    if (k->type == KEY_RANGE)
        return ann_yaml_key_error(map, "the key '%s' is missing, accepted is a number, or two [low, high]",
                                  k->name);
    if (k->type == KEY_INT) *(int64_t *)field = (int64_t)k->dflt;
    if (k->type == KEY_REAL) *(double *)field = k->dflt;
    if (k->type == KEY_BORDER) *(ann_border *)field = (ann_border)k->dflt;
    return ANN_OK;
}

/* ---- ops ---- */

static ann_status find_kind(ann_transform_kind *out, const ann_yaml_node *node) {
    const char *names[ANN_TRANSFORM_KIND_COUNT];
    for (int k = 0; k < ANN_TRANSFORM_KIND_COUNT; k++) {
        *out = (ann_transform_kind)k;
        names[k] = ann_transform_kind_name(*out);
        if (strcmp(names[k], node->key) == 0) return ANN_OK;
    }
    return unknown(node, "op", names, ANN_TRANSFORM_KIND_COUNT);
}

static ann_status check_keys(ann_transform_kind kind, const ann_yaml_node *map) {
    const char *names[KEY_COUNT];
    int n = 0;
    for (int k = 0; k < KEY_COUNT; k++)
        if (keys[k].kind == kind) names[n++] = keys[k].name;
    for (int i = 0; i < map->count; i++) {
        bool known = false;
        for (int k = 0; k < n; k++) known = known || strcmp(names[k], map->items[i]->key) == 0;
        if (!known) return unknown(map->items[i], "key", names, n);
    }
    return ANN_OK;
}

static ann_status read_op(ann_transform_op *op, const ann_yaml_node *item) {
    ANN_TRY(ann_yaml_expect(item, ANN_YAML_MAP));
    if (item->count != 1) return ann_yaml_error(item, "an op is a map of one kind, such as blur: {sigma: 1}");
    const ann_yaml_node *map = item->items[0];
    ANN_TRY(find_kind(&op->kind, map));
    ANN_TRY(ann_yaml_expect(map, ANN_YAML_MAP));
    ANN_TRY(check_keys(op->kind, map));
    for (int k = 0; k < KEY_COUNT; k++) {
        if (keys[k].kind != op->kind) continue;
        const ann_yaml_node *node = ann_yaml_find(map, keys[k].name);
        ANN_TRY(node ? read_key(op, &keys[k], node) : read_absent(op, &keys[k], map));
    }
    return ANN_OK;
}

static ann_status read_ops(anni_descriptor *d, const ann_yaml_node *root) {
    const ann_yaml_node *list = ann_yaml_find(root, "transform");
    if (!list) return ann_yaml_key_error(root, "the key 'transform' is missing, accepted is a list of ops");
    ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    if (list->count < 1 || list->count > ANN_TRANSFORM_MAX_OPS)
        return ann_yaml_error(list, "has %d ops, accepted are 1 to %d", list->count, ANN_TRANSFORM_MAX_OPS);
    for (int i = 0; i < list->count; i++) ANN_TRY(read_op(&d->ops[i], list->items[i]));
    d->op_count = list->count;
    return ANN_OK;
}

/* ---- the whole ---- */

static ann_status read_root(anni_descriptor *d) {
    static const char *const names[] = {"name", "seed", "transform"};
    const ann_yaml_node *root = ann_yaml_root(d->yaml);
    ANN_TRY(ann_yaml_expect(root, ANN_YAML_MAP));
    for (int i = 0; i < root->count; i++) {
        bool known = false;
        for (int k = 0; k < 3; k++) known = known || strcmp(names[k], root->items[i]->key) == 0;
        if (!known) return unknown(root->items[i], "key", names, 3);
    }
    const ann_yaml_node *name = ann_yaml_find(root, "name"), *seed = ann_yaml_find(root, "seed");
    int64_t number = 0;
    if (name) ANN_TRY(ann_yaml_string(name, &d->name));
    if (seed) ANN_TRY(ann_yaml_int(seed, &number));
    if (number < 0) return ann_yaml_error(seed, "is negative, accepted is an integer from 0 on");
    d->seed = (uint64_t)number;
    return read_ops(d, root);
}

ann_status anni_descriptor_read(anni_descriptor *out, const char *path) {
    *out = (anni_descriptor){0};
    ANN_TRY(ann_yaml_load(&out->yaml, path));
    return read_root(out);
}

void anni_descriptor_fini(anni_descriptor *descriptor) {
    ann_yaml_free(descriptor->yaml);
    descriptor->yaml = NULL;
}
