/* annulus train */
#include <stdlib.h>
#include "cli.h"
#include "phases.h"

static const char help[] =
    "annulus train runs all phases of a run file, one after the other: annulus run without a choice of "
    "phases.\n\n"
    "usage: annulus train [OPTION...] RUN.yaml\n"
    "       mpirun -n RANKS annulus train [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --check        only check the run file: keys, values, model and dataset of every phase; needs no "
    "mpirun\n"
    "  --resume       go on from the newest good checkpoint in the run's output folder, on any number of "
    "ranks;\n"
    "                 finished phases are skipped; without a checkpoint, start from the beginning. A "
    "finished phase "
    "whose\n"
    "                 configuration, data or parents (phases[].load) have changed runs again, and what it "
    "had moves "
    "to\n"
    "                 OUTPUT.1, OUTPUT.2 ...\n"
    "  --set KEY=VALUE  replace a value of the run file before it is checked, such as seed=2, "
    "output=runs/b,\n"
    "                 phases.cnn.batch=64, phases[0].program[0].lr=0.01; may be repeated\n"
    "  --threads N    threads of each rank, 1 to 1024 (default: cores of the host / ranks on it)\n"
    "  --verbose      with an error, show where in the program it was found\n"
    "  --help         this text\n\n"
    "signals: SIGUSR1 writes a checkpoint and training goes on. SIGUSR2 or SIGTERM (and the first ^C) write "
    "a\n"
    "checkpoint and end with exit code 75. With mpirun send them to mpirun, which passes SIGUSR1 and SIGUSR2 "
    "on to\n"
    "its ranks; after SIGTERM or ^C it gives them only a second, and kills them then: so use SIGUSR2.\n"
    "deadline: a job that will be ended at a known time, the Unix time in ANNULUS_DEADLINE or (set by Slurm) "
    "in\n"
    "SLURM_JOB_END_TIME, stops by itself with code 75: 10 s and three times what a checkpoint has cost so "
    "far "
    "before.\n"
    "Code 75 is every rank's, and so mpirun's and srun's.\n"
    "files: `touch OUTPUT/checkpoint.now` and `touch OUTPUT/stop.now` ask for the same; looked for once a "
    "second.\n"
    "exit codes: see annulus --help.\n\n"
    "keys of the run file (YAML):\n";

int cmd_train(int argc, char **argv) {
    const char *threads = NULL;
    bool check = false;
    phases_request r = {.sets = calloc((size_t)argc, sizeof *r.sets)};
    if (!r.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    r.leader.none = true;
    const cli_option options[] = {{.name = "--check", .flag = &check},
                                  {.name = "--resume", .flag = &r.resume},
                                  {.name = "--verbose", .flag = &r.verbose},
                                  {.name = "--threads", .value = &threads},
                                  {.name = "--set", .list = r.sets, .list_count = &r.set_count}};
    const cli c = {"annulus train", help, options, sizeof options / sizeof options[0]};
    int count, code = 0;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_HELP) ann_run_config_reference(cli_print, NULL);
    else if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (count != 1) code = cli_wrong(&c, "one run file is needed, found %d", count);
    else if (threads && !cli_int(&c, "--threads", threads, 1, 1024, &r.threads))
        code = ann_status_exit_code(ANN_ERR_CONFIG);
    else {
        r.path = argv[0];
        code = check ? phases_check(&r) : phases_run(&r);
    }
    free(r.sets);
    return code;
}
