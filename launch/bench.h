/* The commands of `annulus bench`, and what they share. */
#ifndef ANNULUS_LAUNCH_BENCH_H
#define ANNULUS_LAUNCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include "comm/tuning.h"
#include "train/overlap.h"

int bench_allreduce(int argc, char **argv);
int bench_overlap(int argc, char **argv);

/* Writes the events of all ranks to a file, on rank 0. Collective. */
ann_status bench_trace_write(ann_comm *comm, const char *path, const ann_overlap *report) ANN_MUST_CHECK;

/* ---- MPI_Allreduce as a contender: bench_mpi.c ---- */

enum { BENCH_MPI_MAX = 8 };
typedef struct bench_mpi bench_mpi;

/* To be called before MPI starts: allows a choice among Open MPI's algorithms. */
void bench_mpi_prepare(void);
/* The default, and, with `all`, each algorithm that can be forced. Collective. */
ann_status bench_mpi_new(bench_mpi **out, bool all) ANN_MUST_CHECK;
void bench_mpi_free(bench_mpi *mpi);
int bench_mpi_count(const bench_mpi *mpi);
const char *bench_mpi_name(const bench_mpi *mpi, int which);
ann_status bench_mpi_sum(const bench_mpi *mpi, int which, float *data, int64_t elems) ANN_MUST_CHECK;
/* The largest of the ranks' values, on every rank. */
double bench_slowest(double mine);

#endif
