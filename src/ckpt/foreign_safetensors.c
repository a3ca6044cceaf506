/* safetensors: 8 bytes of header length (little-endian), a JSON header, the tensors' bytes.
   https://huggingface.co/docs/safetensors */
#include <stdlib.h>
#include <string.h>
#include "ckpt/foreign_formats.h"
#include "ckpt/json.h"

#define HEADER_MAX ((int64_t)100 << 20) /* the format's own limit */
enum { RANK_MAX = 32 };

static anni_number number_of(const char *dtype) {
    static const struct {
        const char *name;
        anni_number number;
    } table[] = {{"F16", ANNI_F16},  {"BF16", ANNI_BF16}, {"F32", ANNI_F32}, {"F64", ANNI_F64},
                 {"I8", ANNI_I8},    {"I16", ANNI_I16},   {"I32", ANNI_I32}, {"I64", ANNI_I64},
                 {"U8", ANNI_U8},    {"U16", ANNI_U16},   {"U32", ANNI_U32}, {"U64", ANNI_U64},
                 {"BOOL", ANNI_BOOL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, dtype) == 0) return table[i].number;
    return ANNI_NUMBER_COUNT;
}

typedef struct fields { /* of one tensor */
    const char *dtype;
    int64_t extents[RANK_MAX], offsets[2];
    int rank, offset_count;
} fields;

static ann_status read_counts(anni_json *j, int64_t *out, int *count, int most) {
    bool more;
    int64_t extra;
    *count = 0;
    ANN_TRY(anni_json_array(j));
    for (;;) {
        ANN_TRY(anni_json_element(j, &more));
        if (!more) return ANN_OK;
        ANN_TRY(anni_json_count(j, *count < most ? &out[*count] : &extra));
        if (*count < most + 1) (*count)++;
    }
}

static ann_status read_fields(anni_json *j, fields *out, ann_arena *arena) {
    const char *key;
    *out = (fields){.rank = -1};
    ANN_TRY(anni_json_object(j));
    for (;;) {
        ANN_TRY(anni_json_member(j, &key, arena));
        if (!key) return ANN_OK;
        if (strcmp(key, "dtype") == 0) ANN_TRY(anni_json_string(j, &out->dtype, arena));
        else if (strcmp(key, "shape") == 0) ANN_TRY(read_counts(j, out->extents, &out->rank, RANK_MAX));
        else if (strcmp(key, "data_offsets") == 0)
            ANN_TRY(read_counts(j, out->offsets, &out->offset_count, 2));
        else ANN_TRY(anni_json_skip(j));
    }
}

static ann_status add_tensor(ann_foreign *f, const char *name, const fields *in, int64_t data_offset) {
    anni_foreign_entry *entry;
    int64_t elems;
    const int64_t data_bytes = f->file_bytes - data_offset;
    if (!in->dtype || in->rank < 0 || in->rank > RANK_MAX || in->offset_count != 2)
        return ann_error(ANN_ERR_FORMAT, "%s: tensor %s lacks a good dtype, shape or data_offsets", f->path,
                         name);
    ANN_TRY(anni_foreign_add(&entry, f, name));
    const anni_number number = number_of(in->dtype);
    if (number == ANNI_NUMBER_COUNT) entry->info.dtype = in->dtype;
    if (in->offsets[0] > in->offsets[1] || in->offsets[1] > data_bytes)
        return ann_error(ANN_ERR_CORRUPT, "%s: tensor %s lies outside the file", f->path, name);
    ANN_TRY(anni_foreign_describe(&elems, f, entry, number, in->extents, in->rank));
    entry->offset = data_offset + in->offsets[0];
    entry->bytes = in->offsets[1] - in->offsets[0];
    if (elems >= 0 && (elems > entry->bytes || elems * (int64_t)anni_number_bytes(number) != entry->bytes))
        return ann_error(ANN_ERR_FORMAT, "%s: tensor %s has %lld bytes, which is not what its shape needs",
                         f->path, name, (long long)entry->bytes);
    return ANN_OK;
}

static ann_status parse_header(ann_foreign *f, const char *text, size_t bytes) {
    anni_json j;
    const char *name;
    fields in;
    anni_json_begin(&j, f->path, text, bytes);
    ANN_TRY(anni_json_object(&j));
    for (;;) {
        ANN_TRY(anni_json_member(&j, &name, f->arena));
        if (!name) return anni_json_end(&j);
        if (strcmp(name, "__metadata__") == 0) ANN_TRY(anni_json_skip(&j));
        else {
            ANN_TRY(read_fields(&j, &in, f->arena));
            ANN_TRY(add_tensor(f, name, &in, 8 + (int64_t)bytes));
        }
    }
}

static ann_status list_tensors(ann_foreign *f) {
    unsigned char prefix[8];
    uint64_t bytes = 0;
    ANN_TRY(anni_file_read_at(f->fd, prefix, sizeof prefix, 0, f->path));
    for (int i = 7; i >= 0; i--) bytes = bytes << 8 | prefix[i];
    if (bytes > (uint64_t)f->file_bytes - 8 || bytes > (uint64_t)HEADER_MAX)
        return ann_error(ANN_ERR_FORMAT,
                         "%s: its header would be longer than the file, or than any should be", f->path);
    char *text = malloc((size_t)bytes + 1);
    if (!text) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its header", f->path);
    ann_status status = anni_file_read_at(f->fd, text, (size_t)bytes, 8, f->path);
    if (status == ANN_OK) status = parse_header(f, text, (size_t)bytes);
    free(text);
    return status;
}

const anni_format anni_format_safetensors = {"safetensors", list_tensors, anni_foreign_read_run, NULL};
