#include "support/mpi_verdict.h"

#include <mpi.h>
#include <stdio.h>

bool mpi_verdict(bool ok, const char *file, int line, const char *what) {
    int mine = ok, all = 0, rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (!ok) (void)fprintf(stderr, "rank %d: %s:%d: failed: %s\n", rank, file, line, what);
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return all != 0;
}
