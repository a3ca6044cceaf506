/* annulus data split */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cmd_data.h"
#include "data_import.h"

static const char command[] = "annulus data split";
static const char help[] =
    "annulus data split divides the samples of a dataset among new ones.\n\n"
    "usage: annulus data split --test-fraction F [OPTION...] FILE OUT.h5   splits train and test of OUT.h5\n"
    "       annulus data split --sizes A,B,... [OPTION...] FILE OUT.h5     OUT-0.h5 with A samples, OUT-1.h5 "
    "...\n"
    "       annulus data split --by-class [OPTION...] FILE OUT.h5          OUT-LABEL.h5 for each class\n\n"
    "Each sample goes to one place at most. Labelled samples are divided class by class, so that each part "
    "has "
    "the classes\nin the same proportion. The same seed and file give the same parts. Files that exist are "
    "replaced.\n\n"
    "options:\n"
    "  --split NAME       divide the samples of this split (default train); others are left out\n"
    "  --seed K           divide them otherwise (default 0)\n"
    "  --name NAME        name of the new dataset (default: that of the file)\n"
    "  --compress LEVEL   store in chunks, shuffled and gzipped (1 to 9); without it, contiguous\n"
    "  --help             this text\n";

enum { MAX_SIZES = 64 };

static int parse_sizes(int64_t sizes[MAX_SIZES], const char *text) {
    int n = 0;
    for (const char *at = text; n < MAX_SIZES;) {
        char *end;
        errno = 0;
        const long long size = strtoll(at, &end, 10);
        if (end == at || errno != 0 || size < 1) return 0;
        sizes[n++] = size;
        if (*end == '\0') return n;
        if (*end != ',') return 0;
        at = end + 1;
    }
    return 0;
}

int cmd_data_split(int argc, char **argv) {
    const char *sizes_text = NULL, *seed_text = "0";
    ann_split_options split = {.split = "train"};
    const cli_option options[] = {{.name = "--split", .value = &split.split},
                                  {.name = "--seed", .value = &seed_text},
                                  {.name = "--sizes", .value = &sizes_text},
                                  {.name = "--by-class", .flag = &split.by_class}};
    const cli c = {command, help, NULL, 0};
    import_args args;
    int count, code;
    int64_t seed, sizes[MAX_SIZES];
    if (!import_begin(&args, &code, command, help, options, 4, argc, argv, &count)) return code;
    split.test_fraction = args.options.test_fraction;
    split.sizes = sizes;
    if (sizes_text != NULL && (split.size_count = parse_sizes(sizes, sizes_text)) == 0)
        return import_wrong(&args, command, "--sizes: accepted are up to 64 numbers such as 50000,10000");
    if ((split.test_fraction > 0) + (split.size_count > 0) + split.by_class != 1)
        return import_wrong(&args, command, "one of --test-fraction, --sizes and --by-class is needed");
    if (args.options.class_count > 0) return import_wrong(&args, command, "unknown option --classes");
    if (count != 2) return import_wrong(&args, command, "FILE and OUT.h5 are needed");
    if (!cli_int(&c, "--seed", seed_text, 0, INT64_MAX, &seed)) {
        (void)import_end(&args, ANN_OK);
        return ann_status_exit_code(ANN_ERR_CONFIG);
    }
    split.seed = (uint64_t)seed;
    split.path = argv[0];
    args.options.out = argv[1];
    return import_end(&args, ann_dataset_split(&args.options, &split));
}
