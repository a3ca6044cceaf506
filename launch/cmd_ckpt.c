/* annulus ckpt */
#include "cmd_ckpt.h"

#include <string.h>
#include "base/yaml.h"
#include "cli.h"

static const struct {
    const char *name, *usage, *doc;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"ls", "PATH", "list the checkpoints of a run, or of one phase", cmd_ckpt_ls},
    {"info", "PATH", "print what is in a checkpoint", cmd_ckpt_info},
    {"verify", "PATH", "read everything and compare it with the checksums", cmd_ckpt_verify},
    {"diff", "A B", "which tensors and metadata differ, and by how much", cmd_ckpt_diff},
    {"merge", "PATH FOLDER", "write a checkpoint again, in one shard", cmd_ckpt_merge},
    {"reshard", "PATH FOLDER", "write a checkpoint again, in another number of shards", cmd_ckpt_reshard},
    {"export", "PATH OUT", "write tensors as one h5, safetensors or npz file", cmd_ckpt_export},
    {"import", "FILE FOLDER", "make a checkpoint of an h5, safetensors, npz or npy file", cmd_ckpt_import},
    {"prune", "FOLDER", "remove old checkpoints", cmd_ckpt_prune},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(void) {
    puts("annulus ckpt inspects, compares and converts checkpoints. No job needs to run, and none is "
         "disturbed.\n\n"
         "usage: annulus ckpt COMMAND [OPTION...] ARGUMENT...\n\ncommands:");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-8s %-16s %s\n", commands[i].name, commands[i].usage, commands[i].doc);
    puts("\nPATH is a checkpoint (OUTPUT/PHASE/step-0000000100), or the folder of a phase (OUTPUT/PHASE), "
         "which stands for "
         "the newest\ncheckpoint in it, or a run's output folder if it has one phase.\n"
         "annulus ckpt COMMAND --help is complete for the command.");
}

static int unknown_command(const char *name) {
    const cli c = {"annulus ckpt", NULL, NULL, 0};
    const char *names[COMMAND_COUNT];
    char accepted[256];
    size_t used = 0;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        used +=
            (size_t)snprintf(accepted + used, sizeof accepted - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    if (name[0] == '\0') return cli_wrong(&c, "a command is needed, accepted are %s", accepted);
    const char *nearest = ann_nearest_word(name, names, COMMAND_COUNT);
    if (nearest) return cli_wrong(&c, "unknown command '%s', did you mean '%s'?", name, nearest);
    return cli_wrong(&c, "unknown command '%s', accepted are %s", name, accepted);
}

int cmd_ckpt(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return 0;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}

void ckpt_print_json(FILE *to, const char *text) {
    fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') fprintf(to, "\\%c", *p);
        else if (*p < 0x20) fprintf(to, "\\u%04x", *p);
        else fputc(*p, to);
    }
    fputc('"', to);
}
