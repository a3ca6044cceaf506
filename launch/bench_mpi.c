/* MPI_Allreduce by Open MPI's default, and by each of its algorithms. Which one is forced is a setting that a
   communicator reads when it is made (MPI_T, MPI 3.1 chapter 14), so each algorithm has a communicator. */
#include <mpi.h>
#include <stdlib.h>
#include "bench.h"

static const char *const names[BENCH_MPI_MAX] = {
    "default", "linear", "nonoverlapping", "recursive doubling", "ring", "segmented ring", "rabenseifner"};
enum { ALGORITHMS = 7 };

struct bench_mpi {
    int count;
    MPI_Comm comms[BENCH_MPI_MAX];
};

void bench_mpi_prepare(void) { (void)setenv("OMPI_MCA_coll_tuned_use_dynamic_rules", "1", 1); }

static bool force(int algorithm) {
    int level, index, count;
    MPI_T_cvar_handle handle;
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &level) != MPI_SUCCESS) return false;
    bool ok = MPI_T_cvar_get_index("coll_tuned_allreduce_algorithm", &index) == MPI_SUCCESS &&
              MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS;
    if (ok) {
        ok = MPI_T_cvar_write(handle, &algorithm) == MPI_SUCCESS;
        MPI_T_cvar_handle_free(&handle);
    }
    MPI_T_finalize();
    return ok;
}

ann_status bench_mpi_new(bench_mpi **out, bool all) {
    bench_mpi *mpi = calloc(1, sizeof *mpi);
    if (!mpi) return ann_error(ANN_ERR_MEMORY, "no memory for communicators");
    for (int a = 0; a < (all ? ALGORITHMS : 1) && force(a); a++)
        if (MPI_Comm_dup(MPI_COMM_WORLD, &mpi->comms[mpi->count]) == MPI_SUCCESS) mpi->count++;
    if (mpi->count == 0 && MPI_Comm_dup(MPI_COMM_WORLD, &mpi->comms[0]) == MPI_SUCCESS) mpi->count = 1;
    *out = mpi;
    return ANN_OK;
}

void bench_mpi_free(bench_mpi *mpi) {
    if (!mpi) return;
    for (int i = 0; i < mpi->count; i++) MPI_Comm_free(&mpi->comms[i]);
    free(mpi);
}

int bench_mpi_count(const bench_mpi *mpi) { return mpi->count; }
const char *bench_mpi_name(const bench_mpi *mpi, int which) {
    return which < mpi->count ? names[which] : "none";
}

ann_status bench_mpi_sum(const bench_mpi *mpi, int which, float *data, int64_t elems) {
    const int rc = MPI_Allreduce(MPI_IN_PLACE, data, (int)elems, MPI_FLOAT, MPI_SUM, mpi->comms[which]);
    return rc == MPI_SUCCESS ? ANN_OK : ann_error(ANN_ERR_COMM, "MPI_Allreduce failed");
}

double bench_slowest(double mine) {
    double slowest = mine;
    MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}
