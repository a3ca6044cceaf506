/* annulus run */
#include <stdlib.h>
#include "cli.h"
#include "phases.h"

static const char help[] =
    "annulus run runs the graph of phases of a run file, or a part of it.\n\n"
    "usage: annulus run [OPTION...] RUN.yaml\n"
    "       mpirun -n RANKS annulus run [OPTION...] RUN.yaml\n\n"
    "A phase begins when those have finished that it loads from (load: {from: PHASE}) and that it comes "
    "after "
    "(after:\n"
    "[PHASE, ...]); among those that may begin, the first of the file is next. All ranks work on one phase "
    "at a "
    "time.\n\n"
    "options:\n"
    "  --from PHASE   only this phase and all that depend on it, again from their beginning\n"
    "  --only PHASE   only this phase, again from its beginning; may be repeated\n"
    "                 Phases that these load from must have finished before in the run's output folder. What "
    "an\n"
    "                 earlier job left of the phases themselves is moved to OUTPUT.1/PHASE\n"
    "  --resume       go on from the newest good checkpoints instead, on any number of ranks; finished "
    "phases are\n"
    "                 skipped\n"
    "  --check        only check the run file: keys, values, graph, model and dataset of every phase; needs "
    "no mpirun\n"
    "  --dry-run      only print the graph: for each phase what it needs, model, data, parameters, stop "
    "rule, "
    "steps and\n"
    "                 time. A step of each stage is measured on made-up data for about a second, by all "
    "ranks "
    "of this\n"
    "                 job at once; the time is that of computing all steps, without waiting for other ranks, "
    "for\n"
    "                 data, tests and checkpoints. A program that may stop earlier counts in full\n"
    "  --plot FILE.svg  with --dry-run: draws the graph\n"
    "  --set KEY=VALUE  replace a value of the run file before it is checked, such as seed=2, "
    "output=runs/b,\n"
    "                 phases.cnn.batch=64, phases[0].program[0].lr=0.01; may be repeated\n"
    "  --threads N    threads of each rank, 1 to 1024 (default: phases[].resources.threads, or cores of the "
    "host / ranks\n"
    "                 on it)\n" LEADER_HELP
    "  --verbose      with an error, show where in the program it was found\n"
    "  --help         this text\n\n"
    "Signals, files, exit codes and the keys of the run file are those of annulus train, see annulus train "
    "--help.\n";

typedef struct request {
    phases_request phases;
    bool check, dry_run;
    const char *plot, *threads;
} request;

/* Complains about options that do not go together; 0: there are none. */
static int check_options(const cli *c, request *r, int count) {
    phases_request *p = &r->phases;
    if (count != 1) return cli_wrong(c, "one run file is needed, found %d", count);
    if (p->from && p->only_count > 0) return cli_wrong(c, "accepted is one of --from and --only");
    if (r->check && r->dry_run) return cli_wrong(c, "accepted is one of --check and --dry-run");
    if (r->check && (p->from || p->only_count > 0))
        return cli_wrong(c, "--check is about the whole run file, without --from and --only");
    if (r->plot && !r->dry_run) return cli_wrong(c, "--plot needs --dry-run");
    if (r->threads && !cli_int(c, "--threads", r->threads, 1, 1024, &p->threads))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    return 0;
}

static int run(const cli *c, request *r, int argc, char **argv) {
    int count;
    const cli_result parsed = cli_parse(c, argc, argv, &count);
    if (parsed == CLI_HELP) return 0;
    if (parsed == CLI_WRONG) return ann_status_exit_code(ANN_ERR_CONFIG);
    const int wrong = check_options(c, r, count);
    if (wrong) return wrong;
    r->phases.path = argv[0];
    if (r->check) return phases_check(&r->phases);
    return r->dry_run ? phases_estimate(&r->phases, r->plot) : phases_run(&r->phases);
}

int cmd_run(int argc, char **argv) {
    request r = {.phases = {.sets = calloc((size_t)argc, sizeof *r.phases.sets),
                            .only = calloc((size_t)argc, sizeof *r.phases.only)}};
    phases_request *p = &r.phases;
    const cli_option options[] = {{.name = "--check", .flag = &r.check},
                                  {.name = "--dry-run", .flag = &r.dry_run},
                                  {.name = "--resume", .flag = &p->resume},
                                  {.name = "--verbose", .flag = &p->verbose},
                                  {.name = "--from", .value = &p->from},
                                  {.name = "--plot", .value = &r.plot},
                                  {.name = "--threads", .value = &r.threads},
                                  {.name = "--only", .list = p->only, .list_count = &p->only_count},
                                  {.name = "--set", .list = p->sets, .list_count = &p->set_count},
                                  LEADER_CLI(p->leader)};
    const cli c = {"annulus run", help, options, sizeof options / sizeof options[0]};
    const int code =
        p->sets && p->only ? run(&c, &r, argc, argv) : cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    free(p->sets);
    free(p->only);
    return code;
}
