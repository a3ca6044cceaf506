#include "datasets/scan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- moments ---- */

ann_status anni_moments_new(anni_moments *moments, anni_type type, int channels, ann_arena *arena) {
    const size_t bytes = (size_t)channels * sizeof(double);
    *moments = (anni_moments){.channels = channels, .is_u8 = type == ANNI_U8};
    moments->sum = ann_arena_alloc(arena, bytes);
    moments->squares = ann_arena_alloc(arena, bytes);
    moments->shift = ann_arena_alloc(arena, bytes);
    bool complete = moments->sum != NULL && moments->squares != NULL && moments->shift != NULL;
    for (int i = 0; i < 2; i++) {
        moments->total[i] = ann_arena_alloc(arena, bytes);
        moments->spread[i] = ann_arena_alloc(arena, bytes);
        complete = complete && moments->total[i] != NULL && moments->spread[i] != NULL;
    }
    return complete ? ANN_OK : ann_error(ANN_ERR_MEMORY, "out of memory");
}

/* Knuth's two-sum: sum[0] + sum[1] is exact but for the rounding of sum[1]. */
static void add(double *sum, double *rest, double value) {
    const double old = *sum, now = old + value, part = now - old;
    *rest += (old - (now - part)) + (value - part);
    *sum = now;
}

static void add_value(anni_moments *m, int c, double value) {
    const double d = value - m->shift[c];
    add(&m->total[0][c], &m->total[1][c], d);
    add(&m->spread[0][c], &m->spread[1][c], d * d);
}

static void add_bytes(anni_moments *m, const uint8_t *values, int64_t elems) {
    if (m->channels == 1) {
        uint64_t sum = 0, squares = 0;
        for (int64_t i = 0; i < elems; i++) {
            sum += values[i];
            squares += (uint64_t)values[i] * values[i];
        }
        m->sum[0] += sum;
        m->squares[0] += squares;
        return;
    }
    for (int64_t i = 0; i < elems; i += m->channels) {
        for (int c = 0; c < m->channels; c++) {
            m->sum[c] += values[i + c];
            m->squares[c] += (uint64_t)values[i + c] * values[i + c];
        }
    }
}

static double value_at(const void *values, anni_type type, int64_t i) {
    return type == ANNI_F32 ? (double)((const float *)values)[i] : (double)((const int32_t *)values)[i];
}

void anni_moments_add(anni_moments *moments, const void *values, anni_type type, int64_t elems) {
    const int channels = moments->channels;
    if (elems > 0 && moments->count == 0 && type != ANNI_U8) {
        for (int c = 0; c < channels; c++) moments->shift[c] = value_at(values, type, c);
    }
    moments->count += elems / channels;
    if (type == ANNI_U8) {
        add_bytes(moments, values, elems);
        return;
    }
    for (int64_t i = 0; i < elems; i += channels) {
        for (int c = 0; c < channels; c++) add_value(moments, c, value_at(values, type, i + c));
    }
}

__extension__ typedef unsigned __int128 wide;

static void end_channel(const anni_moments *m, int c, double *mean, double *variance) {
    const double n = (double)m->count;
    if (m->is_u8) {
        const wide spread = (wide)m->squares[c] * (uint64_t)m->count - (wide)m->sum[c] * m->sum[c];
        *mean = (double)m->sum[c] / n / 255.0;
        *variance = (double)spread / n / n / (255.0 * 255.0);
        return;
    }
    const double d = (m->total[0][c] + m->total[1][c]) / n;
    *mean = m->shift[c] + d;
    *variance = (m->spread[0][c] + m->spread[1][c]) / n - d * d;
}

static double deviation(double variance) { return variance > 0 ? sqrt(variance) : 1.0; }

