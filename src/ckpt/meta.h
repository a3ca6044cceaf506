/* The inside of ann_meta, for the manifest. */
#ifndef ANN_CKPT_META_H
#define ANN_CKPT_META_H

#include <stdbool.h>
#include "ckpt/ckpt.h"

typedef enum anni_meta_kind { ANNI_META_I64, ANNI_META_F64, ANNI_META_STR } anni_meta_kind;

typedef struct anni_meta_entry {
    char *key;
    anni_meta_kind kind;
    int64_t i64;
    double f64;
    char *str;
} anni_meta_entry;

struct ann_meta {
    anni_meta_entry *entries; /* in order of their first setting */
    int count, capacity;
};

/* A copy of `meta`. Owner of *out: the caller, ann_meta_free. */
ann_status anni_meta_copy(ann_meta **out, const ann_meta *meta) ANN_MUST_CHECK;

/* Whether text[0..bytes) is valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool anni_utf8_valid(const char *text, size_t bytes);

#endif
