/* annulus data verify */
#include "datasets/import.h"
#include "cli.h"
#include "cmd_data.h"

static const char help[] = "annulus data verify reads all data of a dataset and compares it with the "
                           "checksums.\n\n"
                           "usage: annulus data verify FILE\n\n"
                           "options:\n"
                           "  --help     this text\n\n"
                           "The exit code is 0 if all is as it was written, 6 if something differs, and 4 if "
                           "there is no checksum.\n";

int cmd_data_verify(int argc, char **argv) {
    const cli c = {"annulus data verify", help, NULL, 0};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (count != 1) return cli_wrong(&c, "one file is needed, found %d", count);
    const ann_status status = ann_dataset_verify(argv[0], cli_print, NULL);
    return status == ANN_OK ? 0 : cli_fail(status);
}
