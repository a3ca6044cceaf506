/* Hashes of the values that a dataset delivers, whatever the storage. */
#include "data/internal.h"

#include "base/hash.h"

/* Of files without a checksum, larger ones are known by some samples. */
#define WHOLE_BYTES ((size_t)1 << 30)
enum { SPREAD = 64 };

/* ---- rows ---- */

static ann_status hash_decoded(ann_hasher *hasher, const anni_rows *rows) {
    const size_t bytes = (size_t)rows->block_rows * rows->row_bytes;
    void *buffer = NULL;
    ANN_TRY(ann_mem_alloc(&buffer, bytes));
    ann_status status = ANN_OK;
    for (int64_t row = 0, n; row < rows->count && status == ANN_OK; row += n) {
        int64_t first;
        anni_rows_block_range(rows, anni_rows_block(rows, row), &first, &n);
        status = anni_rows_decode(rows, row, n, buffer);
        if (status == ANN_OK) ann_hasher_update(hasher, buffer, (size_t)n * rows->row_bytes);
    }
    ann_mem_free(buffer, bytes);
    return status;
}

/* The part of a field that one source gives, continuing from `seed`. */
static ann_status hash_field(uint64_t *out, const ann_dataset *d, int f, int source, uint64_t seed) {
    const int64_t first = d->source_first[source], end = d->source_first[source + 1];
    if (f == d->label_field) {
        if (d->hidden != NULL)
            return ann_error(ANN_ERR_ARG, "%s: its labels are hidden, and have no checksum", d->hidden);
        *out = ann_hash(d->labels + first, (size_t)(end - first) * sizeof *d->labels, seed);
        return ANN_OK;
    }
    const anni_dataset_field *field = &d->fields[f];
    ann_hasher hasher;
    ann_hasher_begin_seeded(&hasher, seed);
    for (int i = 0; i < field->rows_count; i++) {
        const anni_rows *rows = field->rows[i];
        if (rows->first < first || rows->first >= end) continue;
        if (rows->data == NULL) ANN_TRY(hash_decoded(&hasher, rows));
        else ann_hasher_update(&hasher, rows->data, anni_rows_bytes(rows));
    }
    *out = ann_hasher_end(&hasher);
    return ANN_OK;
}

/* ---- datasets ---- */

static ann_status hash_source(uint64_t *out, const ann_dataset *d, int source) {
    const int y = ann_dataset_find(d, "y");
    ANN_TRY(hash_field(out, d, ann_dataset_find(d, "x"), source, 0));
    return y < 0 ? ANN_OK : hash_field(out, d, y, source, *out);
}

/* Some samples of x from the first to the last, and all labels. */
static ann_status hash_spread(uint64_t *out, const ann_dataset *d, int source) {
    const int x = ann_dataset_find(d, "x");
    const int64_t first = d->source_first[source], n = anni_dataset_source_samples(d, source);
    const size_t bytes = d->fields[x].row_bytes;
    void *row = NULL;
    ANN_TRY(ann_mem_alloc(&row, bytes));
    ann_status status = ANN_OK;
    *out = ann_hash(&n, sizeof n, 0);
    for (int64_t i = 0; i < SPREAD && status == ANN_OK; i++) {
        const int64_t sample = first + (int64_t)((double)(n - 1) * (double)i / (SPREAD - 1));
        status = anni_dataset_read_all(d, x, &sample, 1, row);
        if (status == ANN_OK) *out = ann_hash(row, bytes, *out);
    }
    ann_mem_free(row, bytes);
    ANN_TRY(status);
    return d->label_field < 0 ? ANN_OK : hash_field(out, d, d->label_field, source, *out);
}

static ann_status find_of_source(uint64_t *out, const ann_dataset *d, int source) {
    const anni_data_source *s = &d->sources[source];
    const size_t row_bytes = d->fields[ann_dataset_find(d, "x")].row_bytes;
    *out = s->checksum;
    if (s->has_checksum) return ANN_OK;
    return (size_t)s->samples > WHOLE_BYTES / row_bytes ? hash_spread(out, d, source)
                                                        : hash_source(out, d, source);
}

static ann_status for_sources(uint64_t *out, const ann_dataset *d,
                              ann_status (*of_source)(uint64_t *, const ann_dataset *, int)) {
    ANN_TRY(of_source(out, d, 0));
    for (int s = 1; s < d->source_count; s++) {
        uint64_t next;
        ANN_TRY(of_source(&next, d, s));
        *out = ann_hash(&next, sizeof next, *out);
    }
    return ANN_OK;
}

ann_status anni_dataset_find_checksum(ann_dataset *d) { return for_sources(&d->checksum, d, find_of_source); }

ann_status ann_dataset_compute_checksum(uint64_t *out, const ann_dataset *d) {
    return for_sources(out, d, hash_source);
}

bool ann_dataset_field_checksum(uint64_t *out, const ann_dataset *d, int field) {
    const anni_column *c = anni_data_source_find(&d->sources[0], d->fields[field].info.name);
    *out = c->checksum;
    return d->source_count == 1 && c->has_checksum;
}

ann_status ann_dataset_compute_field_checksum(uint64_t *out, const ann_dataset *d, int field) {
    *out = 0;
    for (int s = 0; s < d->source_count; s++) ANN_TRY(hash_field(out, d, field, s, *out));
    return ANN_OK;
}
