/* annulus slurm */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "slurm_job.h"

static const char help[] =
    "annulus slurm checks a run file, and writes the batch script with which Slurm runs it.\n\n"
    "usage: annulus slurm [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --output FILE       write the script to a file (default: to standard output, unless --submit)\n"
    "  --submit            hand it to sbatch\n"
    "  --executor E        mpi: one job runs all phases (the default); slurm, with --submit: each phase is a "
    "job of its own,\n"
    "                      of the size of its phases[].resources, and begins when those have succeeded that "
    "it needs\n"
    "  --nodes N|MIN-MAX   nodes (default 1); with 1-2, a job that has lost a node goes on with the other "
    "one\n"
    "  --tasks-per-node T  ranks of a node, 1 to 1024 (default 1)\n"
    "  --threads C         threads and cores of a rank, 1 to 1024 (default 1)\n"
    "  --time LIMIT        [DAYS-]HH:MM:SS, or minutes (default: the partition's)\n"
    "  --partition P       (default: the cluster's)\n"
    "  --signal-before S   seconds before the limit at which the job is asked to stop, 1 to 65535 (default "
    "120).\n"
    "                      It stops by itself at the latest 10 s and three times what a checkpoint costs "
    "before\n"
    "  --requeue           an unfinished job goes on under the same number, by scontrol requeue (the "
    "default)\n"
    "  --chain             or as a job that was submitted when it began, and waits for its end\n"
    "  --array N           or as the next one of an array of N jobs that run one after the other\n"
    "  --max-restarts N    of --requeue and --chain, 0 to 10000 (default 100)\n"
    "  --launcher L        srun (with --mpi=pmix; the default) or mpirun\n"
    "  --bind B            cores: each rank to cores of its own (the default); or none\n"
    "  --log FILE          what the job writes is appended there; sbatch's %j and others are replaced\n"
    "                      (default: NAME-%j.log, for an array NAME-%A.log)\n"
    "  --option TEXT       another option of sbatch, such as --option --account=physics; may be repeated\n"
    "  --set KEY=VALUE     as for annulus run; may be repeated\n" LEADER_HELP
    "  --help              this text\n\n"
    "The job works in the folder where this command is called. Exit codes of the job: 0 the run is finished; "
    "75 "
    "it\n"
    "goes on later, or was cancelled after a checkpoint; 2, 4, 6, 8: those of annulus, where another start "
    "would "
    "not\n"
    "help. scancel ends it for good.\n";

/* ---- where it goes ---- */

static ann_status write_file(const slurm_job *r, const char *name) {
    FILE *file = fopen(r->output, "w");
    if (!file) return ann_error(ANN_ERR_IO, "%s: %s", r->output, strerror(errno));
    slurm_job_write(file, r, name);
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) return ann_error(ANN_ERR_IO, "%s: %s", r->output, strerror(errno));
    return ANN_OK;
}

static int write_all(slurm_job *r, bool each) {
    ann_run_config *config = NULL;
    ann_status status = phases_load(&config, r->path, r->sets, r->set_count);
    if (status == ANN_OK && r->output) status = write_file(r, config->name);
    if (status == ANN_OK && r->submit)
        status = each ? slurm_phases_submit(r, config) : slurm_job_submit(NULL, r, config->name);
    if (status == ANN_OK && !r->output && !r->submit) slurm_job_write(stdout, r, config->name);
    ann_run_config_free(config);
    return status == ANN_OK ? 0 : cli_fail(status);
}

/* ---- the command line ---- */

/* "2" or "1-2". */
static bool are_nodes(const char *text) {
    char *end;
    if (!isdigit((unsigned char)*text)) return false;
    const long min = strtol(text, &end, 10);
    if (*end == '\0') return min > 0 && min <= 100000;
    if (*end != '-' || !isdigit((unsigned char)end[1])) return false;
    const long max = strtol(end + 1, &end, 10);
    return *end == '\0' && min > 0 && min <= max && max <= 100000;
}

/* "[DAYS-]H[:M[:S]]" in digits, as Slurm has it. */
static bool is_time(const char *text) {
    int colons = 0, digits = 0;
    bool days = false;
    for (; *text; text++) {
        if (isdigit((unsigned char)*text) && digits < 6) digits++;
        else if (*text == '-' && digits > 0 && !days && colons == 0) days = true, digits = 0;
        else if (*text == ':' && digits > 0 && colons < 2) colons++, digits = 0;
        else return false;
    }
    return digits > 0;
}

static bool has_line_end(const char *text) { return text && (strchr(text, '\n') || strchr(text, '\r')); }

static bool is_one_of(const cli *c, const char *name, const char *text, const char *a, const char *b) {
    if (strcmp(text, a) == 0 || strcmp(text, b) == 0) return true;
    cli_wrong(c, "%s: found '%s', accepted are %s and %s", name, text, a, b);
    return false;
}

