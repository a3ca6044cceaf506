/* The program `annulus`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/status.h"
#include "base/version.h"
#include "base/yaml.h"
#include "blas.h"
#include "cli.h"

static const struct {
    const char *name, *doc;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "run the graph of phases of a run file, a part of it, or only estimate it", cmd_run},
    {"train", "run all phases of a run file, or check it", cmd_train},
    {"data", "make and inspect datasets", cmd_data},
    {"ckpt", "list, check, compare and convert checkpoints", cmd_ckpt},
    {"lineage", "print from which phase, data, code and parents a checkpoint came", cmd_lineage},
    {"graph", "print the graph of a phase before and after each pass", cmd_graph},
    {"look", "show what a phase has learned: pictures, accuracy, a linear probe", cmd_look},
    {"bench", "measure what communication costs on these hosts", cmd_bench},
    {"plan", "predict how a run behaves on machines that are not at hand", cmd_plan},
    {"coordinator", "serve runs: which phase is next, metrics, requests of operators", cmd_coordinator},
    {"ctl", "ask the coordinator about runs, and steer them", cmd_ctl},
    {"slurm", "write or submit a batch script for a run", cmd_slurm},
    {"doctor", "say whether it is safe to start a run on these hosts", cmd_doctor},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *to) {
    fputs("annulus trains neural networks on the CPUs of one machine or of many.\n\n"
          "usage: annulus COMMAND [OPTION...] [ARGUMENT...]\n"
          "       mpirun -n RANKS annulus run [OPTION...] RUN.yaml\n\ncommands:\n",
          to);
    for (int i = 0; i < COMMAND_COUNT; i++) fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].doc);
    fputs("\noptions:\n"
          "  --help     this text; annulus COMMAND --help is complete for the command\n"
          "  --version  version and git revision\n\n"
          "exit codes:\n"
          "   0  success\n"
          "   1  failure of the program or of the machine (memory)\n"
          "   2  a mistake in the command line or in the run file\n"
          "   4  a file or a name was not found\n"
          "   5  input or output failed, or the disk is full\n"
          "   6  a file has a bad format or is damaged\n"
          "   7  a rank was lost, silent for too long, or could not communicate; a training job ends with 7 "
          "for nothing\n"
          "      else. annulus ctl: the coordinator cannot be reached\n"
          "   8  a value is not a finite number: data, loss or parameters\n"
          "   9  ranks that must hold the same parameters do not\n"
          "  75  stopped on request, or before the job's deadline, after a checkpoint: start again with "
          "--resume\n",
          to);
}

static int unknown_command(const char *name) {
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++) names[i] = commands[i].name;
    if (!cli_is_first_rank()) return ann_status_exit_code(ANN_ERR_CONFIG);
    const char *nearest = ann_nearest_word(name, names, COMMAND_COUNT);
    fprintf(stderr, "annulus: unknown command '%s', ", name);
    if (nearest) fprintf(stderr, "did you mean '%s'?\n", nearest);
    else {
        fputs("accepted are ", stderr);
        for (int i = 0; i < COMMAND_COUNT; i++) fprintf(stderr, "%s%s", i ? ", " : "", names[i]);
        fputs("; see annulus --help\n", stderr);
    }
    return ann_status_exit_code(ANN_ERR_CONFIG);
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return ann_status_exit_code(ANN_ERR_CONFIG);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("annulus %s (%s)\n", ann_version(), ann_revision());
        return 0;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, argv[1]) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv) {
    blas_settle(argv);
    const int code = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("annulus: standard output could not be written\n", stderr);
        return code ? code : ann_status_exit_code(ANN_ERR_IO);
    }
    return code;
}
