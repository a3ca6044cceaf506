#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ckpt/files.h"
#include "ckpt/manifest.h"
#include "ckpt/meta.h"

static const char *const role_name[] = {"param", "state", "moment"};

/* A double-quoted YAML scalar on one line. Text is UTF-8; what a YAML reader might fold, trim or refuse is
 * escaped. */
static void print_quoted(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') fprintf(out, "\\%c", *p);
        else if (*p == '\n') fputs("\\n", out);
        else if (*p == '\t') fputs("\\t", out);
        else if (*p < 0x20 || *p == 0x7F) fprintf(out, "\\x%02x", *p);
        else if (*p == 0xC2 && p[1] < 0xA0) fprintf(out, "\\x%02x", *++p); /* C1 controls, NEL */
        else if (*p == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) {
            fprintf(out, "\\u20%02x", p[2] - 0x80); /* line and paragraph separators */
            p += 2;
        } else if (*p == 0xEF && ((p[1] == 0xBB && p[2] == 0xBF) || (p[1] == 0xBF && p[2] >= 0xBE))) {
            fprintf(out, "\\u%04x",
                    0xF000u | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu)); /* U+FEFF, U+FFFE, U+FFFF */
            p += 2;
        } else fputc(*p, out);
    }
    fputc('"', out);
}

static void print_tensors(FILE *out, const anni_manifest *m) {
    fprintf(out, "blocks:%s\n", m->block_count ? "" : " []");
    for (int i = 0; i < m->block_count; i++) {
        fputs("- {name: ", out);
        print_quoted(out, m->blocks[i].name);
        fprintf(out, ", dtype: %s, elems: %" PRId64 "}\n", ann_dtype_name(m->blocks[i].dtype),
                m->blocks[i].elems);
    }
    fprintf(out, "tensors:%s\n", m->tensor_count ? "" : " []");
    for (int i = 0; i < m->tensor_count; i++) {
        const ann_tensor_info *t = &m->tensors[i];
        fputs("- {name: ", out);
        print_quoted(out, t->name);
        fprintf(out, ", dtype: %s, shape: [", ann_dtype_name(t->dtype));
        for (int d = 0; d < t->shape.rank; d++) fprintf(out, "%s%" PRId64, d ? ", " : "", t->shape.dim[d]);
        fprintf(out, "], role: %s, block: %d, offset: %" PRId64 "}\n", role_name[t->role], t->block.id,
                t->offset_elems);
    }
}

static void print_shards(FILE *out, const anni_manifest *m) {
    fputs("shards:\n", out);
    for (int r = 0; r < m->shard_count; r++) {
        const anni_shard *shard = &m->shards[r];
        fprintf(out, "- file: %s\n  bytes: %" PRId64 "\n  rest_xxh3: 0x%016" PRIx64 "\n  pieces:%s\n",
                shard->file, shard->file_bytes, shard->rest_hash, shard->piece_count ? "" : " []");
        for (int i = 0; i < shard->piece_count; i++) {
            const anni_piece *p = &shard->pieces[i];
            fprintf(out,
                    "  - {tensor: %d, begin: %" PRId64 ", elems: %" PRId64 ", offset: %" PRId64
                    ", xxh3: 0x%016" PRIx64 "}\n",
                    p->tensor, p->begin, p->elems, p->offset_bytes, p->hash);
        }
    }
}

static void print_meta(FILE *out, const ann_meta *meta) {
    fprintf(out, "meta:%s\n", meta && meta->count ? "" : " []");
    for (int i = 0; meta && i < meta->count; i++) {
        const anni_meta_entry *entry = &meta->entries[i];
        uint64_t bits;
        memcpy(&bits, &entry->f64, sizeof bits);
        fputs("- key: ", out);
        print_quoted(out, entry->key);
        switch (entry->kind) {
        case ANNI_META_I64: fprintf(out, "\n  i64: %" PRId64 "\n", entry->i64); break;
        case ANNI_META_F64: fprintf(out, "\n  f64: 0x%016" PRIx64 " # %.17g\n", bits, entry->f64); break;
        case ANNI_META_STR:
            fputs("\n  str: ", out);
            print_quoted(out, entry->str);
            fputc('\n', out);
            break;
        }
    }
}

ann_status anni_manifest_print(char **out, size_t *bytes, const anni_manifest *manifest) {
    *out = NULL;
    FILE *text = open_memstream(out, bytes);
    if (!text) return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
    fprintf(text, "format: annulus-checkpoint-1\nserial: %" PRId64 "\nstep: %" PRId64 "\n", manifest->serial,
            manifest->step);
    print_tensors(text, manifest);
    print_shards(text, manifest);
    fprintf(text, "whole: {file: " ANNI_WHOLE_NAME ", bytes: %" PRId64 ", xxh3: 0x%016" PRIx64 "}\n",
            manifest->whole_bytes, manifest->whole_hash);
    print_meta(text, manifest->meta);
    bool good = fflush(text) == 0 && !ferror(text);
    if (good) fprintf(text, "checksum: 0x%016" PRIx64 "\n", ann_hash(*out, *bytes, 0));
    good = fclose(text) == 0 && good;
    if (good) return ANN_OK;
    free(*out);
    *out = NULL;
    return ann_error(ANN_ERR_MEMORY, "no memory for a checkpoint's manifest");
}

ann_status anni_manifest_write(const char *dir, const anni_manifest *manifest) {
    char path[ANNI_PATH_BYTES], temporary[ANNI_PATH_BYTES], *text;
    size_t bytes;
    ANN_TRY(anni_path_join(path, dir, ANNI_MANIFEST_NAME));
    ANN_TRY(anni_path_join(temporary, dir, ANNI_MANIFEST_NAME ".tmp"));
    ANN_TRY(anni_manifest_print(&text, &bytes, manifest));
    const ann_status status = anni_file_write(temporary, text, bytes);
    free(text);
    ANN_TRY(status);
    return anni_rename(temporary, path);
}
