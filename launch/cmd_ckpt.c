/* annulus ckpt */
#include "cmd_ckpt.h"

#include "cli.h"
#include "menu.h"

static const menu_item commands[] = {
    {"ls", "PATH", "list the checkpoints of a run, or of one phase", cmd_ckpt_ls},
    {"info", "PATH", "print what is in a checkpoint", cmd_ckpt_info},
    {"verify", "PATH", "read everything and compare it with the checksums", cmd_ckpt_verify},
    {"diff", "A B", "which tensors and metadata differ, and by how much", cmd_ckpt_diff},
    {"merge", "PATH FOLDER", "write a checkpoint again, in one shard", cmd_ckpt_merge},
    {"reshard", "PATH FOLDER", "write a checkpoint again, in another number of shards", cmd_ckpt_reshard},
    {"export", "PATH OUT", "write tensors as one h5, safetensors or npz file", cmd_ckpt_export},
    {"import", "FILE FOLDER", "make a checkpoint of an h5, safetensors, npz or npy file", cmd_ckpt_import},
    {"prune", "FOLDER", "remove old checkpoints", cmd_ckpt_prune},
};

int cmd_ckpt(int argc, char **argv) {
    const menu m = {
        .command = "annulus ckpt",
        .item = "command",
        .about = "inspects, compares and converts checkpoints. No job needs to run, and none is disturbed.",
        .notes = "PATH is a checkpoint (OUTPUT/PHASE/step-0000000100, or OUTPUT/PHASE/best), or the folder "
                 "of a phase "
                 "(OUTPUT/PHASE),\nwhich stands for the newest checkpoint in it, or a run's output folder if "
                 "it has "
                 "one phase.\n",
        .items = commands,
        .count = sizeof commands / sizeof commands[0]};
    return menu_run(&m, argc, argv);
}
