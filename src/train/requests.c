#include "train/requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ann_requests_add(ann_requests *r, const ann_request *request) {
    if (r->count == ANN_REQUESTS_MAX) {
        memmove(r->items, r->items + 1, (ANN_REQUESTS_MAX - 1) * sizeof *r->items);
        r->count--;
        r->dropped++;
    }
    r->items[r->count++] = *request;
}

/* An author has no character that YAML would need escaped. */
static void print(FILE *to, const ann_requests *r) {
    fprintf(to, "dropped: %" PRId64 "\nrequests:\n", r->dropped);
    for (int i = 0; i < r->count; i++) {
        const ann_control *c = &r->items[i].control;
        fprintf(to,
                "- {request: %s, value: %.17g, step: %" PRId64 ", author: \"%s\", asked_ms: %" PRId64 "}\n",
                ann_control_name(c->kind), c->value, r->items[i].step, c->author, c->asked_ms);
    }
}

ann_status ann_requests_save(ann_meta *meta, const ann_requests *requests) {
    char *text = NULL;
    size_t size;
    if (requests->count == 0) return ANN_OK;
    FILE *to = open_memstream(&text, &size);
    ann_status status = ANN_ERR_MEMORY;
    if (to) {
        print(to, requests);
        if (fclose(to) == 0 && text) status = ann_meta_set_str(meta, "requests", text);
    }
    free(text);
    return status == ANN_ERR_MEMORY ? ann_error(status, "no memory for the requests of a checkpoint")
                                    : status;
}

/* ---- reading ---- */

static bool read_kind(ann_control_kind *out, const ann_yaml_node *node) {
    const char *text;
    if (!node || ann_yaml_string(node, &text) != ANN_OK) return false;
    for (int k = 0; k < ANN_CONTROL_COUNT; k++) {
        *out = (ann_control_kind)k;
        if (strcmp(text, ann_control_name(*out)) == 0) return true;
    }
    return false;
}

static bool read_author(ann_control *c, const ann_yaml_node *node) {
    const char *text;
    if (!node || ann_yaml_string(node, &text) != ANN_OK) return false;
    return snprintf(c->author, sizeof c->author, "%s", text) < (int)sizeof c->author;
}

static bool read_int(int64_t *out, const ann_yaml_node *node) {
    return node && ann_yaml_int(node, out) == ANN_OK;
}

ann_status anni_request_read(ann_request *out, const ann_yaml_node *map) {
    ann_control *c = &out->control;
    const ann_yaml_node *value = ann_yaml_find(map, "value");
    *out = (ann_request){.step = 0};
    if (read_kind(&c->kind, ann_yaml_find(map, "request")) && value &&
        ann_yaml_real(value, &c->value) == ANN_OK && read_int(&out->step, ann_yaml_find(map, "step")) &&
        read_author(c, ann_yaml_find(map, "author")) &&
        read_int(&c->asked_ms, ann_yaml_find(map, "asked_ms")))
        return ANN_OK;
    return ann_error(ANN_ERR_FORMAT, "a request without kind, value, step, author or time");
}

static ann_status read_all(ann_requests *out, const ann_yaml_node *map) {
    const ann_yaml_node *list = ann_yaml_find(map, "requests");
    if (!read_int(&out->dropped, ann_yaml_find(map, "dropped")) || !list || list->kind != ANN_YAML_LIST ||
        list->count > ANN_REQUESTS_MAX)
        return ann_error(ANN_ERR_FORMAT, "the list of requests is made by another version");
    for (; out->count < list->count; out->count++)
        ANN_TRY(anni_request_read(&out->items[out->count], list->items[out->count]));
    return ANN_OK;
}

ann_status ann_requests_load(ann_requests *out, const ann_meta *meta) {
    const char *text;
    ann_yaml *yaml;
    *out = (ann_requests){.count = 0};
    const ann_status status = ann_meta_get_str(meta, "requests", &text);
    if (status == ANN_ERR_NOT_FOUND) ann_error_clear();
    if (status != ANN_OK) return status == ANN_ERR_NOT_FOUND ? ANN_OK : status;
    if (ann_yaml_parse(&yaml, "requests", text) != ANN_OK)
        return ann_error(ANN_ERR_FORMAT, "the list of requests is no YAML");
    const ann_status read = read_all(out, ann_yaml_root(yaml));
    ann_yaml_free(yaml);
    return read;
}
