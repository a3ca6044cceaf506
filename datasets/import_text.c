/* Texts, one after the other, as a stream of tokens that is cut into samples of length + 1. Nothing of the
   stream is kept: each pass reads the mapped files from the front. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "datasets/bpe.h"
#include "datasets/write.h"

enum { CODE_POINTS = 0x110000, READ_AHEAD = 1 << 16 };

typedef struct import {
    const ann_import_options *options;
    const ann_import_text_options *text;
    anni_bytes *texts; /* [text_count], mapped */
    int mapped;
    anni_bpe *bpe;
    int32_t *code_points; /* the token of each; -1: does not occur */
    int64_t vocabulary;
    int64_t *offsets; /* of the vocabulary's bytes */
    uint8_t *bytes;
    ann_arena *arena;

    /* the stream: tokens[0..count) are those from `position` on; the next one is encoded from byte `at` */
    int file;
    size_t at;
    int64_t position, count;
    int32_t *tokens; /* [length + 1 + READ_AHEAD] */
} import;

/* ---- UTF-8 ---- */

/* Bytes of the character at the front of the text, and its number; 0 if it is none: too short, overlong, a
 * surrogate, or beyond U+10FFFF. */
static int decode(anni_bytes text, int32_t *code_point) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text.data[0];
    const int size = first < 0x80   ? 1
                     : first < 0xC0 ? 0
                     : first < 0xE0 ? 2
                     : first < 0xF0 ? 3
                     : first < 0xF8 ? 4
                                    : 0;
    if (size == 0 || (size_t)size > text.size) return 0;
    int32_t value = size == 1 ? first : first & (0x7F >> size);
    for (int i = 1; i < size; i++) {
        if ((text.data[i] & 0xC0) != 0x80) return 0;
        value = (value << 6) | (text.data[i] & 0x3F);
    }
    if (value < least[size] || value >= CODE_POINTS || (value >= 0xD800 && value < 0xE000)) return 0;
    *code_point = value;
    return size;
}

static int encode(uint8_t *out, int32_t code_point) {
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    const int size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--, code_point >>= 6) out[i] = (uint8_t)(0x80 | (code_point & 0x3F));
    out[0] = (uint8_t)((0xF00 >> size) | code_point);
    return size;
}

/* ---- the vocabulary ---- */

static ann_status mark_characters(import *im, int file) {
    anni_bytes rest = im->texts[file];
    while (rest.size > 0) {
        int32_t code_point;
        const int size = decode(rest, &code_point);
        if (size == 0) {
            return ann_error(ANN_ERR_CORRUPT,
                             "%s: byte %zu (0x%02x) is no UTF-8; --level byte takes any bytes",
                             im->text->texts[file], im->texts[file].size - rest.size, rest.data[0]);
        }
        im->code_points[code_point] = 0;
        rest.data += size;
        rest.size -= (size_t)size;
    }
    return ANN_OK;
}

