#include "datasets/stored.h"

#include <stdlib.h>
#include <string.h>

static const anni_rows *rows_of(const anni_column *column, int64_t record) {
    int i = 0;
    while (record >= column->rows[i].first + column->rows[i].count) i++;
    return &column->rows[i];
}

/* Decodes the block that the row is in. What is wrong with one of its records is told when that one is read.
 */
static ann_status load_block(anni_stored *s, const anni_rows *rows, int64_t row) {
    s->rows = NULL;
    anni_rows_block_range(rows, anni_rows_block(rows, row), &s->row, &s->n);
    const size_t bytes = (size_t)s->n * rows->row_bytes;
    if (bytes > s->room) {
        free(s->block);
        s->room = 0;
        s->block = malloc(bytes);
        if (s->block == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", rows->where);
        s->room = bytes;
    }
    const ann_status status = anni_rows_decode(rows, s->row, s->n, s->block);
    s->is_bad = status == ANN_ERR_NUMERIC || status == ANN_ERR_CORRUPT;
    if (status != ANN_OK && !s->is_bad) return status;
    s->rows = rows;
    return ANN_OK;
}

ann_status anni_stored_read(anni_stored *s, int64_t record, void *out) {
    const anni_rows *rows = rows_of(s->column, record);
    const int64_t row = record - rows->first;
    if (rows->data != NULL) {
        memcpy(out, rows->data + (size_t)row * rows->row_bytes, rows->row_bytes);
        return anni_rows_check(rows, row, 1, out);
    }
    if (s->rows != rows || row < s->row || row >= s->row + s->n) ANN_TRY(load_block(s, rows, row));
    if (s->is_bad) return anni_rows_decode(rows, row, 1, out);
    memcpy(out, s->block + (size_t)(row - s->row) * rows->row_bytes, rows->row_bytes);
    return ANN_OK;
}

void anni_stored_fini(anni_stored *stored) {
    free(stored->block);
    *stored = (anni_stored){0};
}
