#include "datasets/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 1 << 16 };

/* ---- the header: a Python dictionary of 'descr', 'fortran_order' and 'shape' ---- */

typedef struct parser {
    const char *path, *at; /* NUL-terminated text */
} parser;

static ann_status bad_header(const parser *p, const char *what) {
    char near[24];
    snprintf(near, sizeof near, "%s", p->at);
    for (char *c = near; *c != '\0'; c++) *c = *c < ' ' || *c > '~' ? '?' : *c;
    return ann_error(ANN_ERR_FORMAT, "%s: header: %s expected at '%s'", p->path, what, near);
}

static void skip_space(parser *p) { p->at += strspn(p->at, " \t\r\n"); }

static bool take(parser *p, const char *word) {
    skip_space(p);
    const size_t n = strlen(word);
    if (strncmp(p->at, word, n) != 0) return false;
    p->at += n;
    return true;
}

static ann_status take_string(parser *p, char out[32]) {
    skip_space(p);
    const char quote = *p->at;
    if (quote != '\'' && quote != '"') return bad_header(p, "a string");
    const char *end = strchr(p->at + 1, quote);
    if (end == NULL || end - p->at > 31) return bad_header(p, "a string");
    snprintf(out, 32, "%.*s", (int)(end - p->at - 1), p->at + 1);
    p->at = end + 1;
    return ANN_OK;
}

static ann_status take_shape(parser *p, ann_shape *shape) {
    *shape = ANN_SCALAR;
    if (!take(p, "(")) return bad_header(p, "a tuple");
    while (!take(p, ")")) {
        char *end;
        skip_space(p);
        if (*p->at < '0' || *p->at > '9') return bad_header(p, "an extent");
        const long long dim = strtoll(p->at, &end, 10);
        if (shape->rank == ANN_MAX_RANK - 1)
            return ann_error(ANN_ERR_FORMAT, "%s: wrong rank, accepted: 1 to %d", p->path, ANN_MAX_RANK - 1);
        shape->dim[shape->rank++] = dim;
        p->at = end;
        if (!take(p, ",") && *p->at != ')') return bad_header(p, "',' or ')'");
    }
    return ANN_OK;
}

static ann_status set_type(anni_npy *npy, const char *descr) {
    const char *path = npy->input.path;
    static const char *const known[] = {"b1", "u1", "u2", "u4", "u8", "i1",
                                        "i2", "i4", "i8", "f2", "f4", "f8"};
    const bool has_order = descr[0] != '\0' && strchr("<>|=", descr[0]) != NULL;
    const char *type = descr + has_order;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(type, known[i]) != 0) continue;
        npy->kind = type[0];
        npy->bytes = type[1] - '0';
        npy->swapped = npy->bytes > 1 && descr[0] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
        return ANN_OK;
    }
    return ann_error(ANN_ERR_UNSUPPORTED,
                     "%s: element type '%s', accepted: b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8", path, descr);
}

static ann_status parse_entry(anni_npy *npy, parser *p, unsigned *seen) {
    char key[32], descr[32] = "";
    ANN_TRY(take_string(p, key));
    if (!take(p, ":")) return bad_header(p, "':'");
    if (strcmp(key, "descr") == 0) {
        *seen |= 1;
        skip_space(p);
        if (*p->at == '[')
            return ann_error(ANN_ERR_UNSUPPORTED, "%s: a structured type, accepted: one number", p->path);
        ANN_TRY(take_string(p, descr));
        return set_type(npy, descr);
    }
    if (strcmp(key, "fortran_order") == 0) {
        *seen |= 2;
        if (take(p, "False")) return ANN_OK;
        if (!take(p, "True")) return bad_header(p, "True or False");
        return ann_error(ANN_ERR_UNSUPPORTED,
                         "%s: Fortran order, accepted: C order (numpy.ascontiguousarray)", p->path);
    }
    if (strcmp(key, "shape") != 0) return bad_header(p, "descr, fortran_order or shape before");
    *seen |= 4;
    return take_shape(p, &npy->shape);
}

static ann_status parse_header(anni_npy *npy, const char *text) {
    parser p = {npy->input.path, text};
    unsigned seen = 0;
    if (!take(&p, "{")) return bad_header(&p, "'{'");
    while (!take(&p, "}")) {
        ANN_TRY(parse_entry(npy, &p, &seen));
        if (!take(&p, ",") && *p.at != '}') return bad_header(&p, "',' or '}'");
    }
    return seen == 7 ? ANN_OK : bad_header(&p, "descr, fortran_order and shape before");
}

static ann_status check_length(anni_npy *npy) {
    const char *path = npy->input.path;
    if (npy->shape.rank == 0)
        return ann_error(ANN_ERR_FORMAT, "%s: is a single number, without records", path);
    int64_t elems = 1, bytes;
    for (int i = 0; i < npy->shape.rank; i++) {
        if (npy->shape.dim[i] == 0)
            return ann_error(ANN_ERR_FORMAT, "%s: is empty (extent %d is 0)", path, i);
        if (__builtin_mul_overflow(elems, npy->shape.dim[i], &elems))
            return ann_error(ANN_ERR_FORMAT, "%s: has too many elements", path);
    }
    if (__builtin_mul_overflow(elems, npy->bytes, &bytes))
        return ann_error(ANN_ERR_FORMAT, "%s: has too many elements", path);
    npy->row_elems = elems / npy->shape.dim[0];
    const int64_t there = npy->input.bytes - npy->data_offset;
    if (there > bytes)
        return ann_error(ANN_ERR_FORMAT, "%s: trailing bytes after the last of %" PRId64 " records", path,
                         npy->shape.dim[0]);
    if (there < bytes)
        return ann_error(ANN_ERR_FORMAT, "%s: truncated in record %" PRId64 " of %" PRId64, path,
                         there / (npy->row_elems * npy->bytes), npy->shape.dim[0]);
    npy->row = malloc((size_t)(npy->row_elems * npy->bytes));
    return npy->row != NULL ? ANN_OK : ann_error(ANN_ERR_MEMORY, "%s: out of memory", path);
}

