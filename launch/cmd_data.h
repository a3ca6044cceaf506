/* The subcommands of `annulus data`. Each gets its own arguments (argv[0] is its name), prints its help on
   --help, and returns the exit code. */
#ifndef ANNULUS_LAUNCH_CMD_DATA_H
#define ANNULUS_LAUNCH_CMD_DATA_H

int cmd_data_import(int argc, char **argv);
int cmd_data_info(int argc, char **argv);
int cmd_data_verify(int argc, char **argv);
int cmd_data_split(int argc, char **argv);
int cmd_data_merge(int argc, char **argv);
int cmd_data_transform(int argc, char **argv);
int cmd_data_sample(int argc, char **argv);
int cmd_data_bpe(int argc, char **argv);

#endif
