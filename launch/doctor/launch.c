/* Who started the ranks, and do they know each other? */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include "doctor.h"

static const char check[] = "launcher";

void doctor_launch_find(doctor_launch_facts *f, bool mpi) {
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0';
    doctor_copy(f->mpi, sizeof f->mpi, version);
    f->started = mpi;
    f->size = 1;
    f->threads = DOCTOR_UNKNOWN;
    if (mpi) {
        MPI_Comm_rank(MPI_COMM_WORLD, &f->rank);
        MPI_Comm_size(MPI_COMM_WORLD, &f->size);
        int level;
        MPI_Query_thread(&level);
        f->threads = level == MPI_THREAD_SINGLE       ? 0
                     : level == MPI_THREAD_FUNNELED   ? 1
                     : level == MPI_THREAD_SERIALIZED ? 2
                                                      : 3;
    }
    f->ompi_size = doctor_env_int("OMPI_COMM_WORLD_SIZE");
    f->pmi_size = doctor_env_int("PMI_SIZE");
    f->slurm_tasks = doctor_env_int("SLURM_NTASKS");
    f->slurm_rank = doctor_env_int("SLURM_PROCID");
    f->slurm_step_size = doctor_env_int("SLURM_STEP_NUM_TASKS");
    if (f->slurm_step_size == DOCTOR_UNKNOWN && getenv("SLURM_STEP_ID")) f->slurm_step_size = f->slurm_tasks;
    f->slurm = getenv("SLURM_JOB_ID") != NULL;
}

/* mpirun inside an allocation starts its daemons by srun, so mpirun's word counts first. */
static const char *launcher(const doctor_launch_facts *f, int *expected) {
    *expected = 1;
    if (f->ompi_size > 0) return *expected = f->ompi_size, "mpirun";
    if (f->slurm_step_size > 0) return *expected = f->slurm_step_size, "srun";
    if (f->pmi_size > 0) return *expected = f->pmi_size, "a launcher of another MPI (PMI)";
    if (f->slurm_rank > 0) return *expected = f->slurm_tasks, "Slurm";
    return f->started ? "a launcher" : "nothing";
}

static const char *remedy_of_copies(const doctor_launch_facts *f, const char *by) {
    if (strcmp(by, "srun") == 0 || strcmp(by, "Slurm") == 0)
        return "use srun --mpi=pmix (srun --mpi=list shows what there is), or mpirun inside the allocation";
    return f->pmi_size > 0 ? "use the mpirun of the MPI library that annulus is linked with"
                           : "use the mpirun of the same Open MPI, and do not start it inside another mpirun";
}

static void judge_copies(doctor_report *report, const doctor_facts *all, int rank) {
    const doctor_launch_facts *f = &all[rank].launch;
    int expected;
    const char *by = launcher(f, &expected);
    if (expected > f->size && f->size == 1)
        doctor_say_rank(report, rank, DOCTOR_ERROR, check, remedy_of_copies(f, by),
                        "%s started %d tasks, but MPI sees one: these are copies that do not know of each "
                        "other, and all of them are rank 0",
                        by, expected);
    else if (expected != f->size && expected > 1)
        doctor_say_rank(report, rank, DOCTOR_ERROR, check, remedy_of_copies(f, by),
                        "%s started %d tasks, but MPI sees %d", by, expected, f->size);
    else if (f->complaint[0] && f->threads != 0)
        doctor_say_rank(report, rank, DOCTOR_ERROR, check,
                        "try mpirun -n 2 hostname, and an MPI program of your own", "%s", f->complaint);
    else if (!f->started && f->slurm_tasks > 1)
        doctor_say_rank(report, rank, DOCTOR_WARNING, check,
                        "inside the allocation: srun --mpi=pmix annulus doctor, or mpirun annulus doctor",
                        "the allocation is for %d tasks, but this is one process: only its host is examined",
                        f->slurm_tasks);
    else if (!f->started) doctor_say_rank(report, rank, DOCTOR_OK, check, NULL, "started alone, without MPI");
    else
        doctor_say_rank(report, rank, DOCTOR_OK, check, NULL, "%s started %d rank%s%s", by, f->size,
                        doctor_plural(f->size), f->slurm ? ", in a Slurm allocation" : "");
}

static void judge_threads(doctor_report *report, const doctor_facts *all, int rank) {
    static const char *const names[] = {"MPI_THREAD_SINGLE", "MPI_THREAD_FUNNELED", "MPI_THREAD_SERIALIZED",
                                        "MPI_THREAD_MULTIPLE"};
    const doctor_launch_facts *f = &all[rank].launch;
    if (f->threads == DOCTOR_UNKNOWN)
        doctor_say_rank(report, rank, DOCTOR_OK, "MPI", NULL,
                        "%s; level of threads unknown: it has not been started", f->mpi);
    else if (f->threads == 0)
        doctor_say_rank(report, rank, DOCTOR_ERROR, "MPI", "use an MPI library that was built with threads",
                        "%s allows no threads (%s)", f->mpi, names[0]);
    else if (f->threads == 1)
        doctor_say_rank(report, rank, DOCTOR_NOTE, "MPI", NULL,
                        "%s, %s: messages between hosts do not move on while a rank computes", f->mpi,
                        names[1]);
    else doctor_say_rank(report, rank, DOCTOR_OK, "MPI", NULL, "%s, %s", f->mpi, names[f->threads]);
}

static void judge_library(doctor_report *report, const doctor_facts *all, int rank) {
    if (strcmp(all[rank].launch.mpi, all[0].launch.mpi) == 0) return;
    doctor_say_rank(report, rank, DOCTOR_ERROR, "MPI", "install the same MPI on all hosts",
                    "not the MPI library of rank 0: %s there, %s here", all[0].launch.mpi,
                    all[rank].launch.mpi);
}

void doctor_launch_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) judge_threads(report, all, i);
    for (int i = 0; i < n; i++) judge_library(report, all, i);
    for (int i = 0; i < n; i++) judge_copies(report, all, i);
}
