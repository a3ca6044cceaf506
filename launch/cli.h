/* The program `annulus`: one function per subcommand. Each gets its own arguments (argv[0] is its name),
   prints its help on --help, and returns the exit code. Only this folder prints to stdout, ends the process,
   and starts and ends MPI. */
#ifndef ANNULUS_LAUNCH_CLI_H
#define ANNULUS_LAUNCH_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

int cmd_run(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_ckpt(int argc, char **argv);
int cmd_lineage(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_look(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_slurm(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_coordinator(int argc, char **argv);
int cmd_ctl(int argc, char **argv);

/* ---- options: --name VALUE, --name=VALUE, --flag; "--" ends them ---- */

typedef struct cli_option {
    const char *name;   /* "--set" */
    bool *flag;         /* set to true; or */
    const char **value; /* set to the value; or */
    const char **list;  /* gets every value, one after the other (room for argc of them) */
    int *list_count;
} cli_option;

typedef struct cli {
    const char *command; /* "annulus train": stands before complaints */
    const char *help;    /* the whole text of --help */
    const cli_option *options;
    int option_count;
} cli;

typedef enum cli_result { CLI_GO, CLI_HELP, CLI_WRONG } cli_result;

/* Sets options and moves the other arguments to argv[0 .. *count). CLI_HELP: help was asked for and has been
   printed; CLI_WRONG: a complaint has been written. */
cli_result cli_parse(const cli *c, int argc, char **argv, int *count);
/* Writes "annulus CMD: <text>; see annulus CMD --help" to stderr. Returns exit code 2. */
int cli_wrong(const cli *c, const char *fmt, ...) ANN_PRINTF(2, 3);
/* Complaints about a command line are written by one of the processes that mpirun starts with it; MPI is not
 * running yet. */
bool cli_is_first_rank(void);
/* An integer option's text; false (after a complaint) if it is none or not within min..max. */
bool cli_int(const cli *c, const char *name, const char *text, int64_t min, int64_t max, int64_t *out);

/* Writes the thread's error to stderr as one line. Returns the exit code of `status`. */
int cli_fail(ann_status status);
/* For the callbacks of the library: a line to stdout, at once. */
void cli_print(void *to, const char *line);

#endif
