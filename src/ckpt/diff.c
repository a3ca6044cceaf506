/* Two checkpoints compared, a few megabytes at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/meta.h"
#include "ckpt/stream.h"
#include "ckpt/tools.h"

#define CHUNK_BYTES ((size_t)1 << 20)

typedef struct comparison {
    const ann_ckpt *a, *b;
    const char *pattern;
    double tolerance;
    void (*report)(void *to, const ann_ckpt_difference *difference);
    void *to;
    bool equal;
    char *chunk[2]; /* CHUNK_BYTES each */
} comparison;

static void tell(comparison *c, const ann_ckpt_difference *d) {
    c->equal = false;
    c->report(c->to, d);
}

/* ---- values ---- */

typedef struct sums {
    double max_abs, difference2, a2;
    int64_t first, count;
} sums;

/* The bits decide whether two elements are the same: integers beyond 2^53 may round to one double. */
static void add_element(sums *s, double a, double b, bool same_bits, double tolerance, int64_t index) {
    if (isfinite(a)) s->a2 += a * a;
    if (same_bits) return;
    const double d = a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
    if (!isnan(s->max_abs) && !(d <= s->max_abs)) s->max_abs = d;
    s->difference2 += d * d;
    if (tolerance > 0 && d <= tolerance) return;
    if (s->count++ == 0) s->first = index;
}

/* Most chunks are equal: of them only the norm is wanted. */
static void add_equal(sums *s, const void *data, ann_dtype dtype, int64_t elems) {
    double sum = 0;
    if (dtype == ANN_F32)
        for (int64_t i = 0; i < elems; i++)
            sum += (double)((const float *)data)[i] * (double)((const float *)data)[i];
    else
        for (int64_t i = 0; i < elems; i++)
            sum += ann_elem_get(data, dtype, i) * ann_elem_get(data, dtype, i);
    if (isfinite(sum)) s->a2 += sum;
    else
        for (int64_t i = 0; i < elems; i++) add_element(s, ann_elem_get(data, dtype, i), 0, true, 0, 0);
}

static void add_chunk(sums *s, const comparison *c, ann_dtype dtype, int64_t begin, int64_t elems) {
    const size_t width = ann_dtype_bytes(dtype);
    const char *a = c->chunk[0], *b = c->chunk[1];
    if (memcmp(a, b, (size_t)elems * width) == 0) {
        add_equal(s, a, dtype, elems);
        return;
    }
    for (int64_t i = 0; i < elems; i++)
        add_element(s, ann_elem_get(a, dtype, i), ann_elem_get(b, dtype, i),
                    memcmp(a + (size_t)i * width, b + (size_t)i * width, width) == 0, c->tolerance,
                    begin + i);
}

static ann_status sum_differences(sums *s, comparison *c, anni_stream streams[2], const ann_tensor_info *t) {
    const int64_t elems = ann_shape_elems(&t->shape),
                  step = (int64_t)(CHUNK_BYTES / ann_dtype_bytes(t->dtype));
    for (int64_t at = 0; at < elems; at += step) {
        const int64_t n = elems - at < step ? elems - at : step;
        for (int k = 0; k < 2; k++)
            ANN_TRY(anni_stream_read(&streams[k], c->chunk[k], (size_t)n * ann_dtype_bytes(t->dtype)));
        add_chunk(s, c, t->dtype, at, n);
    }
    return ANN_OK;
}

static ann_status compare_values(comparison *c, int i, int j) {
    const ann_tensor_info *a = ann_ckpt_tensor(c->a, i), *b = ann_ckpt_tensor(c->b, j);
    sums s = {.first = -1};
    anni_stream streams[2];
    anni_stream_begin(&streams[0], c->a, i);
    anni_stream_begin(&streams[1], c->b, j);
    const ann_status status = sum_differences(&s, c, streams, a);
    anni_stream_end(&streams[0]);
    anni_stream_end(&streams[1]);
    ANN_TRY(status);
    if (s.count == 0) return ANN_OK;
    tell(c, &(ann_ckpt_difference){.kind = ANN_CKPT_OTHER_VALUES,
                                   .name = a->name,
                                   .a = a,
                                   .b = b,
                                   .max_abs = s.max_abs,
                                   .relative_l2 = s.a2 > 0 ? sqrt(s.difference2 / s.a2) : INFINITY,
                                   .first = s.first,
                                   .count = s.count});
    return ANN_OK;
}

/* ---- tensors ---- */