/* Those that occur, in ascending order. */
static ann_status number_characters(import *im) {
    im->code_points = malloc(CODE_POINTS * sizeof *im->code_points);
    if (im->code_points == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    memset(im->code_points, 0xFF, CODE_POINTS * sizeof *im->code_points);
    for (int i = 0; i < im->text->text_count; i++) ANN_TRY(mark_characters(im, i));
    for (int32_t c = 0; c < CODE_POINTS; c++)
        if (im->code_points[c] == 0) im->code_points[c] = (int32_t)im->vocabulary++;
    return ANN_OK;
}

static void spell(import *im, int64_t token, const uint8_t *bytes, size_t size) {
    memcpy(im->bytes + im->offsets[token], bytes, size);
    im->offsets[token + 1] = im->offsets[token] + (int64_t)size;
}

static ann_status spell_vocabulary(import *im) {
    const bool is_bpe = im->text->level == ANN_TEXT_BPE;
    size_t room = 4 * (size_t)im->vocabulary;
    for (int t = 0; is_bpe && t < im->vocabulary; t++) room += anni_bpe_token(im->bpe, t).size;
    im->offsets = ann_arena_alloc(im->arena, ((size_t)im->vocabulary + 1) * sizeof *im->offsets);
    im->bytes = ann_arena_alloc(im->arena, room + 1);
    if (im->offsets == NULL || im->bytes == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    if (im->text->level == ANN_TEXT_CHAR) {
        for (int32_t c = 0; c < CODE_POINTS; c++) {
            uint8_t bytes[4];
            if (im->code_points[c] >= 0) spell(im, im->code_points[c], bytes, (size_t)encode(bytes, c));
        }
        return ANN_OK;
    }
    for (int t = 0; t < im->vocabulary; t++) {
        const uint8_t byte = (uint8_t)t;
        const anni_bytes token = is_bpe ? anni_bpe_token(im->bpe, t) : (anni_bytes){&byte, 1};
        spell(im, t, token.data, token.size);
    }
    return ANN_OK;
}

static ann_status make_vocabulary(import *im) {
    if (im->text->level == ANN_TEXT_BYTE) im->vocabulary = 256;
    if (im->text->level == ANN_TEXT_CHAR) ANN_TRY(number_characters(im));
    if (im->text->level == ANN_TEXT_BPE) {
        ANN_TRY(anni_bpe_read(&im->bpe, im->text->bpe));
        im->vocabulary = anni_bpe_vocabulary(im->bpe);
    }
    return spell_vocabulary(im);
}

/* ---- the stream ---- */

static int64_t encode_characters(const import *im, anni_bytes text, int32_t *tokens, int64_t room,
                                 size_t *used) {
    int64_t count = 0;
    for (*used = 0; *used < text.size && count < room; count++) {
        int32_t code_point = 0;
        *used += (size_t)decode((anni_bytes){text.data + *used, text.size - *used}, &code_point);
        tokens[count] = im->code_points[code_point];
    }
    return count;
}

static int64_t encode_bytes(anni_bytes text, int32_t *tokens, int64_t room, size_t *used) {
    const int64_t count = (int64_t)text.size < room ? (int64_t)text.size : room;
    for (int64_t i = 0; i < count; i++) tokens[i] = text.data[i];
    *used = (size_t)count;
    return count;
}

/* Appends up to `room` tokens; false at the end of the last text. */
static bool read_on(import *im, int64_t room) {
    while (im->file < im->text->text_count && im->at == im->texts[im->file].size) im->file++, im->at = 0;
    if (im->file == im->text->text_count) return false;
    const anni_bytes rest = {im->texts[im->file].data + im->at, im->texts[im->file].size - im->at};
    int32_t *tokens = im->tokens + im->count;
    size_t used = 0;
    switch (im->text->level) {
    case ANN_TEXT_BYTE: im->count += encode_bytes(rest, tokens, room, &used); break;
    case ANN_TEXT_CHAR: im->count += encode_characters(im, rest, tokens, room, &used); break;
    case ANN_TEXT_BPE: im->count += anni_bpe_encode(im->bpe, rest, tokens, room, &used); break;
    }
    im->at += used;
    return true;
}

static void rewind_stream(import *im) {
    im->file = 0;
    im->at = 0;
    im->position = im->count = 0;
}

static void drop(import *im, int64_t count) {
    memmove(im->tokens, im->tokens + count, (size_t)(im->count - count) * sizeof *im->tokens);
    im->position += count;
    im->count -= count;
}

static int64_t count_tokens(import *im) {
    rewind_stream(im);
    while (read_on(im, READ_AHEAD)) drop(im, im->count);
    return im->position;
}

static ann_status read_record(void *self, int64_t record, void *const *fields, bool *bad) {
    import *im = self;
    const int64_t length = im->text->length, first = record * length;
    *bad = false;
    if (first < im->position) rewind_stream(im);
    for (;;) {
        const int64_t before = first - im->position < im->count ? first - im->position : im->count;
        if (im->position + im->count > first + length) {
            for (int64_t i = 0; i <= length; i++) {
                const int32_t token = im->tokens[before + i];
                if (im->vocabulary <= 256) ((uint8_t *)fields[0])[i] = (uint8_t)token;
                else ((int32_t *)fields[0])[i] = token;
            }
            return ANN_OK;
        }
        drop(im, before);
        if (!read_on(im, READ_AHEAD))
            return ann_error(ANN_ERR_IO, "%s: has become shorter", im->text->texts[0]);
    }
}

/* ---- the import ---- */

static void note_rest(const import *im, int64_t tokens, int64_t samples) {
    char line[160];
    const int64_t rest = tokens - samples * im->text->length - 1;
    snprintf(line, sizeof line,
             "%" PRId64 " tokens of %" PRId64 ", %" PRId64 " samples of %" PRId64 " + 1; %" PRId64
             " tokens at the end fill no sample",
             tokens, im->vocabulary, samples, im->text->length, rest);
    if (im->options->note != NULL) im->options->note(im->options->to, line);
}

static ann_status import_stream(import *im) {
    const ann_import_text_options *t = im->text;
    static const char *const levels[] = {"byte", "char", "bpe"};
    const int64_t tokens = count_tokens(im), samples = (tokens - 1) / t->length;
    const int64_t test = llround(im->options->test_fraction * (double)samples);
    if (tokens <= t->length) {
        return ann_error(ANN_ERR_FORMAT,
                         "%s: %" PRId64 " tokens, and one sample of length %" PRId64 " needs %" PRId64,
                         t->texts[t->text_count - 1], tokens, t->length, t->length + 1);
    }
    if (im->options->test_fraction > 0 && (test == 0 || test == samples))
        return ann_error(ANN_ERR_ARG,
                         "import: a test fraction of %g leaves one split without any of %" PRId64 " samples",
                         im->options->test_fraction, samples);
    note_rest(im, tokens, samples);
    const anni_field x = {
        .name = "x", .type = im->vocabulary <= 256 ? ANNI_U8 : ANNI_I32, .shape = ANN_SHAPE(t->length + 1)};
    const anni_table tables[] = {
        {"/vocabulary/bytes", ANNI_TABLE_U8, im->bytes, im->offsets[im->vocabulary]},
        {"/vocabulary/offsets", ANNI_TABLE_I64, im->offsets, im->vocabulary + 1},
    };
    const anni_attribute level = {"level", &levels[t->level], 0};
    const char **inputs = ann_arena_alloc(im->arena, ((size_t)t->text_count + 1) * sizeof *inputs);
    if (inputs == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    for (int i = 0; i < t->text_count; i++) inputs[i] = t->texts[i];
    inputs[t->text_count] = t->bpe;
    const int64_t shape[] = {t->level, t->length, test};
    const anni_source source = {.format = "text",
                                .inputs = inputs,
                                .input_count = t->text_count + (t->level == ANN_TEXT_BPE),
                                .identity = ann_hash(shape, sizeof shape, 0),
                                .fields = &x,
                                .field_count = 1,
                                .attributes = &level,
                                .attribute_count = 1,
                                .tables = tables,
                                .table_count = 2,
                                .splits = {{"train", samples - test}, {"test", test}},
                                .split_count = test > 0 ? 2 : 1,
                                .read = read_record,
                                .self = im};
    ann_import_options options = *im->options;
    options.test_fraction = 0; /* it is the end of the text, not a choice among the samples */
    return anni_import(&options, &source);
}

static ann_status check_options(const ann_import_options *options, const ann_import_text_options *t) {
    if (t->text_count < 1) return ann_error(ANN_ERR_ARG, "import: no text");
    if (t->length < 1 || t->length > 1 << 24)
        return ann_error(ANN_ERR_ARG, "import: samples of %" PRId64 " tokens, accepted: 1 to %d", t->length,
                         1 << 24);
    if ((t->level == ANN_TEXT_BPE) != (t->bpe != NULL))
        return ann_error(ANN_ERR_ARG, "import: level bpe and a file of `annulus data bpe` go together");
    if (!(options->test_fraction >= 0 && options->test_fraction < 1))
        return ann_error(ANN_ERR_ARG, "import: test fraction %g, accepted: 0 to 1", options->test_fraction);
    return ANN_OK;
}

static ann_status open_texts(import *im) {
    const int count = im->text->text_count;
    ANN_TRY(ann_arena_new(&im->arena));
    im->texts = ann_arena_alloc(im->arena, (size_t)count * sizeof *im->texts);
    im->tokens = malloc(((size_t)im->text->length + 1 + READ_AHEAD) * sizeof *im->tokens);
    if (im->texts == NULL || im->tokens == NULL) return ann_error(ANN_ERR_MEMORY, "import: out of memory");
    for (; im->mapped < count; im->mapped++)
        ANN_TRY(anni_bytes_map(&im->texts[im->mapped], im->text->texts[im->mapped]));
    return ANN_OK;
}

ann_status ann_import_text(const ann_import_options *options, const ann_import_text_options *text) {
    ANN_TRY(check_options(options, text));
    struct import im = {.options = options, .text = text};
    ann_status status = open_texts(&im);
    if (status == ANN_OK) status = make_vocabulary(&im);
    if (status == ANN_OK) status = import_stream(&im);
    for (int i = 0; i < im.mapped; i++) anni_bytes_unmap(&im.texts[i]);
    anni_bpe_free(im.bpe);
    free(im.code_points);
    free(im.tokens);
    ann_arena_free(im.arena);
    return status;
}
