/* A reader of JSON text that somebody else wrote: one pass, nothing is built, depth and lengths are limited.
   Errors are ANN_ERR_FORMAT and name the byte. Local. */
#ifndef ANN_CKPT_JSON_H
#define ANN_CKPT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

typedef struct anni_json {
    const char *text; /* borrowed; need not end in NUL */
    size_t bytes, at;
    const char *source; /* names the text in errors; borrowed */
    bool first;         /* of the object or array that was just entered */
} anni_json;

void anni_json_begin(anni_json *json, const char *source, const char *text, size_t bytes);

/* Enters an object; then each _member reads a key and its colon, until *key is NULL at the end. The key is a
   copy in the arena, valid UTF-8 without NUL. */
ann_status anni_json_object(anni_json *json) ANN_MUST_CHECK;
ann_status anni_json_member(anni_json *json, const char **key, ann_arena *arena) ANN_MUST_CHECK;
/* The same for arrays: *more says whether an element follows. */
ann_status anni_json_array(anni_json *json) ANN_MUST_CHECK;
ann_status anni_json_element(anni_json *json, bool *more) ANN_MUST_CHECK;

ann_status anni_json_string(anni_json *json, const char **out, ann_arena *arena) ANN_MUST_CHECK;
/* An integer from 0 to 2^63 - 1, without fraction or exponent. */
ann_status anni_json_count(anni_json *json, int64_t *out) ANN_MUST_CHECK;
/* Any value, at most 64 deep. */
ann_status anni_json_skip(anni_json *json) ANN_MUST_CHECK;
/* Nothing but blanks is left. */
ann_status anni_json_end(anni_json *json) ANN_MUST_CHECK;

#endif
