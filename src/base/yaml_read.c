#include "base/yaml_tree.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>
#include "base/yaml_guard.h"

#define MAX_DEPTH 48

typedef struct anchor {
    struct anchor *next;
    const char *name;
    const ann_yaml_node *node;
} anchor;

typedef struct reader {
    ann_yaml *yaml;
    const char *source;
    bool line0;
    int depth, line, column; /* of the last event that had a place */
    struct fy_parser *parser;
    anchor *anchors;
    char message[512]; /* libfyaml's first complaint, "<input>:line:column: error: text"; "" if there was none
                        */
} reader;

/* Collects what libfyaml would print: a complaint comes in several pieces, of which the first has all we
 * need. */
static void take_message(struct fy_diag *diag, void *user, const char *buf, size_t length) {
    (void)diag;
    reader *r = user;
    if (r->message[0]) return;
    if (length >= sizeof r->message) length = sizeof r->message - 1;
    memcpy(r->message, buf, length);
    r->message[length] = '\0';
}

static ann_status error_at(const reader *r, int line, int column, const char *text) {
    if (r->line0) return ann_error(ANN_ERR_CONFIG, "%s: not valid YAML: %s", r->source, text);
    return ann_error(ANN_ERR_CONFIG, "%s:%d:%d: not valid YAML: %s", r->source, line, column, text);
}

static ann_status syntax_error(reader *r) {
    int line = r->line, column = r->column;
    const char *text = "cannot be parsed", *place = strstr(r->message, ">:"),
               *error = strstr(r->message, "error: ");
    if (place && sscanf(place + 2, "%d:%d", &line, &column) != 2) line = column = 1;
    if (error) text = error + strlen("error: ");
    char copy[sizeof r->message];
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(text, "\n"), text);
    return error_at(r, line, column, copy);
}

/* The next event, or an error; *out is the caller's to free with fy_parser_event_free. */
static ann_status next_event(struct fy_event **out, reader *r) {
    *out = fy_parser_parse(r->parser);
    if (!*out) return syntax_error(r);
    const struct fy_mark *mark = fy_event_start_mark(*out);
    if (mark && mark->line >= 0) {
        r->line = mark->line + 1;
        r->column = mark->column + 1;
    }
    return ANN_OK;
}

static ann_status copy_token(const char **out, reader *r, struct fy_token *token) {
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : "";
    if (!text) text = "";
    *out = ann_arena_printf(r->yaml->arena, "%.*s", (int)length, text);
    return *out ? ANN_OK : anni_yaml_memory();
}

static ann_status keep_anchor(reader *r, struct fy_token *token, const ann_yaml_node *node) {
    if (!token) return ANN_OK;
    anchor *a = ann_arena_alloc(r->yaml->arena, sizeof *a);
    if (!a) return anni_yaml_memory();
    ANN_TRY(copy_token(&a->name, r, token));
    a->node = node;
    a->next = r->anchors;
    r->anchors = a;
    return ANN_OK;
}

static ann_status copy_tree(ann_yaml_node **out, reader *r, const ann_yaml_node *from) {
    ANN_TRY(anni_yaml_node_new(out, r->yaml, from->kind, from->source, from->line, from->column));
    ann_yaml_node *node = *out;
    node->quoted = from->quoted;
    node->text = from->text;
    node->key = from->key;
    node->value_line = from->value_line;
    node->value_column = from->value_column;
    for (int i = 0; i < from->count; i++) {
        ann_yaml_node *item;
        ANN_TRY(copy_tree(&item, r, from->items[i]));
        ANN_TRY(anni_yaml_append(r->yaml, node, item));
    }
    return ANN_OK;
}

static ann_status read_alias(ann_yaml_node **out, reader *r, const struct fy_event *event) {
    const char *name;
    ANN_TRY(copy_token(&name, r, event->alias.anchor));
    for (const anchor *a = r->anchors; a; a = a->next)
        if (strcmp(a->name, name) == 0) return copy_tree(out, r, a->node);
    char text[128];
    snprintf(text, sizeof text, "no anchor &%s stands before this alias", name);
    return error_at(r, r->line, r->column, text);
}

static ann_status read_value(ann_yaml_node **out, reader *r, struct fy_event *event);

/* Reads events up to the end of the map or list `node`. */
static ann_status read_items(reader *r, ann_yaml_node *node);

static ann_status add_map_entry(reader *r, ann_yaml_node *map, const struct fy_event *event) {
    if (event->type != FYET_SCALAR) return error_at(r, r->line, r->column, "a key must be a word");
    const char *key;
    ANN_TRY(copy_token(&key, r, event->scalar.value));
    const int line = r->line, column = r->column;
    const ann_yaml_node *twin = ann_yaml_find(map, key);
    if (twin) {
        ann_yaml_node here = *twin;
        here.line = r->line0 ? 0 : line;
        here.column = column;
        ANN_TRY(anni_yaml_name(r->yaml, map, key, 0, &here));
        return ann_yaml_key_error(&here, "the key is given twice, first in line %d", twin->line);
    }
    struct fy_event *value_event;
    ANN_TRY(next_event(&value_event, r));
    ann_yaml_node *value = NULL;
    const ann_status status = read_value(&value, r, value_event);
    fy_parser_event_free(r->parser, value_event);
    if (status != ANN_OK) return status;
    value->key = key;
    value->line = r->line0 ? 0 : line;
    value->column = column;
    return anni_yaml_append(r->yaml, map, value);
}

