/* annulus data */
#include "cmd_data.h"

#include <stdio.h>
#include <string.h>
#include "base/yaml.h"
#include "cli.h"

static const struct {
    const char *name, *usage, *doc;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"import", "FORMAT ...", "make a dataset of files of another format", cmd_data_import},
    {"info", "FILE", "print what is in a dataset", cmd_data_info},
    {"verify", "FILE", "read everything and compare it with the checksums", cmd_data_verify},
    {"split", "FILE OUT.h5", "divide the samples: train and test, by numbers, or by class", cmd_data_split},
    {"merge", "FILE... OUT.h5", "make one dataset of several", cmd_data_merge},
    {"sample", "FILE", "show some samples: a contact sheet, text or a table", cmd_data_sample},
    {"bpe", "TEXT... OUT.bpe", "learn a byte-pair encoding of text", cmd_data_bpe},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(void) {
    puts("annulus data makes and inspects datasets, which are HDF5 files.\n\n"
         "usage: annulus data COMMAND [OPTION...] ARGUMENT...\n\ncommands:");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-7s %-16s %s\n", commands[i].name, commands[i].usage, commands[i].doc);
    puts("\nannulus data COMMAND --help is complete for the command.");
}

static int unknown_command(const char *name) {
    const cli c = {"annulus data", NULL, NULL, 0};
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

int cmd_data(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return 0;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}
