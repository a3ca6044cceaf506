/* annulus ckpt merge, reshard, export, import */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "cli.h"
#include "cmd_ckpt.h"

static int wrong(cli_result parsed) { return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG); }

static ann_status open_checkpoint(ann_ckpt **out, const char *arg) {
    char path[ANN_CKPT_PATH_BYTES];
    ANN_TRY(ann_ckpt_resolve(path, arg));
    return ann_ckpt_peek(out, path);
}

/* ---- merge, reshard ---- */

#define RESHARD_NOTES                                                                                        \
    "FOLDER gets the checkpoint under its own name, step-NNNNNNNNNN, and is made if it is missing; put in "  \
    "the place of\n"                                                                                         \
    "a phase's folder, a job resumes from it. Tensors and metadata stay the same: annulus ckpt diff says "   \
    "\"equal\".\n"                                                                                           \
    "The number of shards does not matter to anybody but file systems: a job on any number of ranks reads "  \
    "any.\n\n"

static const char merge_help[] = "annulus ckpt merge writes a checkpoint again, in one shard.\n\n"
                                 "usage: annulus ckpt merge PATH FOLDER\n\n" RESHARD_NOTES "options:\n"
                                 "  --help     this text\n";

static const char reshard_help[] =
    "annulus ckpt reshard writes a checkpoint again, in another number of shards.\n\n"
    "usage: annulus ckpt reshard --shards N PATH FOLDER\n\n" RESHARD_NOTES "options:\n"
    "  --shards N   how many, 1 to 65536\n"
    "  --help       this text\n";

static int reshard(const char *from, const char *to, int shards) {
    ann_ckpt *ckpt = NULL;
    char made[ANN_CKPT_PATH_BYTES];
    ann_status status = open_checkpoint(&ckpt, from);
    if (status == ANN_OK) status = ann_ckpt_reshard(made, ckpt, to, shards);
    if (status == ANN_OK)
        printf("%s: %d tensors in %d shard%s\n", made, ann_ckpt_tensor_count(ckpt), shards,
               shards == 1 ? "" : "s");
    ann_ckpt_close(ckpt);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int cmd_ckpt_merge(int argc, char **argv) {
    const cli c = {"annulus ckpt merge", merge_help, NULL, 0};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 2) return cli_wrong(&c, "a checkpoint and a folder are needed, found %d arguments", count);
    return reshard(argv[0], argv[1], 1);
}

int cmd_ckpt_reshard(int argc, char **argv) {
    const char *text = NULL;
    const cli_option options[] = {{.name = "--shards", .value = &text}};
    const cli c = {"annulus ckpt reshard", reshard_help, options, 1};
    int count;
    int64_t shards;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 2) return cli_wrong(&c, "a checkpoint and a folder are needed, found %d arguments", count);
    if (!text) return cli_wrong(&c, "--shards is missing");
    if (!cli_int(&c, "--shards", text, 1, 65536, &shards)) return ann_status_exit_code(ANN_ERR_CONFIG);
    return reshard(argv[0], argv[1], (int)shards);
}

/* ---- export ---- */

static const char export_help[] =
    "annulus ckpt export writes tensors of a checkpoint into one file that other programs read: h5py, "
    "safetensors,\n"
    "numpy.load. Names, shapes and dtypes stay; metadata go along where the format has a place for them (h5: "
    "attributes\n"
    "meta/KEY; safetensors: its strings). OUT is replaced once the new file is complete.\n\n"
    "usage: annulus ckpt export [OPTION...] PATH OUT\n\n"
    "options:\n"
    "  --format FORMAT    h5, safetensors or npz (default: by OUT's suffix)\n"
    "  --tensors PATTERN  only these: * and ?, comma between patterns, ! takes away\n"
    "  --role ROLE        model: parameters and running statistics (default); parameters; all: optimizer "
    "state too\n"
    "  --help             this text\n";

/* Index of the word, or -1. */
static int choose(const char *word, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0) return i;
    return -1;
}

static int export_to(const char *from, const char *to, const ann_ckpt_export_options *options) {
    ann_ckpt *ckpt = NULL;
    int tensors = 0;
    int64_t bytes = 0;
    ann_status status = open_checkpoint(&ckpt, from);
    if (status == ANN_OK) status = ann_ckpt_export(&tensors, &bytes, ckpt, to, options);
    ann_ckpt_close(ckpt);
    if (status == ANN_OK) printf("%s: %d tensors, %" PRId64 " bytes\n", to, tensors, bytes);
    return status == ANN_OK ? 0 : cli_fail(status);
}

