// runs: 500
/* Texts and vocabularies. The first byte chooses options, the second the level; with byte pairs, what stands
   up to the first NUL is the vocabulary file (without its last line, the hash, which is added here), and the
   rest the text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "datasets/bpe.h"
#include "datasets/import.h"
#include "fuzz/fuzz.h"

static const char *write_vocabulary(const uint8_t *data, size_t size) {
    enum { TAIL = 32 };
    char *text = malloc(size + TAIL);
    fuzz_require(text != NULL, "out of memory");
    if (size > 0) memcpy(text, data, size);
    const int tail = snprintf(text + size, TAIL, "xxh3 %016" PRIx64 "\n", ann_hash(data, size, 0));
    const char *path = fuzz_file("vocabulary", text, size + (size_t)tail);
    free(text);
    return path;
}

/* What is encoded decodes to itself. */
static void there_and_back(const char *vocabulary, anni_bytes text) {
    anni_bpe *bpe;
    const ann_status status = anni_bpe_read(&bpe, vocabulary);
    fuzz_check_failure(status);
    if (status != ANN_OK) return;
    const int64_t room = (int64_t)text.size + ANNI_BPE_PIECE;
    int32_t *tokens = malloc((size_t)room * sizeof *tokens);
    uint8_t *back = malloc(text.size + 1);
    fuzz_require(tokens != NULL && back != NULL, "out of memory");
    size_t used, size;
    const int64_t n = anni_bpe_encode(bpe, text, tokens, room, &used);
    fuzz_require(used == text.size, "not all was encoded");
    fuzz_require(anni_bpe_decode(bpe, tokens, n, back, text.size, &size) == ANN_OK,
                 "a token that cannot be decoded");
    fuzz_require(size == text.size && (size == 0 || memcmp(back, text.data, size) == 0),
                 "another text came back");
    free(back);
    free(tokens);
    anni_bpe_free(bpe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const ann_text_level level = (ann_text_level)(data[1] % 3);
    const uint8_t *text = data + 2;
    const uint8_t *const end = data + size, *cut = NULL;
    const char *vocabulary = NULL;
    if (level == ANN_TEXT_BPE) {
        cut = memchr(text, '\0', size - 2);
        vocabulary = write_vocabulary(text, (size_t)((cut ? cut : end) - text));
        text = cut ? cut + 1 : end;
        there_and_back(vocabulary, (anni_bytes){text, (size_t)(end - text)});
    }
    ann_import_options options;
    fuzz_import_options(&options, data[0]);
    const char *file = fuzz_file("text", text, (size_t)(end - text));
    const ann_import_text_options import = {
        .texts = &file, .text_count = 1, .level = level, .bpe = vocabulary, .length = 1 + data[0] / 16};
    fuzz_check_failure(ann_import_text(&options, &import));
    return 0;
}