static ann_status add_item(reader *r, ann_yaml_node *node, struct fy_event *event) {
    if (node->kind == ANN_YAML_MAP) return add_map_entry(r, node, event);
    ann_yaml_node *item = NULL;
    ANN_TRY(read_value(&item, r, event));
    return anni_yaml_append(r->yaml, node, item);
}

static ann_status read_items(reader *r, ann_yaml_node *node) {
    if (++r->depth > MAX_DEPTH) return error_at(r, r->line, r->column, "maps and lists are nested too deep");
    for (;;) {
        struct fy_event *event;
        ANN_TRY(next_event(&event, r));
        const bool end = event->type == FYET_MAPPING_END || event->type == FYET_SEQUENCE_END;
        const ann_status status = end ? ANN_OK : add_item(r, node, event);
        fy_parser_event_free(r->parser, event);
        if (status != ANN_OK) return status;
        if (end) break;
    }
    r->depth--;
    return ANN_OK;
}

static ann_status read_value(ann_yaml_node **out, reader *r, struct fy_event *event) {
    const int line = r->line0 ? 0 : r->line;
    if (event->type == FYET_ALIAS) return read_alias(out, r, event);
    if (event->type == FYET_SCALAR) {
        ANN_TRY(anni_yaml_node_new(out, r->yaml, ANN_YAML_SCALAR, r->source, line, r->column));
        struct fy_token *token = event->scalar.value;
        const enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
        (*out)->quoted = style != FYSS_PLAIN;
        if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
            (*out)->value_column--; /* libfyaml's mark stands behind the quote */
        ANN_TRY(copy_token(&(*out)->text, r, token));
        return keep_anchor(r, event->scalar.anchor, *out);
    }
    if (event->type != FYET_MAPPING_START && event->type != FYET_SEQUENCE_START)
        return error_at(r, r->line, r->column, "a value is missing");
    const bool map = event->type == FYET_MAPPING_START;
    struct fy_token *name = map ? event->mapping_start.anchor : event->sequence_start.anchor;
    ANN_TRY(anni_yaml_node_new(out, r->yaml, map ? ANN_YAML_MAP : ANN_YAML_LIST, r->source, line, r->column));
    ANN_TRY(read_items(r, *out));
    return keep_anchor(r, name, *out);
}

/* stream start, document start, one value, document end, stream end */
static ann_status read_document(ann_yaml_node **out, reader *r) {
    *out = NULL;
    for (;;) {
        struct fy_event *event;
        ANN_TRY(next_event(&event, r));
        const enum fy_event_type type = event->type;
        ann_status status = ANN_OK;
        if (type == FYET_DOCUMENT_START && *out)
            status = error_at(r, r->line, r->column, "a second document starts here; one is accepted");
        else if (type != FYET_STREAM_START && type != FYET_STREAM_END && type != FYET_DOCUMENT_START &&
                 type != FYET_DOCUMENT_END)
            status = read_value(out, r, event);
        fy_parser_event_free(r->parser, event);
        if (status != ANN_OK || type == FYET_STREAM_END) return status;
    }
}

static ann_status name_all(reader *r, ann_yaml_node *root) {
    for (int i = 0; i < root->count; i++)
        ANN_TRY(anni_yaml_name(r->yaml, root, root->items[i]->key, i, root->items[i]));
    return ANN_OK;
}

ann_status anni_yaml_read(ann_yaml_node **out, ann_yaml *yaml, const char *source, const char *text,
                          bool line0) {
    reader r = {.yaml = yaml, .source = source, .line0 = line0, .line = 1, .column = 1};
    const char *wrong = anni_yaml_guard(&r.line, &r.column, text, strlen(text));
    if (wrong) return error_at(&r, r.line, r.column, wrong);
    r.line = r.column = 1;
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    diag_config.output_fn = take_message;
    diag_config.user = &r;
    diag_config.level = FYET_ERROR;
    diag_config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    const struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    r.parser = diag ? fy_parser_create(&config) : NULL;
    ann_status status =
        r.parser && fy_parser_set_string(r.parser, text, strlen(text)) == 0 ? ANN_OK : anni_yaml_memory();
    if (status == ANN_OK) status = read_document(out, &r);
    if (status == ANN_OK && !*out) status = error_at(&r, 1, 1, "the document is empty");
    if (status == ANN_OK) status = name_all(&r, *out);
    if (r.parser) fy_parser_destroy(r.parser);
    if (diag) fy_diag_destroy(diag);
    return status;
}