static ann_status read_header(anni_npy *npy) {
    anni_input *in = &npy->input;
    uint8_t head[12] = {0};
    if (in->bytes < 10) return ann_error(ANN_ERR_FORMAT, "%s: truncated in the header", in->path);
    ANN_TRY(anni_input_read(in, 0, head, 10));
    if (memcmp(head, "\x93NUMPY", 6) != 0) return ann_error(ANN_ERR_FORMAT, "%s: not an NPY file", in->path);
    if (head[6] < 1 || head[6] > 3)
        return ann_error(ANN_ERR_UNSUPPORTED, "%s: NPY version %d, accepted: 1 to 3", in->path, head[6]);
    const int64_t start = head[6] == 1 ? 10 : 12;
    if (in->bytes < start) return ann_error(ANN_ERR_FORMAT, "%s: truncated in the header", in->path);
    ANN_TRY(anni_input_read(in, 0, head, start));
    int64_t length = head[8] | head[9] << 8;
    if (head[6] > 1) length |= (int64_t)head[10] << 16 | (int64_t)head[11] << 24;
    if (length > MAX_HEADER)
        return ann_error(ANN_ERR_FORMAT, "%s: header of %" PRId64 " bytes", in->path, length);
    if (in->bytes < start + length) return ann_error(ANN_ERR_FORMAT, "%s: truncated in the header", in->path);
    char *text = malloc((size_t)length + 1);
    if (text == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", in->path);
    ann_status status = anni_input_read(in, start, text, length);
    text[length] = '\0';
    if (status == ANN_OK) status = parse_header(npy, text);
    free(text);
    npy->data_offset = start + length;
    return status;
}

ann_status anni_npy_open(anni_npy *npy, const char *path) {
    *npy = (anni_npy){.input = {.fd = -1}};
    ANN_TRY(anni_input_open(&npy->input, path));
    ANN_TRY(read_header(npy));
    return check_length(npy);
}

void anni_npy_close(anni_npy *npy) {
    anni_input_close(&npy->input);
    free(npy->row);
    npy->row = NULL;
}

/* ---- values ---- */

anni_type anni_npy_type(const anni_npy *npy) {
    if (npy->kind == 'f') return ANNI_F32;
    return npy->bytes == 1 && npy->kind != 'i' ? ANNI_U8 : ANNI_I32;
}

/* IEEE 754 binary16. */
static double half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double size = exponent == 0    ? ldexp(fraction, -24)
                        : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                         : ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
}

/* The element's bits as one unsigned number. */
static uint64_t element(const anni_npy *npy, int64_t i) {
    const uint8_t *bytes = (const uint8_t *)npy->row + i * npy->bytes;
    const bool is_big = npy->swapped == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    uint64_t bits = 0;
    for (int k = 0; k < npy->bytes; k++) bits = bits << 8 | bytes[is_big ? k : npy->bytes - 1 - k];
    return bits;
}

static double real(uint64_t bits, int bytes) {
    float single;
    double value;
    const uint32_t low = (uint32_t)bits;
    if (bytes == 2) return half((uint16_t)bits);
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    return bytes == 4 ? (double)single : value;
}

static ann_status read_reals(const anni_npy *npy, int64_t record, float *out, bool *bad) {
    for (int64_t i = 0; i < npy->row_elems; i++) {
        const double value = real(element(npy, i), npy->bytes);
        out[i] = (float)value;
        if (!isfinite(out[i]))
            return anni_bad_record(bad, ANN_ERR_CORRUPT, npy->input.path, record,
                                   "element %" PRId64 " is %g, accepted: finite numbers of float32", i,
                                   value);
    }
    return ANN_OK;
}

static ann_status read_integers(const anni_npy *npy, int64_t record, int32_t *out, bool *bad) {
    const uint64_t sign = npy->kind == 'i' ? UINT64_C(1) << (8 * npy->bytes - 1) : 0;
    for (int64_t i = 0; i < npy->row_elems; i++) {
        const uint64_t bits = element(npy, i);
        const int64_t value = (int64_t)((bits ^ sign) - sign);
        out[i] = (int32_t)value;
        if (value != out[i])
            return anni_bad_record(bad, ANN_ERR_CORRUPT, npy->input.path, record,
                                   "element %" PRId64 " is beyond 32 bits", i);
    }
    return ANN_OK;
}

ann_status anni_npy_read(anni_npy *npy, int64_t record, void *out, bool *bad) {
    const int64_t bytes = npy->row_elems * npy->bytes;
    const anni_type type = anni_npy_type(npy);
    const int64_t offset = npy->data_offset + record * bytes;
    if (type == ANNI_U8) return anni_input_read(&npy->input, offset, out, bytes);
    ANN_TRY(anni_input_read(&npy->input, offset, npy->row, bytes));
    return type == ANNI_F32 ? read_reals(npy, record, out, bad) : read_integers(npy, record, out, bad);
}
