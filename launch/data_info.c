/* annulus data info */
#include "datasets/import.h"
#include "cli.h"
#include "cmd_data.h"

static const char help[] = "annulus data info describes a dataset: name, source, classes, mean and std; "
                           "per split its samples, fields with dtype,\n"
                           "shape and storage, samples per class, checksum.\n\n"
                           "usage: annulus data info FILE\n\n"
                           "options:\n"
                           "  --help     this text\n";

int cmd_data_info(int argc, char **argv) {
    const cli c = {"annulus data info", help, NULL, 0};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (count != 1) return cli_wrong(&c, "one file is needed, found %d", count);
    const ann_status status = ann_dataset_describe(argv[0], cli_print, NULL);
    return status == ANN_OK ? 0 : cli_fail(status);
}
