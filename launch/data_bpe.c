/* annulus data bpe */
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "datasets/bpe.h"
#include "cli.h"
#include "cmd_data.h"

static const char help[] =
    "annulus data bpe learns a byte-pair encoding from texts, for annulus data import text --level bpe.\n\n"
    "usage: annulus data bpe [OPTION...] TEXT... OUT.bpe\n\n"
    "The first 256 tokens are the bytes; each further one joins the two neighbouring tokens that are most "
    "frequent in the texts.\nNo token crosses from a word to a number, a sign or white space, except that a "
    "space belongs to what follows it.\nThe same texts give the same file. OUT.bpe is replaced if it "
    "exists.\n\n"
    "options:\n"
    "  --size N   tokens in the vocabulary, 256 to 1048576 (default 4096)\n"
    "  --help     this text\n";

static ann_status learn(const char *out, anni_bytes *texts, char **paths, int count, int size) {
    anni_bpe *bpe;
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += texts[i].size;
    if (bytes == 0) return ann_error(ANN_ERR_FORMAT, "%s: no text to learn from", paths[0]);
    ANN_TRY(anni_bpe_train(&bpe, texts, count, size));
    const int tokens = anni_bpe_vocabulary(bpe);
    const ann_status status = anni_bpe_write(bpe, out);
    anni_bpe_free(bpe);
    ANN_TRY(status);
    if (tokens < size) {
        ann_log_line(ANN_LOG_WARN, "%s: %d tokens, not %d: no other pair occurs twice in the texts", out,
                     tokens, size);
    } else {
        ann_log_line(ANN_LOG_INFO, "%s: %d tokens from %zu bytes of text", out, tokens, bytes);
    }
    return ANN_OK;
}

static ann_status map_and_learn(const char *out, char **paths, int count, int size) {
    anni_bytes *texts = calloc((size_t)count, sizeof *texts);
    if (texts == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    ann_status status = ANN_OK;
    int mapped = 0;
    while (mapped < count && status == ANN_OK) {
        status = anni_bytes_map(&texts[mapped], paths[mapped]);
        if (status == ANN_OK) mapped++;
    }
    if (status == ANN_OK) status = learn(out, texts, paths, count, size);
    while (mapped > 0) anni_bytes_unmap(&texts[--mapped]);
    free(texts);
    return status;
}

int cmd_data_bpe(int argc, char **argv) {
    const char *size_text = "4096";
    const cli_option options[] = {{.name = "--size", .value = &size_text}};
    const cli c = {"annulus data bpe", help, options, sizeof options / sizeof options[0]};
    int count;
    int64_t size;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (!cli_int(&c, "--size", size_text, ANNI_BPE_BYTES, ANNI_BPE_MAX_VOCABULARY, &size))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    if (count < 2) return cli_wrong(&c, "TEXT and OUT.bpe are needed");
    const ann_status status = map_and_learn(argv[count - 1], argv, count - 1, (int)size);
    return status == ANN_OK ? 0 : cli_fail(status);
}
