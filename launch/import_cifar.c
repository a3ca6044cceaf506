/* annulus data import cifar */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data_import.h"

static const char command[] = "annulus data import cifar";

static const char help[] =
    "annulus data import cifar makes an HDF5 dataset of CIFAR-10 or CIFAR-100, \"binary version\".\n\n"
    "usage: annulus data import cifar [OPTION...] FOLDER OUT.h5\n"
    "       annulus data import cifar [OPTION...] --train FILE... [--test FILE...] OUT.h5\n\n"
    "FOLDER has data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10), or train.bin and "
    "test.bin\n"
    "(CIFAR-100, whose y is the fine label; the coarse one is the field \"coarse\"). Names of the classes "
    "are "
    "read from\nbatches.meta.txt, or fine_label_names.txt and coarse_label_names.txt, where they are.\n\n"
    "options:\n"
    "  --train FILE, --test FILE\n"
    "                     the files, where they have other names; each may be given more than "
    "once\n" IMPORT_OPTIONS_HELP;

enum { PATH_BYTES = 4096, BATCHES = 5 };

static ann_status import_folder(const ann_import_options *options, const char *folder) {
    char paths[BATCHES + 1][PATH_BYTES];
    const char *train[BATCHES] = {paths[0]}, *test = paths[BATCHES];
    snprintf(paths[0], PATH_BYTES, "%s/train.bin", folder);
    snprintf(paths[BATCHES], PATH_BYTES, "%s/test.bin", folder);
    ann_import_cifar_options cifar = {
        .train = train, .train_count = 1, .test = &test, .test_count = 1, .classes = 100};
    if (access(paths[0], F_OK) != 0) {
        for (int i = 0; i < BATCHES; i++) {
            snprintf(paths[i], PATH_BYTES, "%s/data_batch_%d.bin", folder, i + 1);
            train[i] = paths[i];
        }
        snprintf(paths[BATCHES], PATH_BYTES, "%s/test_batch.bin", folder);
        cifar.train_count = BATCHES;
        cifar.classes = 10;
    }
    return ann_import_cifar(options, &cifar);
}

/* lists: two times room for argc names. */
static int run(int argc, char **argv, const char **lists) {
    const char **train = lists, **test = lists + argc;
    int train_count = 0, test_count = 0, count, code;
    const cli_option options[] = {{.name = "--train", .list = train, .list_count = &train_count},
                                  {.name = "--test", .list = test, .list_count = &test_count}};
    import_args args;
    if (!import_begin(&args, &code, command, help, options, 2, argc, argv, &count)) return code;
    const bool named = train_count + test_count > 0;
    if (count != (named ? 1 : 2))
        return import_wrong(&args, command,
                            named ? "with --train one argument is needed, OUT.h5"
                                  : "FOLDER and OUT.h5 are needed");
    if (named && train_count == 0) return import_wrong(&args, command, "--train is missing");
    args.options.out = argv[count - 1];
    if (!named) return import_end(&args, import_folder(&args.options, argv[0]));
    const ann_import_cifar_options cifar = {train, test, train_count, test_count, 0};
    return import_end(&args, ann_import_cifar(&args.options, &cifar));
}

int cmd_import_cifar(int argc, char **argv) {
    const char **lists = calloc(2 * (size_t)argc, sizeof *lists);
    if (!lists) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const int code = run(argc, argv, lists);
    free(lists);
    return code;
}
