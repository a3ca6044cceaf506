/* Making and ending communicators. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "comm/shared.h"

enum { SPIN_POLLS = 200 };
static const size_t LANE_BYTES = ANNI_STAGING_BYTES + ANNI_STAGING_BYTES / 2;
static const size_t STAGING_BYTES = (size_t)ANNI_LANES * LANE_BYTES;

/* A name that does not fit is cut. */
static void name_host(char host[ANNI_HOST_BYTES]) {
    if (gethostname(host, ANNI_HOST_BYTES - 1) != 0) memcpy(host, "?", 2);
}

/* NULL when memory is exhausted. */
static ann_comm *comm_alloc(int rank, int size, double timeout_s) {
    ann_comm *comm = calloc(1, sizeof *comm);
    if (!comm) return NULL;
    *comm = (ann_comm){.rank = rank,
                       .size = size,
                       .local_size = 1,
                       .mpi = MPI_COMM_NULL,
                       .node = MPI_COMM_NULL,
                       .pending = MPI_REQUEST_NULL,
                       .timeout_s = timeout_s};
    comm->hosts = calloc((size_t)size, sizeof *comm->hosts);
    comm->heard = calloc((size_t)size, sizeof *comm->heard);
    if (comm->hosts) name_host(comm->hosts[rank]);
    if (comm->hosts && comm->heard && anni_requests_grow(comm)) return comm;
    anni_requests_free(comm);
    free(comm->hosts);
    free(comm->heard);
    free(comm);
    return NULL;
}

static ann_status no_memory(void) { return ann_error(ANN_ERR_MEMORY, "no memory for a communicator"); }

ann_status ann_comm_self(ann_comm **out) {
    ann_comm *comm = comm_alloc(0, 1, 1.0); /* it never waits */
    if (!comm) return no_memory();
    *out = comm;
    return ANN_OK;
}

/* Whether a rank has a core of its own; then it may spin. */
static int spin_polls(const ann_comm *comm) {
    cpu_set_t cpus;
    const bool known = sched_getaffinity(0, sizeof cpus, &cpus) == 0;
    return known && comm->local_size <= CPU_COUNT(&cpus) ? SPIN_POLLS : 0;
}

/* mpirun tells its processes so by the setting, which it makes itself where ranks outnumber cores. */
static bool mpi_yields(void) {
    const char *yield = getenv("OMPI_MCA_mpi_yield_when_idle"), *many = getenv("OMPI_MCA_mpi_oversubscribe");
    return (yield && strcmp(yield, "1") == 0) || (many && strcmp(many, "1") == 0);
}

/* What a communicator of several ranks has beside one of this process alone. Until the duplicate is there,
   waits listen for roll calls on MPI_COMM_WORLD. */
static ann_status world_connect(ann_comm *comm) {
    comm->mpi = MPI_COMM_WORLD;
    ANN_TRY(anni_mpi(comm, MPI_Comm_idup(MPI_COMM_WORLD, &comm->duplicate, &comm->pending), "MPI_Comm_idup"));
    ANN_TRY(anni_mpi_wait(comm, "the other ranks to start"));
    comm->mpi = comm->duplicate;
    ANN_TRY(anni_mpi(comm, MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
    char host[ANNI_HOST_BYTES];
    memcpy(host, comm->hosts[comm->rank], sizeof host);
    ANN_TRY(ann_comm_allgather(comm, comm->hosts, host, sizeof host));
    ANN_TRY(ann_agree(comm, ann_mem_alloc(&comm->staging, STAGING_BYTES)));
    for (size_t i = 0; i < ANNI_LANES; i++) {
        comm->lanes[i].staging = (char *)comm->staging + i * LANE_BYTES;
        comm->lanes[i].send_staging = comm->lanes[i].staging + ANNI_STAGING_BYTES;
    }
    ANN_TRY(anni_topology_find(comm));
    comm->spin_polls = spin_polls(comm);
    comm->mpi_yields = mpi_yields();
    ANN_TRY(ann_agree(comm, anni_background_new(comm)));
    return anni_shared_new(comm);
}

/* MPI is there and may be called from this thread beside others. */
static ann_status mpi_check(int *rank, int *size) {
    int there = 0, level = MPI_THREAD_SINGLE;
    if (MPI_Initialized(&there) != MPI_SUCCESS || !there)
        return ann_error(ANN_ERR_COMM, "MPI is not initialised");
    if (MPI_Query_thread(&level) != MPI_SUCCESS || level < MPI_THREAD_FUNNELED)
        return ann_error(ANN_ERR_COMM, "MPI must be initialised with MPI_THREAD_FUNNELED at least");
    if (MPI_Comm_rank(MPI_COMM_WORLD, rank) != MPI_SUCCESS ||
        MPI_Comm_size(MPI_COMM_WORLD, size) != MPI_SUCCESS)
        return ann_error(ANN_ERR_COMM, "MPI_COMM_WORLD has no rank or size");
    return ANN_OK;
}

ann_status anni_comm_world_of_nodes(ann_comm **out, double timeout_s, int node_size) {
    int rank = 0, size = 1;
    if (!(timeout_s > 0)) return ann_error(ANN_ERR_ARG, "the timeout must be above 0, not %g s", timeout_s);
    ANN_TRY(mpi_check(&rank, &size));
    ann_comm *comm = comm_alloc(rank, size, timeout_s);
    if (!comm) return no_memory();
    comm->node_size = node_size;
    const ann_status status = size > 1 ? world_connect(comm) : ANN_OK;
    if (status != ANN_OK) {
        ann_comm_free(comm);
        return status;
    }
    *out = comm;
    return ANN_OK;
}

ann_status ann_comm_world(ann_comm **out, double timeout_s) {
    return anni_comm_world_of_nodes(out, timeout_s, 0);
}

/* MPI may still write to what a broken communicator holds: it is left alone, to the end of the process. */
void ann_comm_free(ann_comm *comm) {
    int finalized = 0;
    if (!comm) return;
    if (comm->broken || anni_requests_pending(comm) || anni_shared_called(comm)) return;
    anni_background_free(comm);
    if (comm->mpi != MPI_COMM_NULL && MPI_Finalized(&finalized) == MPI_SUCCESS && !finalized) {
        anni_shared_free(comm);
        if (comm->node != MPI_COMM_NULL) (void)MPI_Comm_free(&comm->node);
        (void)MPI_Comm_free(&comm->mpi);
    }
    ann_mem_free(comm->staging, STAGING_BYTES);
    anni_requests_free(comm);
    anni_topology_free(comm);
    free(comm->rows);
    free(comm->heard);
    free(comm->hosts);
    free(comm);
}

int ann_comm_rank(const ann_comm *comm) { return comm->rank; }
int ann_comm_size(const ann_comm *comm) { return comm->size; }
int ann_comm_local_rank(const ann_comm *comm) { return comm->local_rank; }
int ann_comm_local_size(const ann_comm *comm) { return comm->local_size; }
int ann_comm_host_count(const ann_comm *comm) { return comm->size == 1 ? 1 : comm->n_nodes; }

void ann_comm_set_context(ann_comm *comm, const char *text) { comm->context = text; }
