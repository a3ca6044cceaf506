/* One job: the processes that mpirun or srun started together, or this process alone. */
#ifndef ANNULUS_LAUNCH_JOB_H
#define ANNULUS_LAUNCH_JOB_H

#include "comm/comm.h"

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

/* Starts MPI if a launcher of MPI programs started this process, and tells the log which rank it is. */
ann_status job_begin(job *j) ANN_MUST_CHECK;
/* The communicator of all ranks. Collective. */
ann_status job_comm(ann_comm **out, const job *j, double timeout_s) ANN_MUST_CHECK;
/* Ends MPI, and returns exit code `code` on every rank. */
int job_end(const job *j, int code);
/* Ends all processes of the job at once, because some rank does not answer; without MPI returns `code`. */
int job_abort(const job *j, int code);

#endif
