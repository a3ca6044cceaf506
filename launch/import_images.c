/* annulus data import images */
#include "data_import.h"
#include "data_text.h"

static const char command[] = "annulus data import images";

static const char help[] =
    "annulus data import images makes an HDF5 dataset of folders of PNG and JPEG files, one folder for each "
    "class.\n\n"
    "usage: annulus data import images [OPTION...] FOLDER OUT.h5\n\n"
    "FOLDER/CLASS/FILE, or FOLDER/train/CLASS/FILE and FOLDER/test/CLASS/FILE. Classes are numbered in the "
    "order of "
    "their\nnames. Files with other endings than .png, .jpg and .jpeg are left out. Transparent parts are "
    "laid on "
    "black. An image\nthat is damaged is a bad record, and so is one of another size than the first one "
    "without "
    "--size.\n\n"
    "options:\n"
    "  --size HxW         resize every image to H rows of W pixels (its sides' ratio is not kept)\n"
    "  --gray             one channel, the brightness; without it three, red, green and "
    "blue\n" IMPORT_OPTIONS_HELP;

int cmd_import_images(int argc, char **argv) {
    ann_import_images_options images = {0};
    const char *size = NULL;
    const cli_option options[] = {{.name = "--size", .value = &size},
                                  {.name = "--gray", .flag = &images.gray}};
    import_args args;
    int count, code;
    if (!import_begin(&args, &code, command, help, options, 2, argc, argv, &count)) return code;
    if (count != 2) return import_wrong(&args, command, "FOLDER and OUT.h5 are needed");
    if (size && !data_text_size(&images.height, &images.width, size))
        return import_wrong(&args, command, "--size: accepted is HxW, rows and columns from 1 to 32768");
    images.folder = argv[0];
    args.options.out = argv[1];
    return import_end(&args, ann_import_images(&args.options, &images));
}
