#include "slurm_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "slurm_scripts.h"

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

static const char *way_on(const slurm_job *job) {
    return job->array ? "array" : job->chain ? "chain" : "requeue";
}

/* The name of a run has letters, digits, and "-_." only. */
static void write_directives(FILE *to, const slurm_job *job, const char *name) {
    directive(to, "--job-name", name);
    directive(to, "--chdir", job->folder);
    if (job->log) directive(to, "--output", job->log);
    else fprintf(to, "#SBATCH --output=%s-%%%c.log\n", name, job->array ? 'A' : 'j');
    fprintf(to, "#SBATCH --open-mode=append\n#SBATCH --nodes=%s\n", job->nodes);
    /* One task a node is what Slurm takes by itself; asked for it, it gives a job of MIN-MAX nodes only MIN.
     */
    if (job->tasks > 1 || !strchr(job->nodes, '-'))
        fprintf(to, "#SBATCH --ntasks-per-node=%lld\n", (long long)job->tasks);
    fprintf(to, "#SBATCH --cpus-per-task=%lld\n", (long long)job->threads);
    fprintf(to, "#SBATCH --signal=B:USR1@%lld\n", (long long)job->before);
    if (job->time) fprintf(to, "#SBATCH --time=%s\n", job->time);
    if (job->partition) directive(to, "--partition", job->partition);
    if (job->array) fprintf(to, "#SBATCH --array=1-%lld%%1\n", (long long)job->array);
    if (job->phase && job->after[0])
        fprintf(to, "#SBATCH --dependency=%s\n#SBATCH --kill-on-invalid-dep=yes\n", job->after);
    fputs(job->chain ? "#SBATCH --no-requeue\n" : "#SBATCH --requeue\n", to);
    for (int i = 0; i < job->extra_count; i++) fprintf(to, "#SBATCH %s\n", job->extra[i]);
}

static void write_option(FILE *to, const char *name, const char *value) {
    fprintf(to, "%s ", name);
    shell_word(to, value);
    fputc(' ', to);
}

static void write_settings(FILE *to, const slurm_job *job) {
    fputs("\nannulus=", to);
    shell_word(to, job->program);
    fputs("\nrun=(", to);
    for (int i = 0; i < job->set_count; i++) write_option(to, "--set", job->sets[i]);
    if (job->phase) write_option(to, "--only", job->phase);
    if (job->leader.address) write_option(to, "--coordinator", job->leader.address);
    if (job->leader.dir) write_option(to, "--coordinator-dir", job->leader.dir);
    if (job->leader.plain) fputs("--coordinator-plain ", to);
    if (job->leader.none) fputs("--no-coordinator ", to);
    fputs("-- ", to);
    shell_word(to, job->path);
    fprintf(to,
            ")\nranks_per_node=%lld\nthreads=%lld\nlauncher=%s\nbind=%s\ncontinue=%s\nmax_restarts=%lld\n\n",
            (long long)job->tasks, (long long)job->threads, job->launcher, job->bind, way_on(job),
            (long long)job->max_restarts);
}

/* From its marker line on, the script is the same as slurm/annulus.sbatch. */
void slurm_job_write(FILE *to, const slurm_job *job, const char *name) {
    static const char marker[] = "# ---- the rest needs no change\n";
    const char *rest = (const char *)slurm_scripts[0].bytes, *end = rest + slurm_scripts[0].size;
    while (end - rest > (ptrdiff_t)sizeof marker && strncmp(rest, marker, sizeof marker - 1) != 0) rest++;
    fputs("#!/bin/bash\n# Made by `annulus slurm`.\n", to);
    write_directives(to, job, name);
    write_settings(to, job);
    fwrite(rest, 1, (size_t)(end - rest), to);
}

/* ---- submission ---- */

static ann_status submitted(int code) {
    if (code == 0) return ANN_OK;
    if (WIFEXITED(code) && WEXITSTATUS(code) == 127)
        return ann_error(ANN_ERR_NOT_FOUND, "sbatch was not found");
    return ann_error(ANN_ERR_IO, "sbatch has refused the script");
}

/* sbatch reads the script from its standard input, and prints "NUMBER" or "NUMBER;CLUSTER". */
static ann_status submit_file(int64_t *number, int script) {
    char command[64], line[256] = "";
    (void)snprintf(command, sizeof command, "sbatch%s </dev/fd/%d", number ? " --parsable" : "", script);
    fflush(stdout);
    FILE *pipe = popen(command, "r");
    if (!pipe) return ann_error(ANN_ERR_IO, "sbatch cannot be started: %s", strerror(errno));
    while (fgets(line, sizeof line, pipe))
        if (!number) fputs(line, stdout);
    ANN_TRY(submitted(pclose(pipe)));
    if (number) *number = strtoll(line, NULL, 10);
    return !number || *number > 0 ? ANN_OK
                                  : ann_error(ANN_ERR_IO, "sbatch has told no number, but: %s", line);
}

ann_status slurm_job_submit(int64_t *number, const slurm_job *job, const char *name) {
    const int script = memfd_create("annulus-slurm", 0); /* sbatch's shell inherits it */
    FILE *file = script < 0 ? NULL : fdopen(script, "w");
    if (!file) {
        if (script >= 0) close(script);
        return ann_error(ANN_ERR_MEMORY, "no memory for a batch script: %s", strerror(errno));
    }
    slurm_job_write(file, job, name);
    const ann_status status =
        fflush(file) == 0 ? submit_file(number, script)
                          : ann_error(ANN_ERR_MEMORY, "no memory for a batch script: %s", strerror(errno));
    fclose(file);
    return status;
}
