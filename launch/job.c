#include "job.h"

#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"

static volatile sig_atomic_t stop, save;

static void on_signal(int number) {
    if (number == SIGUSR1) save = 1;
    else stop = 1;
}

bool job_stop_requested(void) { return stop != 0; }

bool job_checkpoint_requested(void) {
    if (!save) return false;
    save = 0;
    return true;
}

void job_catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    action.sa_flags |= (int)SA_RESETHAND; /* a second ^C ends the program */
    sigaction(SIGINT, &action, NULL);
}

int64_t job_deadline_ns(void) {
    static const char *const names[] = {"ANNULUS_DEADLINE", "SLURM_JOB_END_TIME"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = getenv(names[i]);
        char *end = NULL;
        const long long unix_s = text ? strtoll(text, &end, 10) : 0;
        if (!text || end == text || *end || unix_s <= 0 || unix_s > INT32_MAX * 4LL) continue;
        return ann_clock_ns() + ((int64_t)unix_s - (int64_t)time(NULL)) * 1000000000;
    }
    return 0;
}

static bool launched_by_mpi(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE",
                                        "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i])) return true;
    return false;
}

/* srun without an MPI plugin starts copies that do not know of each other, and would all write the same
 * files. */
static ann_status check_srun(int size) {
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (size > 1 || !tasks || atoi(tasks) <= 1) return ANN_OK;
    return ann_error(ANN_ERR_COMM, "srun started %s tasks, but MPI sees one: use srun --mpi=pmix, or mpirun",
                     tasks);
}

ann_status job_begin(job *j) {
    *j = (job){.mpi = launched_by_mpi(), .size = 1};
    if (j->mpi) {
        int level;
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS) {
            j->mpi = false;
            return ann_error(ANN_ERR_COMM, "MPI cannot be started");
        }
        MPI_Comm_rank(MPI_COMM_WORLD, &j->rank);
        MPI_Comm_size(MPI_COMM_WORLD, &j->size);
        if (level < MPI_THREAD_FUNNELED)
            return ann_error(ANN_ERR_COMM, "this MPI library does not allow threads");
    }
    ann_log_setup(ANN_LOG_INFO, j->rank);
    return check_srun(j->size);
}

ann_status job_comm(ann_comm **out, const job *j, double timeout_s) {
    return j->mpi ? ann_comm_world(out, timeout_s) : ann_comm_self(out);
}

int job_end(const job *j, int code) {
    if (j->mpi) MPI_Finalize();
    return code;
}

int job_abort(const job *j, int code) {
    if (j->mpi) MPI_Abort(MPI_COMM_WORLD, code);
    return code;
}
