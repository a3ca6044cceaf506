/* annulus slurm */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli.h"
#include "phases.h"
#include "slurm_scripts.h"

static const char help[] =
    "annulus slurm checks a run file, and writes the batch script with which Slurm runs it.\n\n"
    "usage: annulus slurm [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --output FILE       write the script to a file (default: to standard output, unless --submit)\n"
    "  --submit            hand it to sbatch\n"
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

typedef struct request {
    const char *path, *output, *nodes, *time, *partition, *launcher, *bind, *log;
    const char **sets, **extra;
    int set_count, extra_count;
    bool submit, requeue, chain;
    int64_t tasks, threads, before, array, max_restarts;
    leader_options leader;
    char folder[PATH_MAX], program[PATH_MAX];
} request;

/* ---- values in the script ---- */

/* One word of bash. */
static void shell_word(FILE *to, const char *text) {
    fputc('\'', to);
    for (; *text; text++)
        if (*text == '\'') fputs("'\\''", to);
        else fputc(*text, to);
    fputc('\'', to);
}

/* "#SBATCH --name=value": sbatch takes quotes, and a backslash before any character, away. */
static void directive(FILE *to, const char *name, const char *value) {
    fprintf(to, "#SBATCH %s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') fputc('\\', to);
        fputc(*value, to);
    }
    fputs("\"\n", to);
}

/* ---- the script ---- */

static const char *way_on(const request *r) { return r->array ? "array" : r->chain ? "chain" : "requeue"; }

/* The name of a run has letters, digits, and "-_." only. */
static void write_directives(FILE *to, const request *r, const char *name) {
    directive(to, "--job-name", name);
    directive(to, "--chdir", r->folder);
    if (r->log) directive(to, "--output", r->log);
    else fprintf(to, "#SBATCH --output=%s-%%%c.log\n", name, r->array ? 'A' : 'j');
    fprintf(to, "#SBATCH --open-mode=append\n#SBATCH --nodes=%s\n", r->nodes);
    /* One task a node is what Slurm takes by itself; asked for it, it gives a job of MIN-MAX nodes only MIN.
     */
    if (r->tasks > 1 || !strchr(r->nodes, '-'))
        fprintf(to, "#SBATCH --ntasks-per-node=%lld\n", (long long)r->tasks);
    fprintf(to, "#SBATCH --cpus-per-task=%lld\n", (long long)r->threads);
    fprintf(to, "#SBATCH --signal=B:USR1@%lld\n", (long long)r->before);
    if (r->time) fprintf(to, "#SBATCH --time=%s\n", r->time);
    if (r->partition) directive(to, "--partition", r->partition);
    if (r->array) fprintf(to, "#SBATCH --array=1-%lld%%1\n", (long long)r->array);
    fputs(r->chain ? "#SBATCH --no-requeue\n" : "#SBATCH --requeue\n", to);
    for (int i = 0; i < r->extra_count; i++) fprintf(to, "#SBATCH %s\n", r->extra[i]);
}

static void write_option(FILE *to, const char *name, const char *value) {
    fprintf(to, "%s ", name);
    shell_word(to, value);
    fputc(' ', to);
}

static void write_settings(FILE *to, const request *r) {
    fputs("\nannulus=", to);
    shell_word(to, r->program);
    fputs("\nrun=(", to);
    for (int i = 0; i < r->set_count; i++) write_option(to, "--set", r->sets[i]);
    if (r->leader.address) write_option(to, "--coordinator", r->leader.address);
    if (r->leader.dir) write_option(to, "--coordinator-dir", r->leader.dir);
    if (r->leader.plain) fputs("--coordinator-plain ", to);
    if (r->leader.none) fputs("--no-coordinator ", to);
    fputs("-- ", to);
    shell_word(to, r->path);
    fprintf(to,
            ")\nranks_per_node=%lld\nthreads=%lld\nlauncher=%s\nbind=%s\ncontinue=%s\nmax_restarts=%lld\n\n",
            (long long)r->tasks, (long long)r->threads, r->launcher, r->bind, way_on(r),
            (long long)r->max_restarts);
}

/* From its marker line on, the script is the same as slurm/annulus.sbatch. */
static void write_script(FILE *to, const request *r, const char *name) {
    static const char marker[] = "# ---- the rest needs no change\n";
    const char *rest = (const char *)slurm_scripts[0].bytes, *end = rest + slurm_scripts[0].size;
    while (end - rest > (ptrdiff_t)sizeof marker && strncmp(rest, marker, sizeof marker - 1) != 0) rest++;
    fputs("#!/bin/bash\n# Made by `annulus slurm`.\n", to);
    write_directives(to, r, name);
    write_settings(to, r);
    fwrite(rest, 1, (size_t)(end - rest), to);
}

/* ---- where it goes ---- */

static ann_status write_file(const request *r, const char *name) {
    FILE *file = fopen(r->output, "w");
    if (!file) return ann_error(ANN_ERR_IO, "%s: %s", r->output, strerror(errno));
    write_script(file, r, name);
    const bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) return ann_error(ANN_ERR_IO, "%s: %s", r->output, strerror(errno));
    return ANN_OK;
}

/* sbatch says itself what it does not like. */
static ann_status submit(const request *r, const char *name) {
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    FILE *pipe = popen("sbatch", "w");
    if (!pipe) return ann_error(ANN_ERR_IO, "sbatch cannot be started: %s", strerror(errno));
    write_script(pipe, r, name);
    const int code = pclose(pipe);
    if (code == 0) return ANN_OK;
    if (WIFEXITED(code) && WEXITSTATUS(code) == 127)
        return ann_error(ANN_ERR_NOT_FOUND, "sbatch was not found");
    return ann_error(ANN_ERR_IO, "sbatch has refused the script");
}

static int write_all(request *r) {
    ann_run_config *config = NULL;
    ann_status status = phases_load(&config, r->path, r->sets, r->set_count);
    if (status == ANN_OK && r->output) status = write_file(r, config->name);
    if (status == ANN_OK && r->submit) status = submit(r, config->name);
    if (status == ANN_OK && !r->output && !r->submit) write_script(stdout, r, config->name);
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
static bool check_lines(const cli *c, const request *r) {
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

static bool check(const cli *c, request *r) {
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

static ann_status find_places(request *r) {
    if (!getcwd(r->folder, sizeof r->folder))
        return ann_error(ANN_ERR_IO, "the current folder: %s", strerror(errno));
    const ssize_t n = readlink("/proc/self/exe", r->program, sizeof r->program - 1);
    if (n < 0) return ann_error(ANN_ERR_IO, "/proc/self/exe: %s", strerror(errno));
    r->program[n] = '\0';
    return ANN_OK;
}

static int slurm(int argc, char **argv, request *r) {
    const char *numbers[5] = {"1", "1", "120", NULL, "100"};
    const cli_option options[] = {{.name = "--output", .value = &r->output},
                                  {.name = "--submit", .flag = &r->submit},
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
    r->path = argv[0];
    const ann_status status = find_places(r);
    return status == ANN_OK ? write_all(r) : cli_fail(status);
}

int cmd_slurm(int argc, char **argv) {
    request r = {.nodes = "1", .launcher = "srun", .bind = "cores"};
    r.sets = calloc((size_t)argc, sizeof *r.sets);
    r.extra = calloc((size_t)argc, sizeof *r.extra);
    const int code =
        r.sets && r.extra ? slurm(argc, argv, &r) : cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    free(r.sets);
    free(r.extra);
    return code;
}
