#include "ckpt/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ann_status out_of_memory(void) {
    return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's metadata");
}

ann_status ann_meta_new(ann_meta **out) {
    *out = calloc(1, sizeof **out);
    return *out ? ANN_OK : out_of_memory();
}

void ann_meta_free(ann_meta *meta) {
    if (!meta) return;
    for (int i = 0; i < meta->count; i++) {
        free(meta->entries[i].key);
        free(meta->entries[i].str);
    }
    free(meta->entries);
    free(meta);
}

/* The length of the UTF-8 sequence at p (1..4), 0 if it is not one. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80) return 1;
    const size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n > left) return 0;
    uint32_t code = p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < least[n] || code > 0x10FFFF || surrogate ? 0 : n;
}

bool anni_utf8_valid(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes;) {
        const size_t n = utf8_length((const unsigned char *)text + i, bytes - i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

static anni_meta_entry *find(const ann_meta *meta, const char *key) {
    for (int i = 0; i < meta->count; i++)
        if (strcmp(meta->entries[i].key, key) == 0) return &meta->entries[i];
    return NULL;
}

static ann_status reserve(ann_meta *meta) {
    if (meta->count < meta->capacity) return ANN_OK;
    const int capacity = meta->capacity ? 2 * meta->capacity : 16;
    anni_meta_entry *moved = realloc(meta->entries, (size_t)capacity * sizeof *moved);
    if (!moved) return out_of_memory();
    meta->entries = moved;
    meta->capacity = capacity;
    return ANN_OK;
}

/* The entry of that key, made if need be, without a value. */
static ann_status touch(anni_meta_entry **out, ann_meta *meta, const char *key) {
    *out = find(meta, key);
    if (*out) {
        free((*out)->str);
        (*out)->str = NULL;
        return ANN_OK;
    }
    if (!key[0] || !anni_utf8_valid(key, strlen(key)))
        return ann_error(ANN_ERR_ARG, "a metadata key must be UTF-8 text and not empty");
    ANN_TRY(reserve(meta));
    char *copy = strdup(key);
    if (!copy) return out_of_memory();
    *out = &meta->entries[meta->count++];
    **out = (anni_meta_entry){.key = copy};
    return ANN_OK;
}

ann_status ann_meta_set_i64(ann_meta *meta, const char *key, int64_t value) {
    anni_meta_entry *entry;
    ANN_TRY(touch(&entry, meta, key));
    entry->kind = ANNI_META_I64;
    entry->i64 = value;
    return ANN_OK;
}

ann_status ann_meta_set_f64(ann_meta *meta, const char *key, double value) {
    anni_meta_entry *entry;
    ANN_TRY(touch(&entry, meta, key));
    entry->kind = ANNI_META_F64;
    entry->f64 = value;
    return ANN_OK;
}

ann_status ann_meta_set_str(ann_meta *meta, const char *key, const char *value) {
    if (!anni_utf8_valid(value, strlen(value)))
        return ann_error(ANN_ERR_ARG, "metadata \"%s\": the text is not UTF-8", key);
    char *copy = strdup(value);
    if (!copy) return out_of_memory();
    anni_meta_entry *entry;
    const ann_status status = touch(&entry, meta, key);
    if (status != ANN_OK) {
        free(copy);
        return status;
    }
    entry->kind = ANNI_META_STR;
    entry->str = copy;
    return ANN_OK;
}

static ann_status get(const anni_meta_entry **out, const ann_meta *meta, const char *key,
                      anni_meta_kind kind) {
    static const char *const kind_name[] = {"an integer", "a real number", "text"};
    *out = find(meta, key);
    if (!*out) return ann_error(ANN_ERR_NOT_FOUND, "the checkpoint has no metadata \"%s\"", key);
    if ((*out)->kind != kind)
        return ann_error(ANN_ERR_FORMAT, "metadata \"%s\" is %s, not %s", key, kind_name[(*out)->kind],
                         kind_name[kind]);
    return ANN_OK;
}

ann_status ann_meta_get_i64(const ann_meta *meta, const char *key, int64_t *value) {
    const anni_meta_entry *entry;
    ANN_TRY(get(&entry, meta, key, ANNI_META_I64));
    *value = entry->i64;
    return ANN_OK;
}

ann_status ann_meta_get_f64(const ann_meta *meta, const char *key, double *value) {
    const anni_meta_entry *entry;
    ANN_TRY(get(&entry, meta, key, ANNI_META_F64));
    *value = entry->f64;
    return ANN_OK;
}

ann_status ann_meta_get_str(const ann_meta *meta, const char *key, const char **value) {
    const anni_meta_entry *entry;
    ANN_TRY(get(&entry, meta, key, ANNI_META_STR));
    *value = entry->str;
    return ANN_OK;
}

/* ---- for tools ---- */

int ann_meta_count(const ann_meta *meta) { return meta->count; }

const char *ann_meta_entry(const ann_meta *meta, int i, const char **value, bool *is_text, char *buf,
                           size_t size) {
    if (i < 0 || i >= meta->count) return NULL;
    const anni_meta_entry *entry = &meta->entries[i];
    *is_text = entry->kind == ANNI_META_STR;
    *value = *is_text ? entry->str : buf;
    if (entry->kind == ANNI_META_I64) (void)snprintf(buf, size, "%lld", (long long)entry->i64);
    if (entry->kind == ANNI_META_F64) (void)snprintf(buf, size, "%.17g", entry->f64);
    return entry->key;
}

static ann_status copy_entry(ann_meta *to, const anni_meta_entry *entry) {
    switch (entry->kind) {
    case ANNI_META_I64: return ann_meta_set_i64(to, entry->key, entry->i64);
    case ANNI_META_F64: return ann_meta_set_f64(to, entry->key, entry->f64);
    case ANNI_META_STR: return ann_meta_set_str(to, entry->key, entry->str);
    }
    return ANN_OK;
}

ann_status anni_meta_copy(ann_meta **out, const ann_meta *meta) {
    ANN_TRY(ann_meta_new(out));
    ann_status status = ANN_OK;
    for (int i = 0; i < meta->count && status == ANN_OK; i++) status = copy_entry(*out, &meta->entries[i]);
    if (status == ANN_OK) return ANN_OK;
    ann_meta_free(*out);
    *out = NULL;
    return status;
}
