/* annulus data import text */
#include <string.h>
#include "data_import.h"

static const char help[] =
    "annulus data import text makes a dataset of texts: one stream of tokens, cut into samples of L + 1.\n\n"
    "usage: annulus data import text [OPTION...] TEXT... OUT.h5\n\n"
    "x[0..L) of a sample are inputs, x[1..L+1) is what follows each of them; the next sample begins with the "
    "last token of\nthis one. The tokens' bytes are stored as /vocabulary. With --test-fraction, the test "
    "split "
    "is the end of the text.\nOUT.h5 is replaced if it exists, once the new one is complete.\n\n"
    "options:\n"
    "  --level LEVEL      byte (default): 256 tokens; char: the characters that occur, of UTF-8; bpe: byte "
    "pairs\n"
    "  --bpe FILE         of annulus data bpe; --level bpe needs no saying then\n"
    "  --length L         tokens of a sample, without the one that follows (default "
    "256)\n" IMPORT_OPTIONS_HELP;

int cmd_import_text(int argc, char **argv) {
    static const char command[] = "annulus data import text";
    static const char *const levels[] = {"byte", "char", "bpe"};
    const char *level = NULL, *bpe = NULL, *length_text = "256";
    const cli_option options[] = {{.name = "--level", .value = &level},
                                  {.name = "--bpe", .value = &bpe},
                                  {.name = "--length", .value = &length_text}};
    const cli c = {command, help, NULL, 0};
    import_args args;
    int count, code;
    int64_t length;
    if (!import_begin(&args, &code, command, help, options, 3, argc, argv, &count)) return code;
    if (count < 2) return import_wrong(&args, command, "TEXT and OUT.h5 are needed");
    if (!cli_int(&c, "--length", length_text, 1, 1 << 24, &length)) {
        (void)import_end(&args, ANN_OK);
        return ann_status_exit_code(ANN_ERR_CONFIG);
    }
    if (level == NULL) level = bpe != NULL ? "bpe" : "byte";
    int l = 0;
    while (l < 3 && strcmp(levels[l], level) != 0) l++;
    if (l == 3) return import_wrong(&args, command, "--level: accepted are byte, char and bpe");
    if (l == ANN_TEXT_BPE && bpe == NULL)
        return import_wrong(&args, command, "--level bpe needs --bpe FILE, made by annulus data bpe");
    if (l != ANN_TEXT_BPE && bpe != NULL) return import_wrong(&args, command, "--bpe goes with --level bpe");
    args.options.out = argv[count - 1];
    const ann_import_text_options text = {.texts = (const char *const *)argv,
                                          .text_count = count - 1,
                                          .level = (ann_text_level)l,
                                          .bpe = bpe,
                                          .length = length};
    return import_end(&args, ann_import_text(&args.options, &text));
}
