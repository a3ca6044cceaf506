/* Speed of ann_comm_allreduce against MPI_Allreduce, in one run, over message sizes:

       mpirun -n 2 bench_allreduce [SEGMENT_BYTES ...]

   Prints GB/s of message (4 bytes per element, all in huge pages) and their ratio; both are the best of
   several rounds, which alternate. With segment sizes, one column for each. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "comm/comm.h"

enum { ROUNDS = 7, MAX_SEGMENTS = 8 };
static const size_t BYTES_MAX = (size_t)64 << 20;

static ann_comm *comm;
static float *data;

/* Seconds per reduction, the slowest rank's; segment 0: MPI's own. */
static double time_one(int64_t elems, size_t segment_bytes, int repeats) {
    if (segment_bytes) ann_comm_set_segment(comm, segment_bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    const int64_t begin_ns = ann_clock_ns();
    for (int i = 0; i < repeats; i++) {
        if (segment_bytes == 0)
            MPI_Allreduce(MPI_IN_PLACE, data, (int)elems, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        else if (ann_comm_allreduce(comm, data, elems, ANN_F32) != ANN_OK) MPI_Abort(MPI_COMM_WORLD, 1);
    }
    double mine = (double)(ann_clock_ns() - begin_ns) * 1e-9 / repeats, slowest = 0;
    MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

static void row(size_t bytes, const size_t *segments, int n) {
    const int repeats = bytes < 1 << 16 ? 2000 : bytes < 1 << 20 ? 200 : bytes < 1 << 24 ? 20 : 3;
    double best[1 + MAX_SEGMENTS];
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i <= n; i++) {
            const double took = time_one((int64_t)(bytes / 4), i ? segments[i - 1] : 0, repeats);
            if (round == 0 || took < best[i]) best[i] = took;
        }
    if (ann_comm_rank(comm) != 0) return;
    printf("%10zu %9.2f", bytes, (double)bytes * 1e-9 / best[0]);
    for (int i = 1; i <= n; i++) printf(" %9.2f %5.2fx", (double)bytes * 1e-9 / best[i], best[0] / best[i]);
    printf("   %9.3f ms\n", best[1] * 1e3);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    int level = 0, n = 0;
    size_t segments[MAX_SEGMENTS] = {256 << 10};
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    for (int i = 1; i < argc && n < MAX_SEGMENTS; i++) segments[n++] = (size_t)strtoull(argv[i], NULL, 10);
    if (n == 0) n = 1;
    void *memory = NULL;
    if (ann_comm_world(&comm, 60.0) != ANN_OK || ann_mem_alloc(&memory, BYTES_MAX) != ANN_OK) {
        (void)fprintf(stderr, "%s\n", ann_error_text());
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    data = memory;
    if (ann_comm_rank(comm) == 0) {
        printf("%d ranks; GB/s of message\n%10s %9s", ann_comm_size(comm), "bytes", "MPI");
        for (int i = 0; i < n; i++) printf(" %9zu  ratio", segments[i]);
        printf("   %12s\n", "first");
    }
    for (size_t bytes = 1 << 10; bytes <= BYTES_MAX; bytes *= 4) row(bytes, segments, n);
    row(10894656, segments, n); /* the gradient of the autoencoder 784-1024-512-64-512-1024-784 */
    ann_mem_free(memory, BYTES_MAX);
    ann_comm_free(comm);
    MPI_Finalize();
    return 0;
}
