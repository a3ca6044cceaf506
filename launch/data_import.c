/* annulus data import */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "datasets/import.h"
#include "base/log.h"
#include "cli.h"
#include "cmd_data.h"

static const char help[] = "annulus data import makes an HDF5 dataset of files of another format.\n\n"
                           "usage: annulus data import FORMAT ...   formats: idx\n\n"
                           "annulus data import idx --help is complete.\n";

static const char idx_help[] =
    "annulus data import idx makes an HDF5 dataset of IDX files (MNIST, Fashion-MNIST, EMNIST ...), gzipped "
    "or not.\n\n"
    "usage: annulus data import idx [OPTION...] FOLDER OUT.h5\n"
    "       annulus data import idx [OPTION...] --train-images FILE [--train-labels FILE]\n"
    "                               [--test-images FILE [--test-labels FILE]] OUT.h5\n\n"
    "FOLDER has train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte,\n"
    "each with or without .gz. OUT.h5 is replaced if it exists, once the new one is complete.\n\n"
    "options:\n"
    "  --name NAME        name of the dataset (default: that of OUT.h5)\n"
    "  --classes A,B,...  names of labels 0, 1, ...; a label beyond them is an error\n"
    "  --train-images FILE, --train-labels FILE, --test-images FILE, --test-labels FILE\n"
    "                     the files, where they have other names\n"
    "  --help             this text\n";

/* ---- import idx ---- */

enum { MAX_CLASSES = 256, PATH_BYTES = 4096 };

/* FOLDER/NAME if it exists, else FOLDER/NAME.gz. */
static const char *find_file(char buf[PATH_BYTES], const char *folder, const char *name) {
    snprintf(buf, PATH_BYTES, "%s/%s", folder, name);
    if (access(buf, F_OK) != 0) snprintf(buf, PATH_BYTES, "%s/%s.gz", folder, name);
    return buf;
}

/* Cuts text at its commas. */
static int split(char *text, const char *words[MAX_CLASSES]) {
    int n = 0;
    for (char *p = text; p && n < MAX_CLASSES; n++) {
        words[n] = p;
        p = strchr(p, ',');
        if (p) *p++ = '\0';
    }
    return n;
}

static void report(void *to, const char *path, int64_t done, int64_t total) {
    (void)to;
    if (done == total) ann_log_line(ANN_LOG_INFO, "%s: %lld records", path, (long long)total);
}

static int import_idx(ann_import_idx_options *import, const char *folder, char *classes) {
    char paths[4][PATH_BYTES];
    const char *names[MAX_CLASSES];
    if (folder) {
        import->train_images = find_file(paths[0], folder, "train-images-idx3-ubyte");
        import->train_labels = find_file(paths[1], folder, "train-labels-idx1-ubyte");
        import->test_images = find_file(paths[2], folder, "t10k-images-idx3-ubyte");
        import->test_labels = find_file(paths[3], folder, "t10k-labels-idx1-ubyte");
    }
    if (classes) {
        import->class_count = split(classes, names);
        import->classes = names;
    }
    import->progress = report;
    ann_status status = ann_import_idx(import);
    return status == ANN_OK ? 0 : cli_fail(status);
}

static int cmd_import_idx(int argc, char **argv) {
    ann_import_idx_options import = {0};
    const char *classes = NULL;
    const cli_option options[] = {{.name = "--name", .value = &import.name},
                                  {.name = "--classes", .value = &classes},
                                  {.name = "--train-images", .value = &import.train_images},
                                  {.name = "--train-labels", .value = &import.train_labels},
                                  {.name = "--test-images", .value = &import.test_images},
                                  {.name = "--test-labels", .value = &import.test_labels}};
    const cli c = {"annulus data import idx", idx_help, options, sizeof options / sizeof options[0]};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    const bool files = import.train_images || import.train_labels || import.test_images || import.test_labels;
    if (count != (files ? 1 : 2))
        return cli_wrong(&c, files ? "with --train-images one argument is needed, OUT.h5"
                                   : "FOLDER and OUT.h5 are needed");
    if (files && !import.train_images) return cli_wrong(&c, "--train-images is missing");
    import.out = argv[count - 1];
    char *copy = classes ? strdup(classes) : NULL;
    if (classes && !copy) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const int code = import_idx(&import, files ? NULL : argv[0], copy);
    free(copy);
    return code;
}

int cmd_data_import(int argc, char **argv) {
    const cli c = {"annulus data import", help, NULL, 0};
    if (argc > 1 && strcmp(argv[1], "idx") == 0) return cmd_import_idx(argc - 1, argv + 1);
    int count;
    if (cli_parse(&c, argc, argv, &count) == CLI_HELP) return 0;
    return cli_wrong(&c, "import needs a format, accepted is idx");
}
