/* annulus data import idx */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "data_import.h"

static const char help[] =
    "annulus data import idx makes an HDF5 dataset of IDX files (MNIST, Fashion-MNIST, EMNIST ...), gzipped "
    "or not.\n\n"
    "usage: annulus data import idx [OPTION...] FOLDER OUT.h5\n"
    "       annulus data import idx [OPTION...] --train-images FILE [--train-labels FILE]\n"
    "                               [--test-images FILE [--test-labels FILE]] OUT.h5\n\n"
    "FOLDER has train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte,\n"
    "each with or without .gz. OUT.h5 is replaced if it exists, once the new one is complete.\n\n"
    "options:\n"
    "  --train-images FILE, --train-labels FILE, --test-images FILE, --test-labels FILE\n"
    "                     the files, where they have other names; each may be given more than "
    "once\n" IMPORT_OPTIONS_HELP;

enum { PATH_BYTES = 4096, TRAIN_X = 0, TRAIN_Y, TEST_X, TEST_Y, LISTS };

/* FOLDER/NAME if it exists, else FOLDER/NAME.gz. */
static const char *find_file(char buf[PATH_BYTES], const char *folder, const char *name) {
    snprintf(buf, PATH_BYTES, "%s/%s", folder, name);
    if (access(buf, F_OK) != 0) snprintf(buf, PATH_BYTES, "%s/%s.gz", folder, name);
    return buf;
}

static ann_status import_folder(const ann_import_options *options, const char *folder) {
    char paths[4][PATH_BYTES];
    const char *const train_x = find_file(paths[0], folder, "train-images-idx3-ubyte");
    const char *const train_y = find_file(paths[1], folder, "train-labels-idx1-ubyte");
    const char *const test_x = find_file(paths[2], folder, "t10k-images-idx3-ubyte");
    const char *const test_y = find_file(paths[3], folder, "t10k-labels-idx1-ubyte");
    const ann_import_idx_options idx = {&train_x, &train_y, 1, 1, &test_x, &test_y, 1, 1};
    return ann_import_idx(options, &idx);
}

/* lists: LISTS times room for argc names. */
static int run(int argc, char **argv, const char **lists) {
    static const char command[] = "annulus data import idx";
    static const char *const names[LISTS] = {"--train-images", "--train-labels", "--test-images",
                                             "--test-labels"};
    const char **files[LISTS];
    int n[LISTS] = {0}, count, code;
    cli_option options[LISTS];
    for (int i = 0; i < LISTS; i++) {
        files[i] = lists + i * argc;
        options[i] = (cli_option){.name = names[i], .list = files[i], .list_count = &n[i]};
    }
    import_args args;
    if (!import_begin(&args, &code, command, help, options, LISTS, argc, argv, &count)) return code;
    const bool named = n[TRAIN_X] + n[TRAIN_Y] + n[TEST_X] + n[TEST_Y] > 0;
    if (count != (named ? 1 : 2))
        return import_wrong(&args, command,
                            named ? "with --train-images one argument is needed, OUT.h5"
                                  : "FOLDER and OUT.h5 are needed");
    if (named && n[TRAIN_X] == 0) return import_wrong(&args, command, "--train-images is missing");
    args.options.out = argv[count - 1];
    if (!named) return import_end(&args, import_folder(&args.options, argv[0]));
    const ann_import_idx_options idx = {files[TRAIN_X], files[TRAIN_Y], n[TRAIN_X], n[TRAIN_Y],
                                        files[TEST_X],  files[TEST_Y],  n[TEST_X],  n[TEST_Y]};
    return import_end(&args, ann_import_idx(&args.options, &idx));
}

int cmd_import_idx(int argc, char **argv) {
    const char **lists = calloc((size_t)LISTS * (size_t)argc, sizeof *lists);
    if (!lists) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const int code = run(argc, argv, lists);
    free(lists);
    return code;
}
