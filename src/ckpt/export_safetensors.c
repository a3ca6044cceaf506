/* safetensors: 8 bytes of header length, a JSON header, the tensors without gaps. The metadata are its
   strings. https://huggingface.co/docs/safetensors */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "ckpt/export.h"

typedef struct header {
    char *text; /* owned until `begin` has written it */
    size_t bytes;
} header;

static void print_meta(FILE *out, const ann_ckpt *ckpt) {
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    const char *value = "";
    char buf[32];
    bool is_text;
    fprintf(out, "{\"__metadata__\":{\"format\":\"annulus\",\"checkpoint_step\":\"%" PRId64 "\"",
            ann_ckpt_step(ckpt));
    for (int i = 0; i < ann_meta_count(meta); i++) {
        const char *key = ann_meta_entry(meta, i, &value, &is_text, buf, sizeof buf);
        if (strcmp(key, "format") == 0 || strcmp(key, "checkpoint_step") == 0) continue;
        fputc(',', out);
        ann_print_json(out, key);
        fputc(':', out);
        ann_print_json(out, value);
    }
    fputc('}', out);
}

static void print_tensors(FILE *out, const anni_export *e) {
    static const char *const dtype[ANN_DTYPE_COUNT] = {"F32", "F64", "I32", "I64", "U8"};
    int64_t at = 0;
    for (int i = 0; i < e->count; i++) {
        const ann_tensor_info *t = anni_export_tensor(e, i);
        fputc(',', out);
        ann_print_json(out, t->name);
        fprintf(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype[t->dtype]);
        for (int d = 0; d < t->shape.rank; d++) fprintf(out, "%s%" PRId64, d ? "," : "", t->shape.dim[d]);
        fprintf(out, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", at, at + anni_export_bytes(e, i));
        at += anni_export_bytes(e, i);
    }
    fputc('}', out);
}

/* Blanks at its end align the tensors. */
static ann_status lay_out(anni_export *e) {
    header *h = ann_arena_alloc(e->arena, sizeof *h);
    FILE *out = h ? open_memstream(&h->text, &h->bytes) : NULL;
    if (!out) return ann_error(ANN_ERR_MEMORY, "%s: no memory for its header", e->path);
    e->state = h;
    print_meta(out, e->ckpt);
    print_tensors(out, e);
    bool good = fflush(out) == 0;
    while (good && h->bytes % 8 != 0) good = fputc(' ', out) != EOF && fflush(out) == 0;
    if (fclose(out) != 0 || !good) {
        free(h->text);
        h->text = NULL;
        return ann_error(ANN_ERR_MEMORY, "%s: no memory for its header", e->path);
    }
    int64_t at = 8 + (int64_t)h->bytes;
    for (int i = 0; i < e->count; i++) {
        e->offsets[i] = at;
        at += anni_export_bytes(e, i);
    }
    e->file_bytes = at;
    return ANN_OK;
}

static ann_status begin(anni_export *e) {
    header *h = e->state;
    const uint64_t bytes = h->bytes;
    ann_status status = anni_file_write_at(e->fd, &bytes, 8, 0, e->path);
    if (status == ANN_OK) status = anni_file_write_at(e->fd, h->text, h->bytes, 8, e->path);
    free(h->text);
    h->text = NULL;
    return status;
}

const anni_exporter anni_exporter_safetensors = {"safetensors", lay_out, begin, NULL, false};
