/* The subcommands of `annulus ckpt`. Each gets its own arguments (argv[0] is its name), prints its help on
   --help, and returns the exit code. */
#ifndef ANNULUS_LAUNCH_CMD_CKPT_H
#define ANNULUS_LAUNCH_CMD_CKPT_H

#include <stdio.h>

int cmd_ckpt_ls(int argc, char **argv);
int cmd_ckpt_info(int argc, char **argv);
int cmd_ckpt_verify(int argc, char **argv);
int cmd_ckpt_diff(int argc, char **argv);
int cmd_ckpt_merge(int argc, char **argv);
int cmd_ckpt_reshard(int argc, char **argv);
int cmd_ckpt_export(int argc, char **argv);
int cmd_ckpt_import(int argc, char **argv);
int cmd_ckpt_prune(int argc, char **argv);

#endif
