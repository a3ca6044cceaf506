/* Samples, from where they lie: memory, mapped files, or blocks that are decoded and cached. */
#include "data/internal.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The rows that sample s is among. */
static const anni_rows *find_rows(const anni_dataset_field *field, int64_t s) {
    int low = 0, high = field->rows_count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (field->rows[middle]->first <= s) low = middle;
        else high = middle - 1;
    }
    return field->rows[low];
}

/* ---- blocks ---- */

typedef struct block {
    const anni_rows *rows;
    int64_t row, n;
} block;

static ann_status fill(void *to, const void *what) {
    const block *b = what;
    return anni_rows_decode(b->rows, b->row, b->n, to);
}

/* Copies samples[0..) as long as they are in the block of the first of them; *used is how many. */
static ann_status read_block(int64_t *used, const ann_dataset *d, const anni_rows *rows,
                             const int64_t *samples, int64_t n, uint8_t *out) {
    block b = {.rows = rows};
    const int64_t local = anni_rows_block(rows, samples[0] - rows->first), number = rows->first_block + local;
    anni_rows_block_range(rows, local, &b.row, &b.n);
    const uint8_t *data;
    ANN_TRY(anni_cache_acquire(&data, d->cache, number, (size_t)b.n * rows->row_bytes, fill, &b));
    int64_t i = 0;
    for (; i < n; i++) {
        const int64_t row = samples[i] - rows->first - b.row;
        if (row < 0 || row >= b.n) break;
        memcpy(out + (size_t)i * rows->row_bytes, data + (size_t)row * rows->row_bytes, rows->row_bytes);
    }
    anni_cache_release(d->cache, number);
    *used = i;
    return ANN_OK;
}

/* ---- samples ---- */

ann_status anni_dataset_read_all(const ann_dataset *d, int f, const int64_t *samples, int64_t n, void *out) {
    const anni_dataset_field *field = &d->fields[f];
    for (int64_t i = 0, used = 1; i < n; i += used, used = 1) {
        uint8_t *to = (uint8_t *)out + (size_t)i * field->row_bytes;
        if (f == d->label_field) {
            memcpy(to, &d->labels[samples[i]], sizeof *d->labels);
            continue;
        }
        const anni_rows *rows = find_rows(field, samples[i]);
        if (rows->data == NULL) {
            ANN_TRY(read_block(&used, d, rows, samples + i, n - i, to));
            continue;
        }
        const int64_t row = samples[i] - rows->first;
        memcpy(to, rows->data + (size_t)row * field->row_bytes, field->row_bytes);
        if (!rows->checked) ANN_TRY(anni_rows_check(rows, row, 1, to));
    }
    return ANN_OK;
}

static ann_status read_held(const ann_dataset *d, int f, const int64_t *ids, int64_t n, uint8_t *out) {
    const anni_dataset_field *field = &d->fields[f];
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = ids[i] - d->held_first;
        if (row < 0 || row >= d->held_count)
            return ann_error(ANN_ERR_ARG,
                             "%s: sample %" PRId64 " is not among %" PRId64 "..%" PRId64
                             ", which are held in memory",
                             d->name, ids[i], d->held_first, d->held_first + d->held_count - 1);
        memcpy(out + (size_t)i * field->row_bytes, field->held + (size_t)row * field->row_bytes,
               field->row_bytes);
    }
    return ANN_OK;
}

enum { RUN = 256 }; /* samples whose numbers in the sources are on the stack */

static ann_status read_subset(const ann_dataset *d, int f, const int64_t *ids, int64_t n, uint8_t *out) {
    for (int64_t i = 0; i < n; i += RUN) {
        int64_t samples[RUN];
        const int64_t count = n - i < RUN ? n - i : RUN;
        for (int64_t k = 0; k < count; k++) samples[k] = d->subset[ids[i + k]];
        ANN_TRY(anni_dataset_read_all(d, f, samples, count, out + (size_t)i * d->fields[f].row_bytes));
    }
    return ANN_OK;
}

ann_status ann_dataset_read(const ann_dataset *d, int field, const int64_t *ids, int64_t n, void *out) {
    if (field < 0 || field >= d->field_count)
        return ann_error(ANN_ERR_ARG, "%s: no field %d", d->name, field);
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= d->samples)
            return ann_error(ANN_ERR_ARG, "%s: sample %" PRId64 " of %" PRId64, d->name, ids[i], d->samples);
    }
    if (d->held_count > 0) return read_held(d, field, ids, n, out);
    return d->subset != NULL ? read_subset(d, field, ids, n, out)
                             : anni_dataset_read_all(d, field, ids, n, out);
}

/* ---- hints ---- */

static void advise(const anni_rows *rows, int64_t first, int64_t count) {
    const int64_t from = first > rows->first ? first : rows->first;
    const int64_t rows_end = rows->first + rows->count, end = first + count;
    const int64_t to = end < rows_end ? end : rows_end;
    if (rows->map == NULL || from >= to) return;
    const uintptr_t start = (uintptr_t)rows->data + (uintptr_t)(from - rows->first) * rows->row_bytes;
    const uintptr_t page = start & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    madvise((void *)page, start - page + (size_t)(to - from) * rows->row_bytes, MADV_WILLNEED);
}

void ann_dataset_prefetch(const ann_dataset *d, int64_t first, int64_t count) {
    if (d->held_count > 0 || d->subset != NULL) return;
    for (int f = 0; f < d->field_count; f++) {
        if (f == d->label_field) continue;
        for (int i = 0; i < d->fields[f].rows_count; i++) advise(d->fields[f].rows[i], first, count);
    }
}

/* ---- in memory ---- */

void anni_dataset_release_held(ann_dataset *d) {
    for (int f = 0; f < d->field_count; f++) {
        ann_mem_free(d->fields[f].held, (size_t)d->held_count * d->fields[f].row_bytes);
        d->fields[f].held = NULL;
    }
    d->held_count = 0;
}

static ann_status hold_field(const ann_dataset *d, int f, int64_t first, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i += RUN) {
        int64_t ids[RUN];
        const int64_t n = count - i < RUN ? count - i : RUN;
        for (int64_t k = 0; k < n; k++) ids[k] = first + i + k;
        ANN_TRY(ann_dataset_read(d, f, ids, n, out + (size_t)i * d->fields[f].row_bytes));
    }
    return ANN_OK;
}

static ann_status load_field(ann_dataset *d, int f, int64_t first, int64_t count) {
    void *held = NULL;
    const size_t bytes = (size_t)count * d->fields[f].row_bytes;
    ann_status status = ann_mem_alloc(&held, bytes);
    if (status == ANN_OK) status = hold_field(d, f, first, count, held);
    if (status == ANN_OK) d->fields[f].held = held;
    else ann_mem_free(held, bytes);
    return status;
}

ann_status ann_dataset_hold(ann_dataset *d, int64_t first, int64_t count) {
    if (first < 0 || count < 1 || first > d->samples - count)
        return ann_error(ANN_ERR_ARG,
                         "%s: %" PRId64 " samples from %" PRId64 " on of %" PRId64 " cannot be held", d->name,
                         count, first, d->samples);
    anni_dataset_release_held(d);
    ann_status status = ANN_OK;
    int f = 0;
    for (; f < d->field_count && status == ANN_OK; f++) status = load_field(d, f, first, count);
    d->held_first = first;
    d->held_count = count;
    if (status != ANN_OK) anni_dataset_release_held(d);
    else if (d->cache != NULL) anni_cache_drop(d->cache);
    return status;
}
