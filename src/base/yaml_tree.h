/* The tree behind base/yaml.h; shared by yaml*.c alone. */
#ifndef ANN_BASE_YAML_TREE_H
#define ANN_BASE_YAML_TREE_H

#include "base/mem.h"
#include "base/yaml.h"

struct ann_yaml {
    ann_arena *arena; /* nodes and strings */
    const char *source;
    ann_yaml_node *root;
    const char *text;
    int node_count;
};

ann_status anni_yaml_memory(void);
/* A node of `kind` at a place of the source; ANN_ERR_CONFIG when the document has too many. */
ann_status anni_yaml_node_new(ann_yaml_node **out, ann_yaml *yaml, ann_yaml_kind kind, const char *source,
                              int line, int column);
ann_status anni_yaml_append(ann_yaml *yaml, ann_yaml_node *parent, ann_yaml_node *item);
/* Gives node, which is `key` of (or, key NULL, item `index` of) parent, and all below it their paths. */
ann_status anni_yaml_name(ann_yaml *yaml, const ann_yaml_node *parent, const char *key, int index,
                          ann_yaml_node *node);
/* Parses text into a tree in yaml's arena. `line0`: true if nodes have no line of their own (overrides). */
ann_status anni_yaml_read(ann_yaml_node **out, ann_yaml *yaml, const char *source, const char *text,
                          bool line0);

#endif