int cmd_ckpt_export(int argc, char **argv) {
    static const char *const formats[] = {"h5", "safetensors", "npz"};
    static const char *const roles[] = {"model", "parameters", "all"};
    const char *format = NULL, *role = "model", *pattern = "*";
    const cli_option options[] = {{.name = "--format", .value = &format},
                                  {.name = "--tensors", .value = &pattern},
                                  {.name = "--role", .value = &role}};
    const cli c = {"annulus ckpt export", export_help, options, sizeof options / sizeof options[0]};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return wrong(parsed);
    if (count != 2) return cli_wrong(&c, "a checkpoint and a file are needed, found %d arguments", count);
    const int chosen = format ? choose(format, formats, 3) : 0, r = choose(role, roles, 3);
    ann_ckpt_file_format f = (ann_ckpt_file_format)chosen;
    if (chosen < 0) return cli_wrong(&c, "--format: found '%s', accepted are h5, safetensors, npz", format);
    if (!format && !ann_ckpt_file_format_of(&f, argv[1]))
        return cli_wrong(&c, "--format is needed, as '%s' does not end in .h5, .safetensors or .npz",
                         argv[1]);
    if (r < 0) return cli_wrong(&c, "--role: found '%s', accepted are model, parameters, all", role);
    return export_to(argv[0], argv[1], &(ann_ckpt_export_options){f, pattern, (ann_ckpt_roles)r});
}

/* ---- import ---- */

static const char import_help[] =
    "annulus ckpt import makes a checkpoint of a safetensors, npz, npy or HDF5 file, for the other commands "
    "and for\n"
    "phases[].load of a run file (which takes such files directly, too). The format is told by the file's "
    "contents.\n"
    "f16 and bf16 become f32, small integers i32; the report says what was converted, renamed or skipped.\n\n"
    "usage: annulus ckpt import [OPTION...] FILE FOLDER\n\n"
    "options:\n"
    "  --tensors PATTERN   only these, by their new names: * and ?, comma between patterns, ! takes away\n"
    "  --rename FROM=TO    new name of a tensor; a * stands for the same text in both; may be repeated, the "
    "first\n"
    "                      that matches counts\n"
    "  --strict            fail if anything has to be skipped or converted\n"
    "  --step N            step of the checkpoint (default 0): FOLDER/step-N\n"
    "  --help              this text\n";

/* Cuts each "FROM=TO" in two, in place. */
static bool parse_renames(const cli *c, ann_rename *rules, char **texts, int count) {
    for (int i = 0; i < count; i++) {
        char *equals = strchr(texts[i], '=');
        if (equals) *equals = '\0';
        rules[i] = (ann_rename){texts[i], equals ? equals + 1 : ""};
        if (ann_rename_is_good(&rules[i])) continue;
        cli_wrong(c, "--rename: accepted is FROM=TO, with no more * in TO than in FROM and at most %d",
                  ANN_RENAME_STARS);
        return false;
    }
    return true;
}

static int import_from(const char *file, const char *folder, const ann_ckpt_import_options *options) {
    char made[ANN_CKPT_PATH_BYTES];
    const ann_status status = ann_ckpt_import(made, file, folder, options, cli_print, NULL);
    if (status != ANN_OK) return cli_fail(status);
    printf("%s\n", made);
    return 0;
}

int cmd_ckpt_import(int argc, char **argv) {
    const char *pattern = "*", *step_text = "0";
    char **renames = calloc((size_t)argc, sizeof *renames);
    ann_rename *rules = calloc((size_t)argc, sizeof *rules);
    int rename_count = 0, count, code = ann_status_exit_code(ANN_ERR_CONFIG);
    int64_t step;
    bool strict = false;
    const cli_option options[] = {
        {.name = "--tensors", .value = &pattern},
        {.name = "--rename", .list = (const char **)renames, .list_count = &rename_count},
        {.name = "--strict", .flag = &strict},
        {.name = "--step", .value = &step_text}};
    const cli c = {"annulus ckpt import", import_help, options, sizeof options / sizeof options[0]};
    const cli_result parsed = renames && rules ? cli_parse(&c, argc, argv, &count) : CLI_WRONG;
    if (!renames || !rules) code = cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    else if (parsed != CLI_GO) code = wrong(parsed);
    else if (count != 2) code = cli_wrong(&c, "a file and a folder are needed, found %d arguments", count);
    else if (cli_int(&c, "--step", step_text, 0, INT64_MAX, &step) &&
             parse_renames(&c, rules, renames, rename_count))
        code = import_from(argv[0], argv[1],
                           &(ann_ckpt_import_options){pattern, rules, rename_count, step, strict});
    free(renames);
    free(rules);
    return code;
}
