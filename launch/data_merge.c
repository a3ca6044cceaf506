/* annulus data merge */
#include "cmd_data.h"
#include "data_import.h"

static const char command[] = "annulus data merge";
static const char help[] =
    "annulus data merge makes one dataset of several.\n\n"
    "usage: annulus data merge [OPTION...] FILE... OUT.h5\n\n"
    "Each split of OUT.h5 has the samples of that split of all files, one file after the other. The files "
    "have "
    "the same\nfields, of the same shapes; classes are united by name. OUT.h5 is replaced if it exists.\n\n"
    "options:\n"
    "  --name NAME        name of the new dataset (default: that of OUT.h5)\n"
    "  --shard N          files of at most N samples each, and OUT.h5 as an index over them\n"
    "  --compress LEVEL   store in chunks, shuffled and gzipped (1 to 9); without it, contiguous\n"
    "  --help             this text\n";

int cmd_data_merge(int argc, char **argv) {
    import_args args;
    int count, code;
    if (!import_begin(&args, &code, command, help, NULL, 0, argc, argv, &count)) return code;
    if (args.options.class_count > 0) return import_wrong(&args, command, "unknown option --classes");
    if (args.options.test_fraction > 0) return import_wrong(&args, command, "unknown option --test-fraction");
    if (count < 3) return import_wrong(&args, command, "two files at least and OUT.h5 are needed");
    args.options.out = argv[count - 1];
    return import_end(&args, ann_dataset_merge(&args.options, (const char *const *)argv, count - 1));
}