/* What goes into a line of the script must be one. */
static bool check_lines(const cli *c, const slurm_job *r) {
    bool bad = has_line_end(r->partition) || has_line_end(r->log) || has_line_end(r->folder);
    for (int i = 0; i < r->extra_count; i++) {
        bad = bad || has_line_end(r->extra[i]);
        if (r->extra[i][0] == '-') continue;
        cli_wrong(c, "--option: found '%s', accepted is an option of sbatch, such as --account=physics",
                  r->extra[i]);
        return false;
    }
    if (bad) cli_wrong(c, "a value has more than one line");
    return !bad;
}

static bool check_each(const cli *c, const slurm_job *r) {
    if (r->submit && !r->output && !r->chain && !r->array) return true;
    cli_wrong(c, "--executor slurm needs --submit, without --output, --chain and --array");
    return false;
}

static bool check(const cli *c, slurm_job *r) {
    if (!are_nodes(r->nodes)) {
        cli_wrong(c, "--nodes: found '%s', accepted are N and MIN-MAX", r->nodes);
        return false;
    }
    if (r->time && !is_time(r->time)) {
        cli_wrong(c, "--time: found '%s', accepted are [DAYS-]HH:MM:SS and minutes", r->time);
        return false;
    }
    if (r->requeue + r->chain + (r->array > 0) > 1) {
        cli_wrong(c, "accepted is one of --requeue, --chain and --array");
        return false;
    }
    return is_one_of(c, "--launcher", r->launcher, "srun", "mpirun") &&
           is_one_of(c, "--bind", r->bind, "cores", "none") && check_lines(c, r);
}

static ann_status find_places(slurm_job *r) {
    if (!getcwd(r->folder, sizeof r->folder))
        return ann_error(ANN_ERR_IO, "the current folder: %s", strerror(errno));
    const ssize_t n = readlink("/proc/self/exe", r->program, sizeof r->program - 1);
    if (n < 0) return ann_error(ANN_ERR_IO, "/proc/self/exe: %s", strerror(errno));
    r->program[n] = '\0';
    return ANN_OK;
}

static int slurm(int argc, char **argv, slurm_job *r) {
    const char *numbers[5] = {"1", "1", "120", NULL, "100"}, *executor = "mpi";
    const cli_option options[] = {{.name = "--output", .value = &r->output},
                                  {.name = "--submit", .flag = &r->submit},
                                  {.name = "--executor", .value = &executor},
                                  {.name = "--nodes", .value = &r->nodes},
                                  {.name = "--tasks-per-node", .value = &numbers[0]},
                                  {.name = "--threads", .value = &numbers[1]},
                                  {.name = "--time", .value = &r->time},
                                  {.name = "--partition", .value = &r->partition},
                                  {.name = "--signal-before", .value = &numbers[2]},
                                  {.name = "--requeue", .flag = &r->requeue},
                                  {.name = "--chain", .flag = &r->chain},
                                  {.name = "--array", .value = &numbers[3]},
                                  {.name = "--max-restarts", .value = &numbers[4]},
                                  {.name = "--launcher", .value = &r->launcher},
                                  {.name = "--bind", .value = &r->bind},
                                  {.name = "--log", .value = &r->log},
                                  {.name = "--option", .list = r->extra, .list_count = &r->extra_count},
                                  {.name = "--set", .list = r->sets, .list_count = &r->set_count},
                                  LEADER_CLI(r->leader)};
    const cli c = {"annulus slurm", help, options, sizeof options / sizeof options[0]};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_HELP) return 0;
    if (parsed == CLI_GO && count != 1) cli_wrong(&c, "one run file is needed, found %d", count);
    if (parsed != CLI_GO || count != 1 || !cli_int(&c, "--tasks-per-node", numbers[0], 1, 1024, &r->tasks) ||
        !cli_int(&c, "--threads", numbers[1], 1, 1024, &r->threads) ||
        !cli_int(&c, "--signal-before", numbers[2], 1, 65535, &r->before) ||
        (numbers[3] && !cli_int(&c, "--array", numbers[3], 1, 10000, &r->array)) ||
        !cli_int(&c, "--max-restarts", numbers[4], 0, 10000, &r->max_restarts) || !check(&c, r))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    const bool each = strcmp(executor, "slurm") == 0;
    if (!is_one_of(&c, "--executor", executor, "mpi", "slurm") || (each && !check_each(&c, r)))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    r->path = argv[0];
    const ann_status status = find_places(r);
    return status == ANN_OK ? write_all(r, each) : cli_fail(status);
}

int cmd_slurm(int argc, char **argv) {
    slurm_job r = {.nodes = "1", .launcher = "srun", .bind = "cores"};
    r.sets = calloc((size_t)argc, sizeof *r.sets);
    r.extra = calloc((size_t)argc, sizeof *r.extra);
    const int code =
        r.sets && r.extra ? slurm(argc, argv, &r) : cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    free(r.sets);
    free(r.extra);
    return code;
}
