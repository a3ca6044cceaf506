/* What the formats of `annulus data import` share: options, progress, the command line's lists. One file
   each: import_FORMAT.c with its help. */
#ifndef ANNULUS_LAUNCH_DATA_IMPORT_H
#define ANNULUS_LAUNCH_DATA_IMPORT_H

#include "datasets/import.h"
#include "cli.h"

int cmd_import_idx(int argc, char **argv);
int cmd_import_cifar(int argc, char **argv);
int cmd_import_csv(int argc, char **argv);
int cmd_import_npy(int argc, char **argv);
int cmd_import_images(int argc, char **argv);
int cmd_import_hdf5(int argc, char **argv);
int cmd_import_text(int argc, char **argv);

/* The part of a format's help that describes the common options. */
#define IMPORT_OPTIONS_HELP                                                                                  \
    "  --name NAME        name of the dataset (default: that of OUT.h5)\n"                                   \
    "  --classes A,B,...  names of labels 0, 1, ...; a label beyond them is an error\n"                      \
    "  --test-fraction F  make a share of the training records the test split, e.g. 0.1; which ones\n"       \
    "                     depends on their number alone\n"                                                   \
    "  --shard N          files of at most N records each, and OUT.h5 as an index over them\n"               \
    "  --compress LEVEL   store in chunks, shuffled and gzipped (1 to 9); without it, contiguous\n"          \
    "  --chunk N          records of a chunk, with --compress (default: 256 KiB)\n"                          \
    "  --skip-bad         leave bad records out, name and count them; without it the first one is an "       \
    "error\n"                                                                                                \
    "  --help             this text\n\n"                                                                     \
    "An import that was killed goes on where it was when it is started again with the same options and\n"    \
    "files (compressed: with the first shard that was not finished).\n"

enum { IMPORT_MAX_OPTIONS = 32 };

typedef struct import_args {
    ann_import_options options; /* for ann_import_FORMAT */
    /* The rest is for import_begin and import_end. */
    const char *classes, *test_fraction, *shard, *compress, *chunk;
    char *class_text;
    const char **class_names;
    int64_t start_ns, shown_ns, start_done;
} import_args;

/* Parses the format's own options and the common ones. *count arguments are left in argv. False: done, the
   exit code is in *code. Otherwise import_end must follow. */
bool import_begin(import_args *args, int *code, const char *command, const char *help, const cli_option *own,
                  int own_count, int argc, char **argv, int *count);
/* Returns the exit code. */
int import_end(import_args *args, ann_status status);
/* A complaint about the command line. Returns the exit code. */
int import_wrong(import_args *args, const char *command, const char *text);

#endif
