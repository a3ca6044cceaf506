/* One job: the processes that mpirun or srun started together, or this process alone. */
#ifndef ANNULUS_LAUNCH_JOB_H
#define ANNULUS_LAUNCH_JOB_H

#include <stdint.h>
#include "comm/comm.h"
#include "train/config.h"

typedef struct job {
    bool mpi; /* MPI has been started */
    int rank, size;
} job;

/* Lets SIGTERM, SIGUSR2 and the first SIGINT ask for a stop, and SIGUSR1 for a checkpoint, instead of
 * killing. */
void job_catch_signals(void);
bool job_stop_requested(void);
/* Whether there was such a signal since the last call. */
bool job_checkpoint_requested(void);

/* When the job will be ended, as ann_train_options.deadline_ns has it: the Unix time in ANNULUS_DEADLINE, or
   else in SLURM_JOB_END_TIME. 0: neither is set to a whole number. */
int64_t job_deadline_ns(void);

/* Starts MPI if a launcher of MPI programs started this process, and tells the log which rank it is. */
ann_status job_begin(job *j) ANN_MUST_CHECK;
/* The communicator of all ranks. Collective. */
ann_status job_comm(ann_comm **out, const job *j, double timeout_s) ANN_MUST_CHECK;
/* Reads the run file on every rank, and makes the communicator with the timeout that it asks for. Both are to
   be given to job_finish, even after a failure, and start as NULL. Collective. */
ann_status job_config(ann_run_config **out, ann_comm **comm, const job *j, const char *path,
                      const char **sets, int set_count) ANN_MUST_CHECK;
/* Says what went wrong, if anything, frees both and ends the job. Returns the exit code. */
int job_finish(const job *j, ann_comm *comm, ann_run_config *config, ann_status status);
/* Ends MPI, and returns exit code `code` on every rank. */
int job_end(const job *j, int code);
/* Ends all processes of the job at once, because some rank does not answer; without MPI returns `code`. */
int job_abort(const job *j, int code);

#endif
