/* YAML documents with errors that a user can act on.

   A document is read whole into a tree; libfyaml does the parsing and is seen by yaml.c alone. Every error is
   one line "file:line:column: key: what is wrong, what is accepted" of status ANN_ERR_CONFIG. Anchors and
   aliases are resolved: an aliased node is a copy. Local throughout. */
#ifndef ANN_BASE_YAML_H
#define ANN_BASE_YAML_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

typedef struct ann_yaml ann_yaml;

typedef enum ann_yaml_kind { ANN_YAML_SCALAR, ANN_YAML_MAP, ANN_YAML_LIST } ann_yaml_kind;

typedef struct ann_yaml_node ann_yaml_node;
struct ann_yaml_node {
    ann_yaml_kind kind;
    bool quoted;        /* SCALAR: it is text even if it looks like a number */
    const char *path;   /* what errors call it: "phases[0].optimizer.lr"; "" at the root */
    const char *key;    /* in its map; NULL elsewhere */
    const char *text;   /* SCALAR; "" for an empty value; NULL elsewhere */
    const char *source; /* where it was written: the file, or "--set key=value" */
    int line, column;   /* of its key if it has one, from 1; 0 if it came from an override */
    int value_line, value_column;
    ann_yaml_node **items; /* MAP and LIST */
    int count;
};

/* Reads a file. Errors: ANN_ERR_CONFIG also when it cannot be read. Owner: the caller, ann_yaml_free. */
ann_status ann_yaml_load(ann_yaml **out, const char *path) ANN_MUST_CHECK;
/* Reads text; `source` stands where errors name the file. */
ann_status ann_yaml_parse(ann_yaml **out, const char *source, const char *text) ANN_MUST_CHECK;
void ann_yaml_free(ann_yaml *yaml);

const ann_yaml_node *ann_yaml_root(const ann_yaml *yaml);
/* The text that was read, with a comment line "# --set KEY=VALUE" for every override. */
const char *ann_yaml_text(const ann_yaml *yaml);

/* Replaces or adds the value at "key.path=value"; value is YAML. A part of the path is a key of a map; in a
   list, a number from 0 or the `name` of an item. Errors: ANN_ERR_CONFIG. */
ann_status ann_yaml_set(ann_yaml *yaml, const char *assignment) ANN_MUST_CHECK;

/* NULL if absent (or if `map` is no map). */
const ann_yaml_node *ann_yaml_find(const ann_yaml_node *map, const char *key);

/* The error of this node: "file:line:column: path: <fmt>". `key` says whether to point at the key or at the
 * value. */
#define ann_yaml_error(node, ...) anni_yaml_error((node), false, __FILE__, __LINE__, __VA_ARGS__)
#define ann_yaml_key_error(node, ...) anni_yaml_error((node), true, __FILE__, __LINE__, __VA_ARGS__)
ann_status anni_yaml_error(const ann_yaml_node *node, bool key, const char *file, int line, const char *fmt,
                           ...) ANN_PRINTF(5, 6);

/* Typed values. An integer is decimal, with '_' between digits if wanted; a number may have a fraction and an
   exponent; a truth value is true or false. Errors say what was found and what is accepted. */
ann_status ann_yaml_int(const ann_yaml_node *node, int64_t *out) ANN_MUST_CHECK;
ann_status ann_yaml_real(const ann_yaml_node *node, double *out) ANN_MUST_CHECK;
ann_status ann_yaml_bool(const ann_yaml_node *node, bool *out) ANN_MUST_CHECK;
ann_status ann_yaml_string(const ann_yaml_node *node,
                           const char **out) ANN_MUST_CHECK; /* borrowed; not empty */
ann_status ann_yaml_expect(const ann_yaml_node *node, ann_yaml_kind kind) ANN_MUST_CHECK;
/* "a number 'abc'", "a list" ...: what the node is, for error texts. Returns buf. */
char *ann_yaml_describe(char *buf, size_t size, const ann_yaml_node *node);

/* The word of words[0..n) nearest to `word` if it is near enough to be a slip of the pen, else NULL. */
const char *ann_nearest_word(const char *word, const char *const *words, int n);

#endif