/* The number of the tensor in ckpt, or -1; mostly it is `guess`. */
static int find(const ann_ckpt *ckpt, const char *name, int guess) {
    const ann_tensor_info *guessed = ann_ckpt_tensor(ckpt, guess);
    if (guessed && strcmp(guessed->name, name) == 0) return guess;
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++)
        if (strcmp(ann_ckpt_tensor(ckpt, i)->name, name) == 0) return i;
    return -1;
}

static ann_status compare_tensors(comparison *c) {
    for (int i = 0; i < ann_ckpt_tensor_count(c->a); i++) {
        const ann_tensor_info *a = ann_ckpt_tensor(c->a, i);
        if (!ann_name_matches(c->pattern, a->name)) continue;
        const int j = find(c->b, a->name, i);
        const ann_tensor_info *b = ann_ckpt_tensor(c->b, j);
        if (!b) tell(c, &(ann_ckpt_difference){.kind = ANN_CKPT_ONLY_A, .name = a->name, .a = a});
        else if (a->dtype != b->dtype || !ann_shape_equal(&a->shape, &b->shape))
            tell(c, &(ann_ckpt_difference){.kind = ANN_CKPT_OTHER_SHAPE, .name = a->name, .a = a, .b = b});
        else ANN_TRY(compare_values(c, i, j));
    }
    for (int j = 0; j < ann_ckpt_tensor_count(c->b); j++) {
        const ann_tensor_info *b = ann_ckpt_tensor(c->b, j);
        if (ann_name_matches(c->pattern, b->name) && find(c->a, b->name, j) < 0)
            tell(c, &(ann_ckpt_difference){.kind = ANN_CKPT_ONLY_B, .name = b->name, .b = b});
    }
    return ANN_OK;
}

/* ---- metadata ---- */

static const anni_meta_entry *find_entry(const ann_meta *meta, const char *key) {
    for (int i = 0; i < meta->count; i++)
        if (strcmp(meta->entries[i].key, key) == 0) return &meta->entries[i];
    return NULL;
}

static bool same_bits(double a, double b) {
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

static bool same_entry(const anni_meta_entry *a, const anni_meta_entry *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case ANNI_META_I64: return a->i64 == b->i64;
    case ANNI_META_F64: return same_bits(a->f64, b->f64);
    case ANNI_META_STR: break;
    }
    return strcmp(a->str, b->str) == 0;
}

static void compare_meta(comparison *c) {
    const ann_meta *a = ann_ckpt_meta(c->a), *b = ann_ckpt_meta(c->b);
    const char *text_a = NULL, *text_b = NULL;
    char buf_a[32], buf_b[32];
    bool is_text;
    for (int i = 0; i < a->count; i++) {
        const char *key = ann_meta_entry(a, i, &text_a, &is_text, buf_a, sizeof buf_a);
        const anni_meta_entry *other = find_entry(b, key);
        if (other && same_entry(&a->entries[i], other)) continue;
        if (other) ann_meta_entry(b, (int)(other - b->entries), &text_b, &is_text, buf_b, sizeof buf_b);
        tell(c, &(ann_ckpt_difference){.kind = other ? ANN_CKPT_META_OTHER : ANN_CKPT_META_ONLY_A,
                                       .name = key,
                                       .value_a = text_a,
                                       .value_b = other ? text_b : NULL});
    }
    for (int i = 0; i < b->count; i++) {
        const char *key = ann_meta_entry(b, i, &text_b, &is_text, buf_b, sizeof buf_b);
        if (!find_entry(a, key))
            tell(c, &(ann_ckpt_difference){.kind = ANN_CKPT_META_ONLY_B, .name = key, .value_b = text_b});
    }
}

ann_status ann_ckpt_compare(bool *equal, const ann_ckpt *a, const ann_ckpt *b, const char *pattern,
                            double tolerance, void (*report)(void *to, const ann_ckpt_difference *difference),
                            void *to) {
    comparison c = {a, b, pattern, tolerance, report, to, true, {malloc(CHUNK_BYTES), malloc(CHUNK_BYTES)}};
    ann_status status =
        c.chunk[0] && c.chunk[1] ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to compare checkpoints");
    if (status == ANN_OK) status = compare_tensors(&c);
    if (status == ANN_OK) compare_meta(&c);
    free(c.chunk[0]);
    free(c.chunk[1]);
    *equal = status == ANN_OK && c.equal;
    return status;
}