void anni_moments_end(const anni_moments *moments, double *mean, double *std, double overall[2]) {
    const int channels = moments->channels;
    double centre = 0, spread = 0;
    for (int c = 0; c < channels; c++) {
        end_channel(moments, c, &mean[c], &std[c]);
        centre += mean[c] / channels;
    }
    for (int c = 0; c < channels; c++) {
        spread += (std[c] + (mean[c] - centre) * (mean[c] - centre)) / channels;
        std[c] = deviation(std[c]);
    }
    overall[0] = centre;
    overall[1] = deviation(spread);
}

/* ---- reading ---- */

typedef struct scan {
    const char *path, *split;
    const anni_field *field;
    hid_t dataset, space;
    anni_type delivered;
    int64_t row_elems;
    ann_hasher *hash;
    anni_moments *moments;
} scan;

static hid_t memory_type(anni_type delivered) { return anni_type_stored(delivered); }

static ann_status check_finite(const scan *s, const float *values, int64_t first, int64_t elems) {
    for (int64_t i = 0; i < elems; i++) {
        if (!isfinite(values[i])) {
            return ann_error(ANN_ERR_NUMERIC, "%s: /%s/%s: sample %" PRId64 " holds NaN or Inf", s->path,
                             s->split, s->field->name, first + i / s->row_elems);
        }
    }
    return ANN_OK;
}

static ann_status scan_block(const scan *s, void *block, int64_t first, int64_t n) {
    const ann_shape *shape = &s->field->shape;
    hsize_t start[ANN_MAX_RANK] = {(hsize_t)first}, count[ANN_MAX_RANK] = {(hsize_t)n};
    for (int i = 0; i < shape->rank; i++) count[i + 1] = (hsize_t)shape->dim[i];
    const hid_t memory = H5Screate_simple(shape->rank + 1, count, NULL);
    herr_t failed = H5Sselect_hyperslab(s->space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (failed >= 0)
        failed = H5Dread(s->dataset, memory_type(s->delivered), memory, s->space, H5P_DEFAULT, block);
    H5Sclose(memory);
    if (failed < 0)
        return anni_h5_error(ANN_ERR_IO, "%s: cannot read /%s/%s", s->path, s->split, s->field->name);
    const int64_t elems = n * s->row_elems;
    if (s->delivered == ANNI_F32) ANN_TRY(check_finite(s, block, first, elems));
    ann_hasher_update(s->hash, block, (size_t)elems * anni_type_bytes(s->delivered));
    if (s->moments != NULL) anni_moments_add(s->moments, block, s->delivered, elems);
    return ANN_OK;
}

static ann_status scan_rows(const scan *s, int64_t rows) {
    const int64_t row_bytes = s->row_elems * (int64_t)anni_type_bytes(s->delivered);
    int64_t block_rows = (1 << 20) / row_bytes;
    if (block_rows < 1) block_rows = 1;
    const size_t bytes = (size_t)(block_rows * row_bytes);
    void *block;
    ANN_TRY(ann_mem_alloc(&block, bytes));
    ann_status status = ANN_OK;
    for (int64_t first = 0; first < rows && status == ANN_OK; first += block_rows) {
        status = scan_block(s, block, first, rows - first < block_rows ? rows - first : block_rows);
    }
    ann_mem_free(block, bytes);
    return status;
}

ann_status anni_scan(hid_t file, const char *path, const char *split, const anni_field *field, int64_t rows,
                     ann_hasher *hash, anni_moments *moments) {
    char name[256];
    snprintf(name, sizeof name, "/%s/%s", split, field->name);
    scan s = {.path = path,
              .split = split,
              .field = field,
              .delivered = field->type == ANNI_U16 ? ANNI_I32 : field->type,
              .row_elems = ann_shape_elems(&field->shape),
              .hash = hash,
              .moments = moments};
    if (field->type == ANNI_U8 && field->name[0] == 'y' && field->name[1] == '\0') s.delivered = ANNI_I32;
    s.dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (s.dataset < 0) return anni_h5_error(ANN_ERR_IO, "%s: cannot open %s", path, name);
    s.space = H5Dget_space(s.dataset);
    const ann_status status = scan_rows(&s, rows);
    H5Sclose(s.space);
    H5Dclose(s.dataset);
    return status;
}
