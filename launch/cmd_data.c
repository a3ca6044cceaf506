/* annulus data */
#include "cmd_data.h"

#include "cli.h"
#include "menu.h"

static const menu_item commands[] = {
    {"import", "FORMAT ...", "make a dataset of files of another format", cmd_data_import},
    {"info", "FILE", "print what is in a dataset", cmd_data_info},
    {"verify", "FILE", "read everything and compare it with the checksums", cmd_data_verify},
    {"split", "FILE OUT.h5", "divide the samples: train and test, by numbers, or by class", cmd_data_split},
    {"merge", "FILE... OUT.h5", "make one dataset of several", cmd_data_merge},
    {"transform", "DESCRIPTOR.yaml FILE OUT.h5", "make a dataset of another domain", cmd_data_transform},
    {"sample", "FILE", "show some samples: a contact sheet, text or a table", cmd_data_sample},
    {"bpe", "TEXT... OUT.bpe", "learn a byte-pair encoding of text", cmd_data_bpe},
};

int cmd_data(int argc, char **argv) {
    const menu m = {.command = "annulus data",
                    .item = "command",
                    .about = "makes and inspects datasets, which are HDF5 files.",
                    .notes = "",
                    .items = commands,
                    .count = sizeof commands / sizeof commands[0]};
    return menu_run(&m, argc, argv);
}
