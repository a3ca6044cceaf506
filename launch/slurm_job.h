/* Batch jobs of Slurm: the script of one, and its submission. */
#ifndef ANNULUS_LAUNCH_SLURM_JOB_H
#define ANNULUS_LAUNCH_SLURM_JOB_H

#include <limits.h>
#include <stdio.h>
#include "phases.h"

typedef struct slurm_job {
    const char *path, *output, *nodes, *time, *partition, *launcher, *bind, *log;
    const char **sets, **extra;
    int set_count, extra_count;
    bool submit, requeue, chain;
    int64_t tasks, threads, before, array, max_restarts;
    leader_options leader;
    char folder[PATH_MAX], program[PATH_MAX];
    /* Of a job for one phase; NULL: the job is for all. */
    const char *phase;
    const char *after; /* what sbatch's --dependency is told; "": nothing */
} slurm_job;

void slurm_job_write(FILE *to, const slurm_job *job, const char *name);
/* Hands the script to sbatch, which says itself what it does not like. *number: of the job; NULL: sbatch
   tells it. Errors: ANN_ERR_NOT_FOUND (no sbatch), ANN_ERR_IO. */
ann_status slurm_job_submit(int64_t *number, const slurm_job *job, const char *name) ANN_MUST_CHECK;

/* slurm_phases.c: submits a job for each phase, of the phase's size, which begins when those have succeeded
   that the phase needs; prints a table of them. */
ann_status slurm_phases_submit(const slurm_job *like, const ann_run_config *config) ANN_MUST_CHECK;

#endif
