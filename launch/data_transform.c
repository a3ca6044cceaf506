/* annulus data transform */
#include "cmd_data.h"
#include "data_import.h"

static const char command[] = "annulus data transform";
static const char help[] =
    "annulus data transform makes a dataset of another domain of one of images: every sample of all splits, "
    "changed.\n\n"
    "usage: annulus data transform [OPTION...] DESCRIPTOR.yaml FILE OUT.h5\n\n"
    "The descriptor says how. Ops are applied in the order of the list; of [low, high] a number is drawn for "
    "each sample:\n\n"
    "  name: fashion-shifted        # of the new dataset\n"
    "  seed: 1                      # of what is drawn (default 0)\n"
    "  transform:\n"
    "    - invert: {}\n"
    "    - texture: { level: [0.3, 0.8], background: 1, edge: 0.1, cell: 8, octaves: 3 }\n"
    "    - blur: { sigma: 0.7 }\n"
    "    - brightness: { factor: [0.5, 0.7] }\n"
    "    - rotate: { degrees: [-15, 15], border: reflect }\n\n"
    "Labels, other fields and class names are kept. The same descriptor and file give the same bytes. OUT.h5 "
    "is replaced if\nit exists. datasets/README.md has the formulas.\n\n"
    "options:\n"
    "  --name NAME        name of the new dataset (default: that of the descriptor, or of OUT.h5)\n"
    "  --shard N          files of at most N samples each, and OUT.h5 as an index over them\n"
    "  --compress LEVEL   store in chunks, shuffled and gzipped (1 to 9); without it, contiguous\n"
    "  --help             this text\n";

int cmd_data_transform(int argc, char **argv) {
    import_args args;
    int count, code;
    if (!import_begin(&args, &code, command, help, NULL, 0, argc, argv, &count)) return code;
    if (args.options.class_count > 0) return import_wrong(&args, command, "unknown option --classes");
    if (args.options.test_fraction > 0) return import_wrong(&args, command, "unknown option --test-fraction");
    if (count != 3) return import_wrong(&args, command, "DESCRIPTOR.yaml, FILE and OUT.h5 are needed");
    args.options.out = argv[2];
    return import_end(&args, ann_dataset_transform(&args.options, argv[0], argv[1]));
}
